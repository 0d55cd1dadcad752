//! What the store must hear of a job: its hold before anything is done, its end whatever happens to the store meanwhile.

use std::time::{Duration, Instant};

use assay_ledger::{Nano, Settlement};
use assay_protocol::JobId;
use tracing::{error, warn};

use crate::{
    app::App,
    auth::Caller,
    clock,
    db::{
        self, DbError,
        jobs::{JobEnd, JobState, NewJob, OpenJobError},
    },
    serving::{delivery::ServeError, job::Job},
};

/// Waits between the tries to store an end: the first, doubled up to the last.
const STORE_RETRY: Duration = Duration::from_millis(50);
const STORE_RETRY_MAX: Duration = Duration::from_secs(1);
/// After its deadline a job is settled within this; then its hold is ended by whoever looks.
const HOLD_GRACE_MS: i64 = 300_000;

/// Holds the highest cost of a job, with the row that says so.
pub(in crate::serving) async fn hold(
    app: &App,
    caller: &Caller,
    job: &Job,
) -> Result<(), ServeError> {
    let new = NewJob {
        id: job.id,
        gateway: app.keys.gateway_id().to_owned(),
        account: caller.account,
        key: caller.key,
        model: job.model.id().to_owned(),
        policy: job.risk.as_str().to_owned(),
        prompt_tokens: job.prompt_tokens(),
        max_tokens: job.max_tokens,
        hold: job.quote.highest(),
        created_ms: clock::now_ms(),
        lease: Some(app.lease.current()),
        lasts_ms_max: hold_lasts_ms(app),
        holds_open_max: app.config.serving.account_jobs_max,
    };
    match db::jobs::open(&app.db, &new).await {
        Ok(()) => {
            app.signatures.open(job.id);
            Ok(())
        }
        Err(OpenJobError::InsufficientCredit { available, needed }) => {
            Err(ServeError::InsufficientCredit { available, needed })
        }
        Err(OpenJobError::TooManyHolds { max }) => Err(ServeError::TooManyJobs { max }),
        Err(OpenJobError::OverBudget { left, needed }) => {
            Err(ServeError::OverBudget { left, needed })
        }
        Err(OpenJobError::Store(DbError::LeaseLost)) => {
            error!(job = %job.id, "hold refused: the lease on jobs was lost a moment ago");
            Err(ServeError::Store)
        }
        Err(error) => {
            error!(job = %job.id, %error, "hold not stored, or not known to be");
            // It may have been stored all the same: then it is given back, as soon as the store answers.
            let reason = "the hold could not be confirmed; nothing was charged";
            app.unconfirmed.add(given_back(job.id, job.quote.highest(), reason));
            Err(ServeError::Store)
        }
    }
}

/// The end of a job that came to nothing.
fn given_back(id: JobId, held: Nano, reason: &str) -> JobEnd {
    JobEnd {
        id,
        state: JobState::Failed,
        finish: None,
        completion_tokens: 0,
        rounds: 0,
        charge: Settlement::nothing(held),
        reason: reason.to_owned(),
        verdict: None,
        ended_ms: clock::now_ms(),
        nodes: Vec::new(),
        receipt: None,
    }
}

/// Stores how a job ended: money must not be lost to a hiccup of the store, and the key makes a repeated end harmless.
/// Tried again for as long as the store may get well, at most until the hold's deadline. What the store refuses for good is
/// left to whoever looks for orphans, who goes by the last checkpoint.
pub(super) async fn store(app: &App, end: &JobEnd) {
    let lasts = Duration::from_millis(hold_lasts_ms(app).unsigned_abs());
    let (since, mut wait) = (Instant::now(), STORE_RETRY);
    for attempt in 1_u32.. {
        match db::jobs::end(&app.db, end).await {
            Ok(()) => return,
            Err(error) if error.is_temporary() && since.elapsed() < lasts => {
                if attempt.is_power_of_two() {
                    warn!(job = %end.id, %error, attempt, "settlement not stored yet");
                }
                tokio::time::sleep(wait).await;
                wait = STORE_RETRY_MAX.min(wait * 2);
            }
            Err(error) => {
                error!(job = %end.id, %error, "settlement not stored: the job is ended by its last checkpoint");
                break;
            }
        }
    }
    metrics::counter!("assay_settlements_refused_total").increment(1);
    if let Err(error) = db::leases::let_go(&app.db, end.id).await {
        warn!(job = %end.id, %error, "a hold stays open until its deadline");
    }
}

/// How long a hold may be open, from its first moment.
fn hold_lasts_ms(app: &App) -> i64 {
    let deadline_ms = i64::try_from(app.config.serving.job_deadline_ms).unwrap_or(i64::MAX);
    deadline_ms.saturating_add(HOLD_GRACE_MS)
}

//! What the store must hear of a job: its hold before anything is done, its end whatever happens to the store meanwhile.

use std::time::{Duration, Instant};

use assay_ledger::Settlement;
use assay_model::Said;
use tracing::{error, warn};

use super::{Ending, job_end, known};
use crate::{
    app::App,
    auth::Caller,
    clock,
    db::{
        self, DbError,
        jobs::{JobEnd, NewJob, OpenJobError},
    },
    receipts,
    serving::{delivery::ServeError, job::Job},
};

/// Waits between the tries to store an end: the first, doubled up to the last.
const STORE_RETRY: Duration = Duration::from_millis(50);
const STORE_RETRY_MAX: Duration = Duration::from_secs(1);
/// After its deadline a job is settled within this; then its hold is ended by whoever looks.
const HOLD_GRACE_MS: i64 = 300_000;

/// Holds the highest cost of each of these jobs, with the rows that say so; of all or of none.
pub(in crate::serving) async fn hold(
    app: &App,
    caller: &Caller,
    jobs: &[&Job],
) -> Result<(), ServeError> {
    let created_ms = clock::now_ms();
    let new = jobs.iter().map(|job| NewJob {
        id: job.id,
        gateway: app.keys.gateway_id().to_owned(),
        account: caller.account,
        key: caller.key,
        model: job.model.id().to_owned(),
        policy: job.risk.as_str().to_owned(),
        prompt_tokens: job.prompt_tokens(),
        max_tokens: job.max_tokens,
        hold: job.quote.highest(),
        created_ms,
        lease: Some(app.lease.current()),
        lasts_ms_max: hold_lasts_ms(app).saturating_mul(job.turns.into()),
        holds_open_max: app.config.serving.account_jobs_max,
    });
    match db::jobs::open_all(&app.db, new.collect()).await {
        Ok(()) => {
            jobs.iter().for_each(|job| app.signatures.open(job.id));
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
            error!("hold refused: the lease on jobs was lost a moment ago");
            Err(ServeError::Store)
        }
        Err(error) => {
            error!(jobs = jobs.len(), %error, "hold not stored, or not known to be");
            // It may have been stored all the same: then it is given back, as soon as the store answers.
            jobs.iter().for_each(|job| app.unconfirmed.add(given_back(app, job)));
            Err(ServeError::Store)
        }
    }
}

/// The end of a job that came to nothing, with the receipt that says so.
fn given_back(app: &App, job: &Job) -> JobEnd {
    let (nothing, held) = (Ending::default(), job.quote.highest());
    let reason = "the hold could not be confirmed; nothing was charged".to_owned();
    let code = Some(ServeError::Store.code());
    let end = JobEnd { reason, code, ..job_end(job, &nothing, Settlement::nothing(held)) };
    let receipt = receipts::write(app, &known(job, &nothing, &end, &Said::default()));
    JobEnd { receipt, ..end }
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

/// How long a job may wait for the rest of its request: less than its hold lasts.
pub(in crate::serving) fn word_wait(app: &App, job: &Job) -> Duration {
    let lasts_ms = hold_lasts_ms(app).saturating_mul(job.turns.into());
    Duration::from_millis(lasts_ms.saturating_sub(HOLD_GRACE_MS / 2).unsigned_abs())
}

/// How long a hold may be open, from its first moment.
fn hold_lasts_ms(app: &App) -> i64 {
    let deadline_ms = i64::try_from(app.config.serving.job_deadline_ms).unwrap_or(i64::MAX);
    deadline_ms.saturating_add(HOLD_GRACE_MS)
}

#[cfg(test)]
mod tests {
    use assay_model::{AnswerForm, ChatMessage};
    use assay_protocol::{Bytes32, Sampling};
    use assay_verifier::{
        Receipt, Trust,
        receipt::{State, check},
        trust::GatewayKey,
    };

    use super::*;
    use crate::{
        app::fixtures,
        receipts::Found,
        scheduler::{Party, Payouts},
        serving::{ChatJob, Prompt, Risk, Terms},
    };

    #[tokio::test]
    async fn a_hold_in_doubt_is_given_back_with_a_receipt_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let (app, caller) = fixtures::gateway(folder.path()).await;
        let client = Party { account: caller.account, payouts: Payouts::default(), network: None };
        let chat = ChatJob {
            model: app.catalog.iter().next().unwrap().clone(),
            prompts: vec![Prompt::Chat(vec![ChatMessage::new("user", "hi")])],
            choices: 1,
            id_prefix: "chatcmpl-",
            echo: false,
            sampling: Sampling::default(),
            seed: None,
            max_tokens: Some(8),
            stop: Vec::new(),
            form: AnswerForm::default(),
            terms: Terms { risk: Risk::Standard, checks: None, release: None },
            nonce: None,
            streamed: false,
            keyed: false,
            request: Bytes32([2; 32]),
        };
        let jobs = Job::prepare(&app, caller.account, client, chat).unwrap();
        let [job] = &jobs[..] else { panic!("one job") };
        // The store takes the hold and does not say so.
        hold(&app, &caller, &[job]).await.unwrap();
        db::jobs::end(&app.db, &given_back(&app, job)).await.unwrap();
        while receipts::seal_batch(&app).await.unwrap() {}

        let found = receipts::find(&app, &caller, job.id).await.unwrap();
        let Found::Ready(bundle) = found else { panic!("{found:?}") };
        let receipt = Receipt::decode(&bundle.receipt.bytes).unwrap();
        assert_eq!((receipt.state, receipt.money.cost), (State::Failed, 0));
        let trust = Trust::of(vec![GatewayKey::new(app.keys.public_key(), 0)]);
        check(&bundle, None, None, &trust).unwrap();
    }
}

//! Compares the books with what the provider reports, and finishes what a stop or a lost webhook left open. What
//! goes wrong with one payment keeps no other from being looked at.

mod refunds;
mod top_ups;

use std::time::Duration;

use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};
use utoipa::ToSchema;

use super::PaymentError;
use crate::{app::App, clock, db};

/// Younger ones may be in the middle of being made.
const REST_MS: i64 = 60_000;
/// Objects of the provider's, or rows of ours, that are read at once.
const PAGE: i64 = 100;
/// Pages that one run reads of each kind; that there are more is said in the report.
const PAGES_MAX: u32 = 100;
/// Calls in a row that the provider may leave unanswered before a run asks it no more.
const UNANSWERED_MAX: u32 = 5;
/// Sentences in a report.
const PROBLEMS_MAX: usize = 100;

/// What a comparison with the payment provider found. Amounts are US cents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PaymentReport)]
pub struct Reconciliation {
    /// Sessions that the provider reported.
    pub sessions: u64,
    /// Paid ones among them, in cents.
    pub paid_cents: i64,
    /// What the books credited for the same time, in cents.
    pub credited_cents: i64,
    /// Paid, and credited only now.
    pub credited_now: u64,
    /// Came to nothing, and written down as that only now.
    pub ended_now: u64,
    /// Refunds that were still open and were asked for again.
    pub refunds_asked: u64,
    /// Refunds that the provider reported, of more than a month.
    pub refunds: u64,
    /// Those that it has sent, in cents.
    pub refunded_cents: i64,
    /// What the books have as sent of the same time, in cents.
    pub sent_cents: i64,
    /// Refunds whose end was not known, or that came back, and that are written down only now.
    pub refunds_ended: u64,
    /// What somebody must look at; the first hundred.
    pub problems: Vec<String>,
    /// Calls in a row that the provider did not answer.
    #[serde(skip)]
    unanswered: u32,
}

/// Runs now and then until the gateway stops.
pub async fn run(app: App) {
    let settings = &app.config.payments;
    if !app.payments.is_open() || settings.reconcile_each_s == 0 {
        return;
    }
    let mut each = interval(Duration::from_secs(settings.reconcile_each_s));
    each.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = each.tick() => {}
            () = app.shutdown.cancelled() => return,
        }
        // Whatever is cut off here is idempotent and done again.
        let done = tokio::select! {
            done = reconcile(&app) => done,
            () = app.shutdown.cancelled() => return,
        };
        match done {
            Ok(report) if report.problems.is_empty() => {}
            Ok(report) => tracing::error!(problems = ?report.problems, "payments do not reconcile"),
            Err(error) => tracing::warn!(%error, "payments could not be reconciled now"),
        }
    }
}

/// Compares the last hours, as many as the settings say, and everything that is open, however old.
///
/// # Errors
/// When the store does not answer, or the provider from the very beginning. Later troubles are in the report.
pub async fn reconcile(app: &App) -> Result<Reconciliation, PaymentError> {
    let mut report = Reconciliation::default();
    let now_ms = clock::now_ms();
    let since_ms = now_ms - i64::from(app.config.payments.reconcile_window_h) * 3_600_000;
    let all = async {
        top_ups::compare(app, since_ms, now_ms, &mut report).await?;
        refunds::compare(app, now_ms, &mut report).await?;
        refunds::ask_again(app, now_ms, &mut report).await
    };
    match all.await {
        Err(PaymentError::Unavailable) if report != Reconciliation::default() => {
            report.problem("the provider answers no more: the rest was not looked at".into());
            Ok(report)
        }
        Err(error) => Err(error),
        Ok(()) => Ok(report),
    }
}

impl Reconciliation {
    /// What somebody must look at, unless somebody has: by this name it is settled.
    async fn named(
        &mut self,
        app: &App,
        reference: &str,
        sentence: String,
    ) -> Result<(), PaymentError> {
        if !db::settled_payments::has(&app.db, reference).await? {
            self.problem(sentence);
        }
        Ok(())
    }

    fn problem(&mut self, sentence: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(sentence);
        }
    }

    /// The result of looking at one thing. Its trouble is put down, and the next one is looked at, unless the
    /// store is gone, the provider does not know us, or it has not answered for too long.
    fn heard<T>(
        &mut self,
        what: &str,
        result: Result<T, PaymentError>,
    ) -> Result<Option<T>, PaymentError> {
        let error = match result {
            Ok(heard) => {
                self.unanswered = 0;
                return Ok(Some(heard));
            }
            Err(error) => error,
        };
        match &error {
            PaymentError::Unavailable if self.unanswered < UNANSWERED_MAX => self.unanswered += 1,
            PaymentError::Refused(_) | PaymentError::Stopped => {}
            _ => return Err(error),
        }
        self.problem(format!("{what}: {error}"));
        Ok(None)
    }
}

//! Compares the books with what the provider reports, and finishes what a stop or a lost webhook left open.

use std::{collections::HashSet, time::Duration};

use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use super::{
    PaymentError,
    fulfil::{self, Fulfilled},
    refund,
    stripe::Session,
};
use crate::{
    app::App,
    clock,
    db::{self, top_ups::TopUpState},
};

/// Younger ones may be in the middle of being made.
const REST_MS: i64 = 60_000;
/// A page that nobody opened within a day is dead at the provider too.
const CREATING_MS_MAX: i64 = 24 * 3_600_000;
/// Pages of a hundred sessions that one run reads; more is said in the report.
const PAGES_MAX: u32 = 100;
/// Open refunds that one run asks for.
const REFUNDS_MAX: i64 = 100;
/// Rows that one run compares.
const ROWS_MAX: i64 = 20_000;
/// Sentences in a report.
const PROBLEMS_MAX: usize = 100;

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
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
    /// What somebody must look at; the first hundred.
    pub problems: Vec<String>,
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

/// Compares the last hours, as many as the settings say.
///
/// # Errors
/// When provider or store do not answer.
pub async fn reconcile(app: &App) -> Result<Reconciliation, PaymentError> {
    let mut report = Reconciliation::default();
    let now_ms = clock::now_ms();
    let since_ms = now_ms - i64::from(app.config.payments.reconcile_window_h) * 3_600_000;
    let seen = sessions(app, since_ms, &mut report).await?;
    unreported(app, since_ms, now_ms, &seen, &mut report).await?;
    never_made(app, now_ms, &mut report).await?;
    for row in db::refunds::waiting(&app.db, now_ms - REST_MS, REFUNDS_MAX).await? {
        refund::send(app, &row).await?;
        report.refunds_asked += 1;
    }
    Ok(report)
}

/// Each session that the provider reports is credited if it was paid. Their names come back.
async fn sessions(
    app: &App,
    since_ms: i64,
    report: &mut Reconciliation,
) -> Result<HashSet<String>, PaymentError> {
    let stripe = app.payments.stripe()?;
    let mut seen = HashSet::new();
    let mut after: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let page = stripe.sessions_since(since_ms / 1_000, after.as_deref()).await?;
        for session in &page.data {
            one(app, session, report).await?;
            seen.insert(session.id.clone());
        }
        after = page.data.last().map(|session| session.id.clone());
        if !page.has_more || after.is_none() {
            return Ok(seen);
        }
    }
    report.problem("there are more sessions than one run reads: shorten the window".into());
    Ok(seen)
}

async fn one(
    app: &App,
    session: &Session,
    report: &mut Reconciliation,
) -> Result<(), PaymentError> {
    report.sessions += 1;
    let known = db::top_ups::find_by_session(&app.db, &session.id).await?;
    match fulfil::settle(app, known, session, false).await? {
        Fulfilled::Credited => report.credited_now += 1,
        Fulfilled::Ended(_) => report.ended_now += 1,
        Fulfilled::Differs(what) => report.problem(format!("session {}: {what}", session.id)),
        Fulfilled::NotOurs if session.payment_status == "paid" => {
            report.problem(format!("session {} was paid and is no top-up of ours", session.id));
        }
        Fulfilled::Before | Fulfilled::Waiting | Fulfilled::NotOurs => {}
    }
    if session.payment_status == "paid" {
        report.paid_cents = report.paid_cents.saturating_add(session.amount_total.unwrap_or(0));
    }
    Ok(())
}

/// What the books credited and the provider does not report.
async fn unreported(
    app: &App,
    since_ms: i64,
    now_ms: i64,
    seen: &HashSet<String>,
    report: &mut Reconciliation,
) -> Result<(), PaymentError> {
    for row in db::top_ups::paid_since(&app.db, since_ms, ROWS_MAX).await? {
        report.credited_cents = report.credited_cents.saturating_add(row.cents);
        let reported = row.session.as_ref().is_some_and(|session| seen.contains(session));
        // The provider's list begins at a whole second; its clock is not ours.
        let inside = (since_ms + REST_MS..now_ms - REST_MS).contains(&row.created_ms);
        if !reported && inside {
            report
                .problem(format!("top-up {} was credited, the provider knows no payment", row.id));
        }
    }
    Ok(())
}

/// Rows whose page was never made, because the gateway stopped or the provider did not answer.
async fn never_made(
    app: &App,
    now_ms: i64,
    report: &mut Reconciliation,
) -> Result<(), PaymentError> {
    let rows = db::top_ups::waiting(&app.db, 0, now_ms - CREATING_MS_MAX, ROWS_MAX).await?;
    for row in rows.iter().filter(|row| row.session.is_none()) {
        let reason = "the payment page was never made";
        db::top_ups::ended(&app.db, &row.id, TopUpState::Failed, reason).await?;
        report.ended_now += 1;
    }
    Ok(())
}

impl Reconciliation {
    fn problem(&mut self, sentence: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(sentence);
        }
    }
}

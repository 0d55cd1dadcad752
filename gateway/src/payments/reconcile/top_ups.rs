//! Payments that clients were asked for: each that was made is credited, whoever heard of it; each that comes to nothing
//! is written down as that, however old it is.

use std::collections::HashSet;

use super::{PAGE, PAGES_MAX, PaymentError, REST_MS, Reconciliation};
use crate::{
    app::App,
    db::{
        self,
        top_ups::{TopUpRow, TopUpState},
    },
    payments::{
        fulfil::{self, Fulfilled},
        stripe::Session,
    },
};

/// A page that nobody opened within a day is dead at the provider too.
const CREATING_MS_MAX: i64 = 24 * 3_600_000;
/// The provider's sessions that a run has seen.
struct Seen {
    sessions: HashSet<String>,
    /// Whether these are all, so that one that is missing is one that the provider does not know.
    all: bool,
}

impl Seen {
    fn has(&self, row: &TopUpRow) -> bool {
        row.session.as_ref().is_some_and(|session| self.sessions.contains(session))
    }
}

/// All that the provider reports since then, and all that is open.
pub(super) async fn compare(
    app: &App,
    since_ms: i64,
    now_ms: i64,
    report: &mut Reconciliation,
) -> Result<(), PaymentError> {
    let seen = reported(app, since_ms, report).await?;
    if seen.all {
        unreported(app, since_ms, now_ms, &seen, report).await?;
    }
    open(app, now_ms, &seen, report).await
}

/// Each session that the provider reports is credited if it was paid. Which there were comes back.
async fn reported(
    app: &App,
    since_ms: i64,
    report: &mut Reconciliation,
) -> Result<Seen, PaymentError> {
    let stripe = app.payments.stripe()?;
    let mut seen = Seen { sessions: HashSet::new(), all: false };
    let mut after: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let page = stripe.sessions_since(since_ms / 1_000, after.as_deref()).await?;
        for session in &page.data {
            seen.sessions.insert(session.id.clone());
            report.sessions += 1;
            if session.payment_status == "paid" {
                let cents = session.amount_total.unwrap_or(0);
                report.paid_cents = report.paid_cents.saturating_add(cents);
            }
            let settled = one(app, session).await;
            if let Some(came) = report.heard(&format!("session {}", session.id), settled)? {
                count(app, session, came, report).await?;
            }
        }
        after = page.data.last().map(|session| session.id.clone());
        if !page.has_more || after.is_none() {
            return Ok(Seen { all: true, ..seen });
        }
    }
    report.problem("there are more sessions than one run reads: shorten the window".into());
    Ok(seen)
}

async fn one(app: &App, session: &Session) -> Result<Fulfilled, PaymentError> {
    let known = db::top_ups::find_by_session(&app.db, &session.id).await?;
    let open = known.as_ref().is_some_and(|row| row.state == TopUpState::Open);
    let failed = open && fulfil::has_failed(app.payments.stripe()?, session).await?;
    fulfil::settle(app, known, session, failed).await
}

async fn count(
    app: &App,
    session: &Session,
    came: Fulfilled,
    report: &mut Reconciliation,
) -> Result<(), PaymentError> {
    let id = &session.id;
    match came {
        Fulfilled::Credited => report.credited_now += 1,
        Fulfilled::Ended(_) => report.ended_now += 1,
        Fulfilled::Differs(what) => {
            report.named(app, id, format!("session {id}: {what}")).await?;
        }
        Fulfilled::NotOurs if session.payment_status == "paid" => {
            report
                .named(app, id, format!("session {id} was paid and is no top-up of ours"))
                .await?;
        }
        Fulfilled::Before | Fulfilled::Waiting | Fulfilled::NotOurs => {}
    }
    Ok(())
}

/// What the books credited and the provider does not report.
async fn unreported(
    app: &App,
    since_ms: i64,
    now_ms: i64,
    seen: &Seen,
    report: &mut Reconciliation,
) -> Result<(), PaymentError> {
    let mut after = (since_ms - 1, String::new());
    for _ in 0..PAGES_MAX {
        let rows = db::top_ups::paid(&app.db, (after.0, &after.1), now_ms, PAGE).await?;
        for row in &rows {
            report.credited_cents = report.credited_cents.saturating_add(row.cents);
            // The provider's list begins at a whole second; its clock is not ours.
            let inside = (since_ms + REST_MS..now_ms - REST_MS).contains(&row.created_ms);
            if inside && !seen.has(row) {
                let id = &row.id;
                let said = format!("top-up {id} was credited, the provider knows no payment");
                report.named(app, id, said).await?;
            }
        }
        match rows.last() {
            Some(last) => after = (last.created_ms, last.id.clone()),
            None => return Ok(()),
        }
    }
    report.problem("more payments were credited than one run compares".into());
    Ok(())
}

/// What nobody has heard the end of, and what was reported does not tell: from before that time, or never made.
async fn open(
    app: &App,
    now_ms: i64,
    seen: &Seen,
    report: &mut Reconciliation,
) -> Result<(), PaymentError> {
    let mut after = (i64::MIN, String::new());
    for _ in 0..PAGES_MAX {
        let until_ms = now_ms - REST_MS;
        let rows = db::top_ups::waiting(&app.db, (after.0, &after.1), until_ms, PAGE).await?;
        for row in &rows {
            if seen.has(row) {
                continue;
            }
            let asked = ask(app, row, now_ms).await;
            match report.heard(&format!("top-up {}", row.id), asked)? {
                Some(Fulfilled::Credited) => report.credited_now += 1,
                Some(Fulfilled::Ended(_)) => report.ended_now += 1,
                Some(Fulfilled::Differs(what)) => {
                    let reference = row.session.as_deref().unwrap_or(&row.id);
                    report.named(app, reference, format!("session {reference}: {what}")).await?;
                }
                Some(Fulfilled::Before | Fulfilled::Waiting | Fulfilled::NotOurs) | None => {}
            }
        }
        match rows.last() {
            Some(last) => after = (last.created_ms, last.id.clone()),
            None => return Ok(()),
        }
    }
    report.problem("more top-ups are open than one run asks about".into());
    Ok(())
}

async fn ask(app: &App, row: &TopUpRow, now_ms: i64) -> Result<Fulfilled, PaymentError> {
    if let Some(session) = &row.session {
        return fulfil::fulfil(app, session, false).await;
    }
    // The gateway stopped before it could write the session's name down, or the provider did not answer.
    if row.created_ms > now_ms - CREATING_MS_MAX {
        return Ok(Fulfilled::Waiting);
    }
    let stripe = app.payments.stripe()?;
    if let Some(session) = stripe.session_of(&row.id, row.created_ms / 1_000).await? {
        return fulfil::settle(app, Some(row.clone()), &session, false).await;
    }
    let (state, reason) = (TopUpState::Failed, "the payment page was never made");
    db::top_ups::ended(&app.db, &row.id, state, reason).await?;
    Ok(Fulfilled::Ended(state))
}

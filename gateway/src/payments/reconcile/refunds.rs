//! Credit that goes back: what the provider reports of it, and what was never heard of again.

use std::collections::HashSet;

use super::{PAGE, PAGES_MAX, PaymentError, REST_MS, Reconciliation};
use crate::{
    app::App,
    db,
    payments::{
        refund::{self, Heard},
        stripe::StripeRefund,
    },
};

/// A refund that was sent may still come back for thirty days.
const LOOK_BACK_MS: i64 = 35 * 24 * 3_600_000;

/// All that the provider reports, and all that the books have as sent.
pub(super) async fn compare(
    app: &App,
    now_ms: i64,
    report: &mut Reconciliation,
) -> Result<(), PaymentError> {
    let since_ms = now_ms - LOOK_BACK_MS;
    let listed = reported(app, since_ms, report).await;
    let Some(seen) = report.heard("the list of refunds", listed)?.flatten() else { return Ok(()) };
    unreported(app, since_ms, now_ms, &seen, report).await
}

/// Each refund that the provider reports is written down as what it is. Which of ours they are comes back, unless
/// there are too many.
async fn reported(
    app: &App,
    since_ms: i64,
    report: &mut Reconciliation,
) -> Result<Option<HashSet<String>>, PaymentError> {
    let stripe = app.payments.stripe()?;
    let mut seen = HashSet::new();
    let mut after: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let page = stripe.refunds_since(since_ms / 1_000, after.as_deref()).await?;
        for refund in &page.data {
            one(app, refund, report).await?;
            seen.extend(refund.ours().map(str::to_owned));
        }
        after = page.data.last().map(|refund| refund.id.clone());
        if !page.has_more || after.is_none() {
            return Ok(Some(seen));
        }
    }
    report.problem("there are more refunds than one run reads".into());
    Ok(None)
}

async fn one(
    app: &App,
    refund: &StripeRefund,
    report: &mut Reconciliation,
) -> Result<(), PaymentError> {
    report.refunds += 1;
    if refund.status.as_deref() == Some("succeeded") {
        report.refunded_cents = report.refunded_cents.saturating_add(refund.amount);
    }
    let heard = refund::heard(app, refund).await;
    match report.heard(&format!("refund {}", refund.id), heard)? {
        Some(Heard::Ended) => report.refunds_ended += 1,
        Some(Heard::NotOurs) => {
            let said = format!("refund {} was not asked for by this gateway", refund.id);
            report.named(app, &refund.id, said).await?;
        }
        Some(Heard::Differs(what)) => {
            report.named(app, &refund.id, format!("refund {}: {what}", refund.id)).await?;
        }
        Some(Heard::Nothing) | None => {}
    }
    Ok(())
}

/// What the books have as sent and the provider does not report.
async fn unreported(
    app: &App,
    since_ms: i64,
    now_ms: i64,
    seen: &HashSet<String>,
    report: &mut Reconciliation,
) -> Result<(), PaymentError> {
    // The provider's clock is not ours.
    let mut after = (since_ms + REST_MS, String::new());
    for _ in 0..PAGES_MAX {
        let rows = db::refunds::sent(&app.db, (after.0, &after.1), now_ms, PAGE).await?;
        for row in &rows {
            report.sent_cents = report.sent_cents.saturating_add(row.cents);
            let before = row.ended_ms.is_some_and(|ended| ended < now_ms - REST_MS);
            if before && !seen.contains(&row.id) {
                let said = format!("refund {} was sent, the provider knows of none", row.id);
                report.named(app, &row.id, said).await?;
            }
        }
        match rows.last() {
            Some(last) => after = (last.created_ms, last.id.clone()),
            None => return Ok(()),
        }
    }
    report.problem("more refunds were sent than one run compares".into());
    Ok(())
}

/// Refunds that are held and were not heard of are asked for again, the oldest first.
pub(super) async fn ask_again(
    app: &App,
    now_ms: i64,
    report: &mut Reconciliation,
) -> Result<(), PaymentError> {
    let mut after = (i64::MIN, String::new());
    for _ in 0..PAGES_MAX {
        let until_ms = now_ms - REST_MS;
        let rows = db::refunds::waiting(&app.db, (after.0, &after.1), until_ms, PAGE).await?;
        for row in &rows {
            let sent = refund::send(app, row).await;
            if report.heard(&format!("refund {}", row.id), sent)?.is_some() {
                report.refunds_asked += 1;
            }
        }
        match rows.last() {
            Some(last) => after = (last.created_ms, last.id.clone()),
            None => return Ok(()),
        }
    }
    report.problem("more refunds are held than one run asks for".into());
    Ok(())
}

//! Audits the books by itself, and stops money from leaving when anything differs.

use std::time::Duration;

use crate::{
    app::App,
    audit::{AuditReport, audit},
    db::{Db, DbError, ledger_state},
};

/// Audits every `admin.self_audit_minutes`, until the shutdown.
pub async fn run(app: App) {
    let minutes = u64::from(app.config.admin.self_audit_minutes);
    if minutes == 0 {
        return;
    }
    let mut each = tokio::time::interval(Duration::from_secs(60 * minutes));
    each.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = each.tick() => {}
            () = app.shutdown.cancelled() => return,
        }
        let audited = tokio::select! {
            audited = once(&app.db) => audited,
            () = app.shutdown.cancelled() => return,
        };
        if let Err(error) = audited {
            tracing::warn!(%error, "the books could not be audited");
        }
    }
}

/// Audits once; a fault stops withdrawals until a person has looked.
pub async fn once(db: &Db) -> Result<AuditReport, DbError> {
    let report = audit(db).await?;
    metrics::gauge!("assay_books_clean").set(if report.is_clean() { 1.0 } else { 0.0 });
    if let Some(fault) = &report.fault {
        tracing::error!(
            check = fault.check,
            message = fault.message,
            "the books are wrong: withdrawals stop"
        );
        ledger_state::stop_withdrawals(db, &format!("{}: {}", fault.check, fault.message)).await?;
    }
    Ok(report)
}

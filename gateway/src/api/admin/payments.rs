//! Do the books and the payment provider say the same.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{Admin, ApiError},
    app::App,
    db,
    openai::ErrorBody,
    payments::reconcile::{self, Reconciliation},
};

/// What a comparison with the payment provider found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PaymentReport {
    /// Payments that the provider reported.
    pub sessions: u64,
    /// Paid ones among them, in US cents.
    pub paid_cents: i64,
    /// What the books credited for the same time, in US cents.
    pub credited_cents: i64,
    /// Paid, and credited only now.
    pub credited_now: u64,
    /// Came to nothing, and written down as that only now.
    pub ended_now: u64,
    /// Open refunds that were asked for again.
    pub refunds_asked: u64,
    /// Refunds that the provider reported, of more than a month.
    pub refunds: u64,
    /// Those that it has sent, in US cents.
    pub refunded_cents: i64,
    /// What the books have as sent of the same time, in US cents.
    pub sent_cents: i64,
    /// Refunds whose end was not known, or that came back, and that are written down only now.
    pub refunds_ended: u64,
    /// Sentences about what somebody must look at.
    pub problems: Vec<String>,
}

/// Compare with the payment provider
///
/// Credits what was paid and not told, and asks for open refunds again; what goes wrong with one payment is in the
/// report and keeps no other from being looked at. Runs by itself, too.
#[utoipa::path(
    operation_id = "admin_payments_reconcile",
    post, path = "/admin/v1/payments/reconcile", tag = "admin", security(("admin_session" = [])),
    responses(
        (status = 200, body = PaymentReport), (status = 401, body = ErrorBody),
        (status = 501, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn reconcile(
    State(app): State<App>,
    admin: Admin,
) -> Result<Json<PaymentReport>, ApiError> {
    db::admin_log::append(&app.db, &admin.actor(), "payments.reconcile", "provider", "").await?;
    let report = reconcile::reconcile(&app).await?;
    Ok(Json(report.into()))
}

impl From<Reconciliation> for PaymentReport {
    fn from(report: Reconciliation) -> Self {
        let Reconciliation { sessions, paid_cents, credited_cents, credited_now, .. } = report;
        let Reconciliation { refunds, refunded_cents, sent_cents, refunds_ended, .. } = report;
        let Reconciliation { ended_now, refunds_asked, problems, .. } = report;
        Self {
            sessions,
            paid_cents,
            credited_cents,
            credited_now,
            ended_now,
            refunds_asked,
            refunds,
            refunded_cents,
            sent_cents,
            refunds_ended,
            problems,
        }
    }
}

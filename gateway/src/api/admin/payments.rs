//! Do the books and the payment provider say the same.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::note;
use crate::{
    api::{Admin, ApiError},
    app::App,
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
    /// Sentences about what somebody must look at.
    pub problems: Vec<String>,
}

/// Compare with the payment provider
///
/// Credits what was paid and not told, and asks for open refunds again. Runs by itself, too.
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
    let report = reconcile::reconcile(&app).await?;
    let detail = format!("{} credited, {} problems", report.credited_now, report.problems.len());
    note(&app, &admin, "payments.reconcile", "provider", detail).await?;
    Ok(Json(report.into()))
}

impl From<Reconciliation> for PaymentReport {
    fn from(report: Reconciliation) -> Self {
        let Reconciliation { sessions, paid_cents, credited_cents, credited_now, .. } = report;
        let Reconciliation { ended_now, refunds_asked, problems, .. } = report;
        Self {
            sessions,
            paid_cents,
            credited_cents,
            credited_now,
            ended_now,
            refunds_asked,
            problems,
        }
    }
}

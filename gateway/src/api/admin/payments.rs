//! Do the books and the payment provider say the same.

use axum::{Json, extract::State};

use crate::{
    api::{Admin, ApiError},
    app::App,
    db,
    openai::ErrorBody,
    payments::reconcile::{self, Reconciliation},
};

/// Compare with the payment provider
///
/// Credits what was paid and not told, and asks for open refunds again; what goes wrong with one payment is in the
/// report and keeps no other from being looked at. Runs by itself, too.
#[utoipa::path(
    operation_id = "admin_payments_reconcile",
    post, path = "/admin/v1/payments/reconcile", tag = "admin", security(("admin_session" = [])),
    responses(
        (status = 200, body = Reconciliation), (status = 401, body = ErrorBody),
        (status = 501, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn reconcile(
    State(app): State<App>,
    admin: Admin,
) -> Result<Json<Reconciliation>, ApiError> {
    db::admin_log::append(&app.db, &admin.actor(), "payments.reconcile", "provider", "").await?;
    Ok(Json(reconcile::reconcile(&app).await?))
}

//! Do the books and the payment provider say the same, and what somebody found out where they do not.

use assay_ledger::AccountId;
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::text;
use crate::{
    api::{Admin, ApiError, JsonBody, error::sentence},
    app::App,
    clock,
    db::{
        self, DbError,
        settled_payments::{self, SettleError, SettledPayment},
    },
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
        (status = 501, body = ErrorBody), (status = 502, body = ErrorBody), (status = 503, body = ErrorBody),
    ),
)]
pub async fn reconcile(
    State(app): State<App>,
    admin: Admin,
) -> Result<Json<Reconciliation>, ApiError> {
    db::admin_log::append(&app.db, &admin.actor(), "payments.reconcile", "provider", "").await?;
    Ok(Json(reconcile::reconcile(&app).await?))
}

/// What you found out about something that a comparison named.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Settlement {
    /// As the report names it: `cs_…`, `re_…`, or a top-up's or refund's id. Each is settled once.
    pub reference: String,
    /// A client's account; needed where money moves.
    #[serde(default)]
    pub account_id: Option<i64>,
    /// US cents that came in for the account past the gateway, or, negative, that went back to it; 0 where no money is to
    /// move.
    pub amount_cents: i64,
    /// What you found out; at most 200 bytes.
    pub note: String,
}

/// Settle what a comparison named
///
/// It is named no more. Money that moves is a `correct` in the ledger: it came from outside, unlike a grant.
#[utoipa::path(
    operation_id = "admin_payments_settle",
    post, path = "/admin/v1/payments/settlements", tag = "admin", security(("admin_session" = [])),
    request_body = Settlement,
    responses(
        (status = 201, body = Settlement), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody, description = "There is no such account."),
        (status = 409, body = ErrorBody, description = "It was settled otherwise, or credited as a payment; or the account has less."),
    ),
)]
pub async fn settle(
    State(app): State<App>,
    admin: Admin,
    JsonBody(request): JsonBody<Settlement>,
) -> Result<(StatusCode, Json<Settlement>), ApiError> {
    if request.account_id.is_none() && request.amount_cents != 0 {
        return Err(ApiError::bad_field("account_id", "Where money moves, somebody has it."));
    }
    let new = SettledPayment {
        reference: text("reference", request.reference.clone())?,
        account: request.account_id.map(AccountId),
        cents: request.amount_cents,
        note: text("note", request.note.clone())?,
        at_ms: clock::now_ms(),
    };
    settled_payments::settle(&app.db, &new, &admin.actor()).await?;
    Ok((StatusCode::CREATED, Json(request)))
}

impl From<SettleError> for ApiError {
    fn from(error: SettleError) -> Self {
        match error {
            SettleError::Store(DbError::Wrong(why)) => {
                Self::bad_field("amount_cents", sentence(&why))
            }
            SettleError::Store(error) => error.into(),
            refused => Self::conflict(sentence(&refused.to_string())),
        }
    }
}

//! Taking earnings out.

use assay_ledger::Nano;
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Operator;
use crate::{
    api::{
        ApiError, IdempotencyKey, JsonBody,
        admin::{IdOf, Listing, PageQuery, Params},
    },
    app::App,
    clock,
    db::{
        self, By, OperatorId,
        withdrawals::{Step, WithdrawError, WithdrawalRow, WithdrawalState},
    },
    openai::ErrorBody,
    payments::{payouts, rails::SMALLEST},
    reasons::Reason,
};

/// Earnings to take out.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct WithdrawalRequest {
    /// In 1e-9 credit; whole millionths of a credit, because USDC has six decimals.
    #[schema(minimum = 1000)]
    amount_nano: i64,
}

/// A withdrawal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Withdrawal {
    pub id: String,
    pub operator_id: i64,
    pub amount_nano: i64,
    /// Where it goes.
    pub address: String,
    /// How it is paid: `manual` or `demo`.
    pub rail: String,
    /// `awaiting_approval`, `approved`, `exported`, `sent`, `failed`, `rejected` or `cancelled`.
    pub state: &'static str,
    /// Why it failed or was rejected.
    pub reason: String,
    /// What proves that it was sent: a transaction.
    #[schema(required)]
    pub reference: Option<String>,
    pub created_ms: i64,
    pub changed_ms: i64,
    #[schema(required)]
    pub ended_ms: Option<i64>,
}

/// Take earnings out
///
/// Sets them aside at once. Above a limit an admin has to agree.
#[utoipa::path(
    operation_id = "operator_withdrawals_create",
    post, path = "/operator/v1/withdrawals", tag = "operators", security(("operator_session" = [])),
    params(("Idempotency-Key" = Option<String>, Header, description = "At most 255 bytes of ASCII; the same key is one withdrawal.")),
    request_body = WithdrawalRequest,
    responses(
        (status = 201, body = Withdrawal),
        (status = 400, body = ErrorBody, description = "More than can be taken out, or no address."),
        (status = 401, body = ErrorBody), (status = 409, body = ErrorBody),
        (status = 503, body = ErrorBody, description = "Withdrawals are stopped."),
    ),
)]
pub async fn create(
    State(app): State<App>,
    operator: Operator,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<WithdrawalRequest>,
) -> Result<(StatusCode, Json<Withdrawal>), ApiError> {
    let amount = request.amount_nano;
    let min = app.config.payouts.withdrawal_nano_min.max(SMALLEST.0);
    if amount < min || amount % SMALLEST.0 != 0 {
        let message =
            format!("A withdrawal is at least {} credits, with six decimals at most.", Nano(min));
        return Err(ApiError::bad_field("amount_nano", message));
    }
    let row = payouts::withdraw(&app, operator.id, Nano(amount), key.or_fresh()).await?;
    tracing::info!(
        operator = operator.id.0,
        amount_nano = amount,
        state = row.state.as_str(),
        "withdrawal"
    );
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// Your withdrawals, the last first
#[utoipa::path(
    operation_id = "operator_withdrawals_list",
    get, path = "/operator/v1/withdrawals", tag = "operators", security(("operator_session" = [])),
    params(PageQuery),
    responses((status = 200, body = Listing<Withdrawal>), (status = 401, body = ErrorBody)),
)]
pub async fn list(
    State(app): State<App>,
    operator: Operator,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Withdrawal>>, ApiError> {
    let paged = db::withdrawals::list(&app.db, Some(operator.id), None, &query.page()).await?;
    Ok(Json(Listing::of(paged, Withdrawal::from)))
}

/// Call a withdrawal off
///
/// As long as nobody was told to pay it.
#[utoipa::path(
    operation_id = "operator_withdrawals_cancel",
    post, path = "/operator/v1/withdrawals/{id}/cancel", tag = "operators",
    security(("operator_session" = [])),
    params(("id" = String, Path)),
    responses(
        (status = 200, body = Withdrawal), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody, description = "It is too late."),
    ),
)]
pub async fn cancel(
    State(app): State<App>,
    operator: Operator,
    IdOf(id): IdOf<Uuid>,
) -> Result<Json<Withdrawal>, ApiError> {
    own(&app, operator.id, id).await?;
    let step = Step::to(WithdrawalState::Cancelled, By::Own, clock::now_ms());
    let step = Step { reason: "called off by the operator", ..step };
    let advanced = db::withdrawals::advance(&app.db, &id.to_string(), step).await;
    Ok(Json(advanced.map_err(told)?.row.into()))
}

async fn own(app: &App, operator: OperatorId, id: Uuid) -> Result<WithdrawalRow, ApiError> {
    let row = db::withdrawals::find(&app.db, &id.to_string()).await?;
    let own = row.filter(|row| row.operator == operator);
    own.ok_or_else(|| ApiError::not_found("withdrawal"))
}

/// What a state machine refuses is the caller's to know.
pub(in crate::api) fn told(error: db::DbError) -> ApiError {
    match error {
        db::DbError::Conflict(why) => ApiError::conflict(crate::api::error::sentence(&why)),
        db::DbError::NotFound(_) => ApiError::not_found("withdrawal"),
        error => error.into(),
    }
}

impl From<WithdrawalRow> for Withdrawal {
    fn from(row: WithdrawalRow) -> Self {
        Self {
            id: row.id,
            operator_id: row.operator.0,
            amount_nano: row.amount.0,
            address: row.address,
            rail: row.rail,
            state: row.state.as_str(),
            reason: row.reason,
            reference: row.reference,
            created_ms: row.created_ms,
            changed_ms: row.changed_ms,
            ended_ms: row.ended_ms,
        }
    }
}

impl From<WithdrawError> for ApiError {
    fn from(error: WithdrawError) -> Self {
        let message = crate::api::error::sentence(&error.to_string());
        match error {
            WithdrawError::Store(error) => error.into(),
            WithdrawError::Stopped => Self::unavailable(Reason::WithdrawalsStopped, 60, message),
            WithdrawError::OtherContent => Self::conflict(message),
            WithdrawError::AddressCooling { usable_ms } => {
                let message = format!("{message} It counts from {usable_ms} (Unix milliseconds).");
                Self::bad_request(message).coded(Reason::AddressCooling)
            }
            WithdrawError::NoAddress => Self::bad_request(message).coded(Reason::NoPayoutAddress),
            WithdrawError::TooMuch { .. } => {
                Self::bad_field("amount_nano", message).coded(Reason::TooMuch)
            }
            WithdrawError::DayCap { .. } | WithdrawError::TotalCap => {
                Self::bad_field("amount_nano", message).coded(Reason::DayLimit)
            }
        }
    }
}

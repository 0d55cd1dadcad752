//! Operators' withdrawals: agreeing, exporting what is to be paid by hand, and saying what became of it.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, header},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{IdOf, Listing, PageQuery, Params, note, text};
use crate::{
    api::{
        Admin, ApiError, JsonBody,
        operator::withdrawals::{Withdrawal, told},
    },
    app::App,
    clock,
    db::{
        self,
        withdrawals::{WithdrawalRow, WithdrawalState},
    },
    openai::ErrorBody,
    payments::payouts,
    reasons::Reason,
};

/// Rows of one export.
const EXPORT_ROWS_MAX: i64 = 1_000;

/// Which withdrawals to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WithdrawalQuery {
    /// Only `awaiting_approval`, `approved`, `exported`, `sent`, `failed`, `rejected` or `cancelled` ones.
    state: Option<String>,
}

/// Why it will not be paid.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct RefusalRequest {
    /// A sentence that its operator will read; at most 200 bytes.
    reason: String,
}

/// What proves that it was paid.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct SentRequest {
    /// A transaction's id; at most 200 bytes.
    reference: String,
}

/// List withdrawals, the last first
#[utoipa::path(
    operation_id = "admin_withdrawals_list",
    get, path = "/admin/v1/withdrawals", tag = "admin", security(("admin_session" = [])),
    params(WithdrawalQuery, PageQuery),
    responses((status = 200, body = Listing<Withdrawal>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)),
)]
pub async fn list(
    State(app): State<App>,
    _: Admin,
    Params(wanted): Params<WithdrawalQuery>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Withdrawal>>, ApiError> {
    let state = wanted.state.as_deref().map(|word| {
        WithdrawalState::parse(word)
            .ok_or_else(|| ApiError::bad_field("state", "There is no such state."))
    });
    let paged = db::withdrawals::list(&app.db, None, state.transpose()?, &query.page()).await?;
    Ok(Json(Listing::of(paged, Withdrawal::from)))
}

/// Agree to a withdrawal
#[utoipa::path(
    operation_id = "admin_withdrawals_approve",
    post, path = "/admin/v1/withdrawals/{id}/approve", tag = "admin", security(("admin_session" = [])),
    params(("id" = String, Path)),
    responses(
        (status = 200, body = Withdrawal), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    ),
)]
pub async fn approve(
    State(app): State<App>,
    admin: Admin,
    IdOf(id): IdOf<Uuid>,
) -> Result<Json<Withdrawal>, ApiError> {
    let row = advance(&app, id, WithdrawalState::Approved, "", None).await?;
    note(&app, &admin, "withdrawal.approve", id, format!("{} nano", row.amount.0)).await?;
    Ok(Json(payouts::hand_over(&app, row).await?.into()))
}

/// Refuse a withdrawal
///
/// The operator has its earnings back.
#[utoipa::path(
    operation_id = "admin_withdrawals_reject",
    post, path = "/admin/v1/withdrawals/{id}/reject", tag = "admin", security(("admin_session" = [])),
    params(("id" = String, Path)), request_body = RefusalRequest,
    responses(
        (status = 200, body = Withdrawal), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    ),
)]
pub async fn reject(
    State(app): State<App>,
    admin: Admin,
    IdOf(id): IdOf<Uuid>,
    JsonBody(request): JsonBody<RefusalRequest>,
) -> Result<Json<Withdrawal>, ApiError> {
    let reason = text("reason", request.reason)?;
    let row = advance(&app, id, WithdrawalState::Rejected, &reason, None).await?;
    note(&app, &admin, "withdrawal.reject", id, reason).await?;
    Ok(Json(row.into()))
}

/// Export what is to be paid
///
/// CSV with every approved withdrawal, which counts as exported from now on and can no longer be called
/// off. Those that were exported before and are neither sent nor failed are in it again: pay each id once.
#[utoipa::path(
    operation_id = "admin_withdrawals_export",
    post, path = "/admin/v1/withdrawals/export", tag = "admin", security(("admin_session" = [])),
    responses(
        (status = 200, description = "id, operator, address, amount in USDC, made at (Unix ms)", body = String, content_type = "text/csv"),
        (status = 401, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "Withdrawals are stopped."),
    ),
)]
pub async fn export(
    State(app): State<App>,
    admin: Admin,
) -> Result<([(HeaderName, &'static str); 2], String), ApiError> {
    if let Some(why) = db::ledger_state::withdrawals_stopped(&app.db).await? {
        let message = format!("The books are wrong, so no money leaves: {why}.");
        return Err(ApiError::conflict(message).coded(Reason::WithdrawalsStopped));
    }
    let rail = app.config.payouts.rail.rail().name();
    let approved =
        db::withdrawals::of_state(&app.db, WithdrawalState::Approved, rail, EXPORT_ROWS_MAX)
            .await?;
    let mut ids = Vec::with_capacity(approved.len());
    for row in approved {
        let id = row.id.parse().map_err(|_| ApiError::not_found("withdrawal"))?;
        // Its operator may have called it off this very moment: then it is not in the file.
        match advance(&app, id, WithdrawalState::Exported, "", None).await {
            Ok(_) => ids.push(row.id),
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
    }
    let detail = format!("{} more: {}", ids.len(), ids.join(" "));
    note(&app, &admin, "withdrawal.export", rail, detail).await?;
    let exported =
        db::withdrawals::of_state(&app.db, WithdrawalState::Exported, rail, EXPORT_ROWS_MAX)
            .await?;
    let mut csv = "id,operator,address,amount_usdc,created_ms\n".to_owned();
    exported.iter().for_each(|row| csv.push_str(&line(row)));
    let file = "attachment; filename=\"withdrawals.csv\"";
    Ok(([(header::CONTENT_TYPE, "text/csv"), (header::CONTENT_DISPOSITION, file)], csv))
}

/// Say that a withdrawal was paid
#[utoipa::path(
    operation_id = "admin_withdrawals_sent",
    post, path = "/admin/v1/withdrawals/{id}/sent", tag = "admin", security(("admin_session" = [])),
    params(("id" = String, Path)), request_body = SentRequest,
    responses(
        (status = 200, body = Withdrawal), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    ),
)]
pub async fn sent(
    State(app): State<App>,
    admin: Admin,
    IdOf(id): IdOf<Uuid>,
    JsonBody(request): JsonBody<SentRequest>,
) -> Result<Json<Withdrawal>, ApiError> {
    let reference = text("reference", request.reference)?;
    let row = advance(&app, id, WithdrawalState::Sent, "", Some(&reference)).await?;
    note(&app, &admin, "withdrawal.sent", id, reference).await?;
    Ok(Json(row.into()))
}

/// Say that a withdrawal could not be paid
///
/// The operator has its earnings back.
#[utoipa::path(
    operation_id = "admin_withdrawals_failed",
    post, path = "/admin/v1/withdrawals/{id}/failed", tag = "admin", security(("admin_session" = [])),
    params(("id" = String, Path)), request_body = RefusalRequest,
    responses(
        (status = 200, body = Withdrawal), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody), (status = 409, body = ErrorBody),
    ),
)]
pub async fn failed(
    State(app): State<App>,
    admin: Admin,
    IdOf(id): IdOf<Uuid>,
    JsonBody(request): JsonBody<RefusalRequest>,
) -> Result<Json<Withdrawal>, ApiError> {
    let reason = text("reason", request.reason)?;
    let row = advance(&app, id, WithdrawalState::Failed, &reason, None).await?;
    note(&app, &admin, "withdrawal.failed", id, reason).await?;
    Ok(Json(row.into()))
}

async fn advance(
    app: &App,
    id: Uuid,
    to: WithdrawalState,
    reason: &str,
    reference: Option<&str>,
) -> Result<WithdrawalRow, ApiError> {
    let id = id.to_string();
    db::withdrawals::advance(&app.db, &id, to, reason, reference, clock::now_ms())
        .await
        .map_err(told)
}

/// Addresses are hex and ids are UUIDs: nothing in it needs quoting, and no cell is a formula.
fn line(row: &WithdrawalRow) -> String {
    let (whole, micro) = (row.amount.0 / 1_000_000_000, row.amount.0 % 1_000_000_000 / 1_000);
    let WithdrawalRow { id, operator, address, created_ms, .. } = row;
    format!("{id},{},{address},{whole}.{micro:06},{created_ms}\n", operator.0)
}

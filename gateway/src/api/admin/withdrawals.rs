//! Operators' withdrawals: agreeing, exporting what is to be paid by hand, and saying what became of it.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, header},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{IdOf, Listing, PageQuery, Params, text};
use crate::{
    api::{
        Admin, ApiError, JsonBody,
        operator::withdrawals::{Withdrawal, told},
    },
    app::App,
    db::{
        self, By, DbError,
        withdrawals::{Step, WithdrawalRow, WithdrawalState},
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
    let row = advance(&app, &admin, id, WithdrawalState::Approved, Said::Nothing).await?;
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
    let row = advance(&app, &admin, id, WithdrawalState::Rejected, Said::Why(&reason)).await?;
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
    let rail = app.config.payouts.rail.rail();
    if rail.sender().is_some() {
        let message =
            "This gateway's rail sends withdrawals by itself: there is nothing to export.";
        return Err(ApiError::conflict(message));
    }
    let (db, actor) = (&app.db, admin.actor());
    let list = async |state, limit| db::withdrawals::of_state(db, state, rail.name(), limit).await;
    let mut exported = list(WithdrawalState::Exported, EXPORT_ROWS_MAX).await?;
    let again = exported.len();
    let room = EXPORT_ROWS_MAX - i64::try_from(again).unwrap_or(EXPORT_ROWS_MAX);
    for row in list(WithdrawalState::Approved, room).await? {
        let step = Step::to(WithdrawalState::Exported, By::Admin(&actor), actor.at_ms);
        // Its operator may have called it off this very moment: then it is not in the file.
        match db::withdrawals::advance(db, &row.id, step).await {
            Ok(advanced) => exported.push(advanced.row),
            Err(DbError::Conflict(_)) => {}
            Err(error) => return Err(told(error)),
        }
    }
    if exported.len() == again {
        let detail = format!("nothing more, {again} again");
        db::admin_log::append(db, &actor, "withdrawal.export", rail.name(), &detail).await?;
    }
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
    let row = advance(&app, &admin, id, WithdrawalState::Sent, Said::Proof(&reference)).await?;
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
    let row = advance(&app, &admin, id, WithdrawalState::Failed, Said::Why(&reason)).await?;
    Ok(Json(row.into()))
}

/// What an admin has to say about a step.
enum Said<'a> {
    Nothing,
    Why(&'a str),
    Proof(&'a str),
}

async fn advance(
    app: &App,
    admin: &Admin,
    id: Uuid,
    to: WithdrawalState,
    said: Said<'_>,
) -> Result<WithdrawalRow, ApiError> {
    let actor = admin.actor();
    let step = Step::to(to, By::Admin(&actor), actor.at_ms);
    let step = match said {
        Said::Nothing => step,
        Said::Why(reason) => Step { reason, ..step },
        Said::Proof(reference) => Step { reference: Some(reference), ..step },
    };
    let advanced = db::withdrawals::advance(&app.db, &id.to_string(), step).await;
    Ok(advanced.map_err(told)?.row)
}

/// Addresses are hex and ids are UUIDs: nothing in it needs quoting, and no cell is a formula.
fn line(row: &WithdrawalRow) -> String {
    let (whole, micro) = (row.amount.0 / 1_000_000_000, row.amount.0 % 1_000_000_000 / 1_000);
    let WithdrawalRow { id, operator, address, created_ms, .. } = row;
    format!("{id},{},{address},{whole}.{micro:06},{created_ms}\n", operator.0)
}

//! Who an operator is, and where its money goes.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Operator;
use crate::{
    api::{ApiError, JsonBody},
    app::App,
    clock,
    db::{self, operators::OperatorRow},
    openai::ErrorBody,
    scheduler::Payouts,
};

/// An operator, to itself.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Profile {
    pub id: i64,
    pub name: String,
    /// What this gateway calls itself.
    pub gateway: String,
    /// How withdrawals are paid: `manual` (by a person) or `demo` (not at all).
    pub rail: &'static str,
    /// Where withdrawals go now; null until one is set.
    #[schema(required)]
    pub payout_address: Option<String>,
    /// The next one while it cools off; no withdrawal is taken until then.
    #[schema(required)]
    pub next_payout_address: Option<NextAddress>,
    pub created_ms: i64,
}

/// An address that does not count yet.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NextAddress {
    pub address: String,
    pub usable_ms: i64,
}

/// Where withdrawals should go.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct AddressRequest {
    /// An account for USDC: 0x and 40 hex digits.
    address: String,
}

/// Who you are
#[utoipa::path(
    operation_id = "operator_me",
    get, path = "/operator/v1/me", tag = "operators", security(("operator_session" = [])),
    responses((status = 200, body = Profile), (status = 401, body = ErrorBody)),
)]
pub async fn me(State(app): State<App>, operator: Operator) -> Result<Json<Profile>, ApiError> {
    view(&app, &operator).await
}

/// Set your payout address
///
/// The first counts at once. A changed one cools off first, so that whoever steals a log-in cannot empty it
/// unseen; until then no withdrawal is taken, and those under way go where they were to go.
#[utoipa::path(
    operation_id = "operator_payout_address",
    put, path = "/operator/v1/payout-address", tag = "operators", security(("operator_session" = [])),
    request_body = AddressRequest,
    responses((status = 200, body = Profile), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "Changed too often within a day (`address_changes`)."), (status = 429, body = ErrorBody)),
)]
pub async fn set_address(
    State(app): State<App>,
    operator: Operator,
    JsonBody(request): JsonBody<AddressRequest>,
) -> Result<Json<Profile>, ApiError> {
    let settings = &app.config.payouts;
    if let Some(why) = settings.rail.rail().refuses(&request.address) {
        return Err(ApiError::bad_field("address", why));
    }
    let cooling_ms = i64::from(settings.address_cooling_minutes) * 60_000;
    let address = request.address.to_ascii_lowercase();
    let now_ms = clock::now_ms();
    db::payout_addresses::set(&app.db, operator.id, &address, cooling_ms, now_ms).await?;
    let known = db::payout_addresses::of_operator(&app.db, operator.id).await?;
    app.nodes.set_payouts(row_of(&app, &operator).await?.account, &Payouts::of(&known));
    tracing::info!(operator = operator.id.0, "a payout address was set");
    view(&app, &operator).await
}

async fn row_of(app: &App, operator: &Operator) -> Result<OperatorRow, ApiError> {
    let row = db::operators::find(&app.db, operator.id).await?;
    row.ok_or_else(|| ApiError::not_found("operator"))
}

async fn view(app: &App, operator: &Operator) -> Result<Json<Profile>, ApiError> {
    let row = row_of(app, operator).await?;
    let now_ms = clock::now_ms();
    let addresses = db::payout_addresses::of_operator(&app.db, operator.id).await?;
    let (next, usable): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.usable_ms > now_ms);
    Ok(Json(Profile {
        id: row.id.0,
        name: row.name,
        gateway: app.config.gateway.public_name.clone(),
        rail: app.config.payouts.rail.rail().name(),
        payout_address: usable.into_iter().next().map(|address| address.address),
        next_payout_address: next
            .into_iter()
            .next()
            .map(|next| NextAddress { address: next.address, usable_ms: next.usable_ms }),
        created_ms: row.created_ms,
    }))
}

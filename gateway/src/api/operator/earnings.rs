//! What an operator's nodes have earned, and what of it can leave.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use super::Operator;
use crate::{api::ApiError, app::App, db, nodes::presence, openai::ErrorBody, payments::payouts};

/// An operator's earnings.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct EarningsView {
    /// Jobs that your nodes are working on; what they bring is not known before the verdict.
    pub pending_jobs: u32,
    /// Earned and too young to be taken out.
    pub maturing_nano: i64,
    /// Can be taken out now.
    pub available_nano: i64,
    /// Earned in granted credit, which pays for jobs but cannot be taken out.
    pub promotional_nano: i64,
    /// Set aside for withdrawals that are under way.
    pub held_nano: i64,
    /// Taken out, or on its way.
    pub withdrawn_nano: i64,
    /// All that was ever earned.
    pub earned_nano: i64,
    /// Lost because a node of yours was proven to cheat.
    pub forfeited_nano: i64,
    /// How long earnings mature …
    pub pay_matures_ms: u64,
    /// … and how many later jobs of the same node must have been checked and passed.
    pub pay_matures_jobs: u32,
    /// The smallest withdrawal.
    pub withdrawal_min_nano: i64,
}

/// Your earnings
#[utoipa::path(
    operation_id = "operator_earnings",
    get, path = "/operator/v1/earnings", tag = "operators", security(("operator_session" = [])),
    responses((status = 200, body = EarningsView), (status = 401, body = ErrorBody)),
)]
pub async fn earnings(
    State(app): State<App>,
    operator: Operator,
) -> Result<Json<EarningsView>, ApiError> {
    let funds = payouts::funds(&app, operator.id).await?;
    let row = db::operators::find(&app.db, operator.id).await?;
    let row = row.ok_or_else(|| ApiError::not_found("operator"))?;
    let pending = presence::jobs_of(&app, operator.id).await?;
    let economy = app.config.economy;
    Ok(Json(EarningsView {
        pending_jobs: u32::try_from(pending.len()).unwrap_or(u32::MAX),
        maturing_nano: funds.maturing.0,
        available_nano: funds.available.0,
        promotional_nano: funds.promotional.0,
        held_nano: row.held.0,
        withdrawn_nano: funds.taken.0,
        earned_nano: funds.earned.0,
        forfeited_nano: funds.forfeited.0,
        pay_matures_ms: economy.pay_matures_ms,
        pay_matures_jobs: economy.pay_matures_jobs,
        withdrawal_min_nano: app.config.payouts.withdrawal_nano_min,
    }))
}

//! How verification is doing: what a person should look at.

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{Admin, ApiError},
    app::App,
    clock,
    openai::ErrorBody,
};

/// Alarms, and what waits.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Verification {
    /// Classes in which independent owners fail together: nobody of them is put out, every answer is
    /// checked. Calibrate the model again.
    pub brakes: Vec<EngagedBrake>,
    /// How often scorers contradicted each other since the gateway started: one of them is broken, or of
    /// another class.
    pub scorer_disputes: u64,
}

/// A common-mode brake that is engaged.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EngagedBrake {
    pub model: String,
    pub class: String,
    pub since_ms: i64,
}

/// See what needs a look
#[utoipa::path(
    operation_id = "admin_verification",
    get, path = "/admin/v1/verification", tag = "admin", security(("admin_session" = [])),
    responses((status = 200, body = Verification), (status = 401, body = ErrorBody)),
)]
pub async fn look(State(app): State<App>, _: Admin) -> Result<Json<Verification>, ApiError> {
    let brakes = app.brakes.engaged(clock::now_ms()).into_iter().map(|engaged| EngagedBrake {
        model: engaged.class.model,
        class: engaged.class.class,
        since_ms: engaged.since_ms,
    });
    Ok(Json(Verification { brakes: brakes.collect(), scorer_disputes: app.disputes.count() }))
}

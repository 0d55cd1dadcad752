//! For those who run the gateway: is it alive, can it serve, how is it doing.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::{app::App, db, telemetry};

/// A probe must not wait longer than whoever probes.
const STORE_WAIT: Duration = Duration::from_secs(2);

/// The process is there.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    pub status: &'static str,
    /// What people call this gateway.
    pub name: String,
    /// The name that nodes sign; follows from the gateway's signing key.
    pub gateway_id: String,
    pub version: &'static str,
}

/// Whether requests can be served.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Readiness {
    pub ready: bool,
    /// The database answers.
    pub store: bool,
    /// Models that are loaded; at least one is needed.
    pub models: usize,
    /// Nodes that are connected now; none are needed to be ready.
    pub nodes: usize,
}

/// Is the process alive?
#[utoipa::path(
    operation_id = "health_alive",
    get, path = "/healthz", tag = "operations", responses((status = 200, body = Health)),
)]
pub async fn alive(State(app): State<App>) -> Json<Health> {
    Json(Health {
        status: "ok",
        name: app.config.gateway.public_name.clone(),
        gateway_id: app.keys.gateway_id().to_owned(),
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Can it serve?
#[utoipa::path(
    operation_id = "health_ready",
    get, path = "/readyz", tag = "operations",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)),
)]
pub async fn ready(State(app): State<App>) -> impl IntoResponse {
    let read = db::settings::get(&app.db, "readiness");
    let store = matches!(timeout(STORE_WAIT, read).await, Ok(Ok(_)));
    let models = app.catalog.len();
    let ready = store && models > 0 && !app.shutdown.is_cancelled();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, store, models, nodes: app.nodes.snapshot().len() }))
}

/// Figures for Prometheus
#[utoipa::path(
    operation_id = "health_metrics",
    get, path = "/metrics", tag = "operations",
    responses((status = 200, body = String, content_type = "text/plain")),
)]
pub async fn metrics() -> impl IntoResponse {
    ([("content-type", "text/plain; version=0.0.4")], telemetry::render_metrics())
}

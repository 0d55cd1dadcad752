//! `GET /v1/verification/epochs`: what audits are drawn with, for everybody to check.

use assay_protocol::Bytes32;
use axum::{
    Json,
    extract::{Query, State},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiError;
use crate::{
    app::App,
    clock,
    db::{self, epochs::Epoch},
    openai::ErrorBody,
};

/// Epochs on one page.
const EPOCHS_MAX: i64 = 100;

/// Which epochs.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EpochsQuery {
    /// Only epochs before this number.
    before: Option<i64>,
}

/// A gateway's epochs, the last first: at most 100.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditEpochs {
    pub gateway_id: String,
    pub data: Vec<AuditEpoch>,
}

/// A stretch of time in which one secret draws audits. An audit is drawn when the first eight bytes of
/// `HMAC-SHA-256(secret, "assay/audit-draw/2\0" ‖ the job id's 16 bytes ‖ answer hash ‖ root of the checkpoint that
/// covers the draw's entry in the log)`, as a big-endian fraction of 2^64, are below `q_ppm` millionths.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditEpoch {
    pub number: i64,
    /// `SHA-256("assay/audit-epoch/1\0" ‖ secret)`, public before the epoch begins.
    #[schema(value_type = String)]
    pub commitment: Bytes32,
    pub from_ms: i64,
    pub to_ms: i64,
    /// Null until the epoch and the jobs of it are over.
    #[schema(value_type = Option<String>, required)]
    pub secret: Option<Bytes32>,
}

/// See the secrets that audits were drawn with, and the commitments to the next ones
#[utoipa::path(
    operation_id = "verification_epochs",
    get, path = "/v1/verification/epochs", tag = "verification", params(EpochsQuery),
    responses((status = 200, body = AuditEpochs), (status = 400, body = ErrorBody)),
)]
pub async fn epochs(
    State(app): State<App>,
    query: Result<Query<EpochsQuery>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<AuditEpochs>, ApiError> {
    let Query(EpochsQuery { before }) =
        query.map_err(|_| ApiError::bad_field("before", "'before' is a number.".to_owned()))?;
    let gateway = app.keys.gateway_id();
    let before = before.unwrap_or(i64::MAX);
    let epochs = db::epochs::before(&app.db, gateway, before, EPOCHS_MAX).await?;
    let margin_ms = i64::try_from(app.config.verification.reveal_after_ms).unwrap_or(i64::MAX);
    let over_before_ms = clock::now_ms().saturating_sub(margin_ms);
    let data = epochs.into_iter().map(|epoch| view(&epoch, over_before_ms)).collect();
    Ok(Json(AuditEpochs { gateway_id: gateway.to_owned(), data }))
}

fn view(epoch: &Epoch, over_before_ms: i64) -> AuditEpoch {
    AuditEpoch {
        number: epoch.number,
        commitment: epoch.commitment,
        from_ms: epoch.from_ms,
        to_ms: epoch.to_ms,
        secret: (epoch.to_ms < over_before_ms).then_some(epoch.secret),
    }
}

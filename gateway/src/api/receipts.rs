//! `GET /v1/receipts/{id}`: the receipt of an answer, and what its audit rests on, for the key that asked for it.

use std::time::Duration;

use assay_protocol::JobId;
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::{ApiError, ClientKey, Inference, admin::IdOf};
use crate::{
    app::App,
    openai::ErrorBody,
    receipts::{self, Found},
};

/// The form of the file; `verifier show` tells what is in it.
const CONTENT_TYPE: &str = "application/vnd.assay.receipt";
const EVIDENCE_TYPE: &str = "application/vnd.assay.evidence";
/// A job that is not sealed yet is looked at again at least this often.
const LOOK_EACH: Duration = Duration::from_millis(250);

/// Fetch the receipt of an answer
///
/// The id is what the answer's `x-assay-receipt` header and its `x_assay.receipt` say. Waits for the job's end and its
/// place in the log; the file that comes then needs no trust in this gateway: `verifier check` reads it.
#[utoipa::path(
    operation_id = "receipts_find",
    get, path = "/v1/receipts/{id}", tag = "openai", security(("api_key" = [])),
    params(("id" = String, Path, description = "The receipt's id.")),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/vnd.assay.receipt",
            description = "The signed receipt, its place in the log, a signed checkpoint and the proof between them."),
        (status = 401, body = ErrorBody, description = "Code `invalid_api_key`."),
        (status = 403, body = ErrorBody, description = "Code `insufficient_permissions`."),
        (status = 404, body = ErrorBody, description = "Code `not_found`: no such answer that this key asked for."),
        (status = 421, body = ErrorBody,
            description = "Code `other_gateway`: the gateway that is named has not sealed it; ask that one."),
        (status = 503, body = ErrorBody, description = "Not sealed yet, with retry-after."),
    ),
)]
pub async fn find(
    State(app): State<App>,
    Inference(ClientKey { caller, .. }): Inference,
    IdOf(id): IdOf<Uuid>,
) -> Result<Response, ApiError> {
    let job = JobId(id);
    let until = Instant::now() + Duration::from_millis(app.config.receipts.wait_ms);
    let mut heads = app.log.heads();
    loop {
        match receipts::find(&app, &caller, job).await? {
            Found::Ready(bundle) => {
                let head = [(header::CONTENT_TYPE, CONTENT_TYPE)];
                return Ok((head, bundle.encode()).into_response());
            }
            Found::None => return Err(ApiError::not_found("receipt")),
            Found::Pending { gateway } if Instant::now() >= until => {
                let own = gateway == app.keys.gateway_id();
                return Err(if own {
                    ApiError::not_sealed()
                } else {
                    ApiError::elsewhere(&gateway)
                });
            }
            Found::Pending { .. } => {
                // Whichever comes first, the receipt is looked for again.
                let _ = timeout_at(until.min(Instant::now() + LOOK_EACH), heads.changed()).await;
            }
        }
    }
}

/// Fetch what the audit of an answer rests on
///
/// What each scorer measured, position by position. The log has its hash: `verifier audit-log --evidence` compares, and
/// `verifier check --evidence` measures again.
#[utoipa::path(
    operation_id = "receipts_evidence",
    get, path = "/v1/receipts/{id}/evidence", tag = "openai", security(("api_key" = [])),
    params(("id" = String, Path, description = "The receipt's id.")),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/vnd.assay.evidence"),
        (status = 401, body = ErrorBody, description = "Code `invalid_api_key`."),
        (status = 403, body = ErrorBody, description = "Code `insufficient_permissions`."),
        (status = 404, body = ErrorBody,
            description = "Code `not_found`: no such answer that this key asked for, or none that was audited by now."),
    ),
)]
pub async fn evidence(
    State(app): State<App>,
    Inference(ClientKey { caller, .. }): Inference,
    IdOf(id): IdOf<Uuid>,
) -> Result<Response, ApiError> {
    let job = JobId(id);
    let file = receipts::evidence(&app, &caller, job).await?;
    let file = file.ok_or_else(|| ApiError::not_found("evidence"))?;
    Ok(([(header::CONTENT_TYPE, EVIDENCE_TYPE)], file).into_response())
}

//! `/log/…`: what anybody may read of the gateway's log, laid out as C2SP's tlog-tiles, and the keys to pin.

use assay_verifier::log::{
    Hash,
    tiles::{Tile, WIDTH},
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    ApiError,
    admin::{IdOf, Params},
};
use crate::{app::App, openai::ErrorBody, receipts};

/// Full tiles never change.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const FRESH: HeaderValue = HeaderValue::from_static("no-cache");

/// A proof about the log at a checkpoint.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LogProof {
    /// The entries of the tree that is proven about.
    pub size: u64,
    /// Its signed checkpoint.
    pub checkpoint: String,
    /// Hashes in hex, in RFC 6962's order.
    #[schema(value_type = Vec<String>)]
    pub proof: Vec<Hash>,
}

/// Which earlier log.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Earlier {
    /// Its number of entries, at least 1.
    pub from: u64,
}

/// The keys to pin
///
/// This gateway's key, and what its nodes sign with; `verifier keys` fetches and checks it.
#[utoipa::path(
    operation_id = "log_keys",
    get, path = "/log/keys", tag = "log", responses((status = 200, body = Object)),
)]
pub async fn keys(State(app): State<App>) -> Result<Response, ApiError> {
    Ok(Json(receipts::keys(&app).await?).into_response())
}

/// The log's signed checkpoint
#[utoipa::path(
    operation_id = "log_checkpoint",
    get, path = "/log/checkpoint", tag = "log",
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 404, body = ErrorBody, description = "Nothing was logged yet."),
    ),
)]
pub async fn checkpoint(State(app): State<App>) -> Result<Response, ApiError> {
    let head = app.log.head();
    if head.size() == 0 {
        return Err(ApiError::not_found("checkpoint"));
    }
    Ok(with_cache(FRESH, head.note().to_owned().into_response()))
}

/// A tile of hashes, or a bundle of entries
///
/// `0/x001/234` is a tile of level 0, `entries/000.p/5` a bundle of five entries.
#[utoipa::path(
    operation_id = "log_tile",
    get, path = "/log/tile/{*path}", tag = "log",
    params(("path" = String, Path, description = "As C2SP's tlog-tiles writes it.")),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = ErrorBody, description = "The log has no such tile."),
    ),
)]
pub async fn tile(State(app): State<App>, IdOf(path): IdOf<String>) -> Result<Response, ApiError> {
    let tile = Tile::parse(&path).ok_or_else(|| ApiError::not_found("tile"))?;
    let bytes = receipts::file(&app, &app.log.head(), tile).await?;
    let bytes = bytes.ok_or_else(|| ApiError::not_found("tile"))?;
    let cache = if tile.width == WIDTH { FOR_EVER } else { FRESH };
    Ok(with_cache(cache, bytes.into_response()))
}

/// Prove that an entry is in the log
#[utoipa::path(
    operation_id = "log_inclusion",
    get, path = "/log/inclusion/{index}", tag = "log",
    params(("index" = u64, Path, description = "The entry's place, from 0.")),
    responses((status = 200, body = LogProof), (status = 404, body = ErrorBody)),
)]
pub async fn inclusion(
    State(app): State<App>,
    IdOf(index): IdOf<u64>,
) -> Result<Json<LogProof>, ApiError> {
    let head = app.log.head();
    if index >= head.size() {
        return Err(ApiError::not_found("entry"));
    }
    let proof = receipts::inclusion(&app, &head, index).await?;
    Ok(Json(LogProof { size: head.size(), checkpoint: head.note().to_owned(), proof }))
}

/// Prove that the log goes on from an earlier one
#[utoipa::path(
    operation_id = "log_consistency",
    get, path = "/log/consistency", tag = "log", params(Earlier),
    responses((status = 200, body = LogProof), (status = 404, body = ErrorBody)),
)]
pub async fn consistency(
    State(app): State<App>,
    Params(Earlier { from }): Params<Earlier>,
) -> Result<Json<LogProof>, ApiError> {
    let head = app.log.head();
    if from == 0 || from > head.size() {
        return Err(ApiError::not_found("checkpoint"));
    }
    let proof = receipts::consistency(&app, &head, from).await?;
    Ok(Json(LogProof { size: head.size(), checkpoint: head.note().to_owned(), proof }))
}

fn with_cache(value: HeaderValue, response: Response) -> Response {
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, value);
    (headers, response).into_response()
}

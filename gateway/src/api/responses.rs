//! `POST /v1/responses`: a conversation in OpenAI's newer dialect, answered in it. Nothing is stored.

use axum::{extract::State, response::Response};

use super::{
    ApiError, Assurance, BoundBody, IdempotencyKey, Inference,
    inference::{self, Sent, Wish},
};
use crate::{
    app::App,
    openai::{Dialect, ErrorBody, ResponseAsk, ResponseBody, ResponseObject, ResponseRequest},
};

/// Answer a conversation, in items
///
/// The same path as a chat's, and as verified; what OpenAI would store is asked for again each time: `store` is accepted, and
/// false. With `stream: true` the answer comes as typed events and ends with `response.completed` or `response.incomplete`, or with
/// an `error` event if it broke.
#[utoipa::path(
    operation_id = "responses_create",
    post, path = "/v1/responses", tag = "openai", security(("api_key" = [])),
    request_body = ResponseBody,
    params(
        ("x-assay-risk" = Option<String>, Header,
            description = "low, standard or high: how much assurance this answer needs."),
        ("x-assay-nonce" = Option<String>, Header,
            description = "At most 128 bytes of your own randomness: the gateway cannot choose the sampling seed alone."),
        ("idempotency-key" = Option<String>, Header,
            description = "1 to 255 bytes: the same key and body get the same answer again, and are charged once."),
    ),
    responses(
        (status = 200, content((ResponseObject = "application/json"), (String = "text/event-stream")), headers(
            ("x-assay-job" = String, description = "The job's id."),
            ("x-assay-receipt" = String, description = "Names the receipt: GET /v1/receipts/{id}."),
            ("x-assay-replayed" = String, description = "`true`: this answer was given before, under the same idempotency key."),
            ("x-request-id" = String, description = "Names this request in the gateway's log."),
        )),
        (status = 400, body = ErrorBody, description = "`param` names the field; code `context_length_exceeded`: the prompt is too long."),
        (status = 401, body = ErrorBody, description = "Code `invalid_api_key`."),
        (status = 403, body = ErrorBody, description = "Code `insufficient_permissions`: the key lacks the scope `inference`."),
        (status = 404, body = ErrorBody, description = "Code `model_not_found`: not served, or not for this key."),
        (status = 409, body = ErrorBody, description = "Code `idempotency_key_in_progress`, with retry-after."),
        (status = 413, body = ErrorBody, description = "The body is too large."),
        (status = 422, body = ErrorBody, description = "Code `idempotency_key_reused`: the key was used for another request."),
        (status = 429, body = ErrorBody, description = "Code `rate_limit_exceeded` with retry-after, or `insufficient_quota` without."),
        (status = 502, body = ErrorBody, description = "No answer passed verification; nothing was charged."),
        (status = 503, body = ErrorBody, description = "No node is free, with retry-after."),
        (status = 504, body = ErrorBody, description = "No answer came in time; nothing was charged."),
    ),
)]
pub async fn create(
    State(app): State<App>,
    Inference(key): Inference,
    assurance: Assurance,
    IdempotencyKey(idempotency): IdempotencyKey,
    BoundBody { value: request, digest }: BoundBody<ResponseRequest>,
) -> Result<Response, ApiError> {
    let sent = Sent { assurance, key: idempotency, digest };
    inference::answer(&app, &key, request.check()?.into(), sent).await
}

impl From<ResponseAsk> for Wish {
    fn from(ResponseAsk { chat, asked }: ResponseAsk) -> Self {
        Self { dialect: Dialect::Response(Box::new(asked)), ..chat.into() }
    }
}

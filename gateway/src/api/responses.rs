//! `POST /v1/responses`: a conversation in OpenAI's newer dialect, answered in it. Nothing is stored.

use axum::{extract::State, response::Response};

use super::{
    ApiError, Assurance, BoundBody, IdempotencyKey, Inference,
    inference::{self, Headers, Refused, Sent, Wish},
};
use crate::{
    app::App,
    openai::{Dialect, ResponseAsk, ResponseBody, ResponseObject, ResponseRequest},
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
    params(Headers),
    responses(
        (status = 200, content((ResponseObject = "application/json"), (String = "text/event-stream")), headers(
            ("x-assay-job" = String, description = "The job's id."),
            ("x-assay-receipt" = String, description = "Names the receipt: GET /v1/receipts/{id}."),
            ("x-assay-replayed" = String, description = "`true`: this answer was given before, under the same idempotency key."),
            ("x-request-id" = String, description = "Names this request in the gateway's log."),
        )),
        Refused,
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
    fn from(ResponseAsk { chat, asked, names }: ResponseAsk) -> Self {
        Self { dialect: Dialect::Response { asked: Box::new(asked), names }, ..chat.into() }
    }
}

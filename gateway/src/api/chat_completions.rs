//! `POST /v1/chat/completions`: a conversation in, a verified answer out, whole or as it comes.

use axum::{extract::State, response::Response};

use super::{
    ApiError, Assurance, BoundBody, IdempotencyKey, Inference,
    inference::{self, Headers, Refused, Sent, Wish},
};
use crate::{
    app::App,
    openai::{ChatAsk, ChatChunk, ChatCompletion, ChatRequest, Dialect, Form},
    serving::Prompt,
};

/// Answer a conversation
///
/// Several nodes answer; what at least two owners agree on is sent. With `stream: true` the answer
/// comes as server-sent events and ends with `data: [DONE]`, or with an error event if it broke. Each of `n` choices is a
/// job of its own: held for together, verified and charged each, with a receipt each.
#[utoipa::path(
    operation_id = "chat_completions_create",
    post, path = "/v1/chat/completions", tag = "openai", security(("api_key" = [])),
    request_body = ChatRequest,
    params(Headers),
    responses(
        (status = 200, content((ChatCompletion = "application/json"), (ChatChunk = "text/event-stream")), headers(
            ("x-assay-job" = String, description = "The job's id; of several choices all, with commas between."),
            ("x-assay-receipt" = String, description = "Names the receipts likewise: GET /v1/receipts/{id}."),
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
    BoundBody { value: request, digest }: BoundBody<ChatRequest>,
) -> Result<Response, ApiError> {
    let sent = Sent { assurance, key: idempotency, digest };
    inference::answer(&app, &key, request.check()?.into(), sent).await
}

impl From<ChatAsk> for Wish {
    fn from(ask: ChatAsk) -> Self {
        let ChatAsk { model, messages, choices, sampling, seed, max_tokens, stop, .. } = ask;
        Self {
            dialect: Dialect::Choices(Form::Chat),
            model,
            prompts: vec![Prompt::Chat(messages)],
            choices,
            echo: false,
            sampling,
            seed,
            max_tokens,
            stop,
            answer_form: ask.form,
            streaming: ask.streaming,
            assurance: ask.assurance,
        }
    }
}

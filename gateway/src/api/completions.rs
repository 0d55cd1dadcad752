//! `POST /v1/completions`: a raw prompt in, text out, on the same path and as verified as a chat.

use assay_model::AnswerForm;
use axum::{extract::State, response::Response};

use super::{
    ApiError, Assurance, BoundBody, IdempotencyKey, Inference,
    inference::{self, Sent, Wish},
};
use crate::{
    app::App,
    openai::{
        CompletionAsk, CompletionRequest, Dialect, ErrorBody, Form, RawPrompt, TextCompletion,
    },
    serving::Prompt,
};

/// Go on from a prompt
///
/// OpenAI's older endpoint, which takes the text itself and no conversation: no chat template is used. Everything else is
/// as with chats; each choice of each prompt is a job of its own.
#[utoipa::path(
    operation_id = "completions_create",
    post, path = "/v1/completions", tag = "openai", security(("api_key" = [])),
    request_body = CompletionRequest,
    params(
        ("x-assay-risk" = Option<String>, Header,
            description = "low, standard or high: how much assurance this answer needs."),
        ("x-assay-nonce" = Option<String>, Header,
            description = "At most 128 bytes of your own randomness: the gateway cannot choose the sampling seed alone."),
        ("idempotency-key" = Option<String>, Header,
            description = "1 to 255 bytes: the same key and body get the same answer again, and are charged once."),
    ),
    responses(
        (status = 200, content((TextCompletion = "application/json"), (TextCompletion = "text/event-stream")), headers(
            ("x-assay-job" = String, description = "The job's id; of several choices all, with commas between."),
            ("x-assay-receipt" = String, description = "Names the receipts likewise: GET /v1/receipts/{id}."),
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
    BoundBody { value: request, digest }: BoundBody<CompletionRequest>,
) -> Result<Response, ApiError> {
    let sent = Sent { assurance, key: idempotency, digest };
    let answer = inference::answer(&app, &key, request.check()?.into(), sent).await;
    answer.map_err(ApiError::about_prompt)
}

impl From<CompletionAsk> for Wish {
    fn from(ask: CompletionAsk) -> Self {
        let prompts = ask.prompts.into_iter().map(|prompt| match prompt {
            RawPrompt::Text(text) => Prompt::Text(text),
            RawPrompt::Ids(ids) => Prompt::Ids(ids),
        });
        Self {
            dialect: Dialect::Choices(Form::Text),
            model: ask.model,
            prompts: prompts.collect(),
            choices: ask.choices,
            echo: ask.echo,
            sampling: ask.sampling,
            seed: ask.seed,
            max_tokens: Some(ask.max_tokens),
            stop: ask.stop,
            answer_form: AnswerForm::default(),
            streaming: ask.streaming,
            assurance: ask.assurance,
        }
    }
}

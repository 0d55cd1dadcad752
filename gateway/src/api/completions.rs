//! `POST /v1/completions`: a raw prompt in, text out, on the same path and as verified as a chat.

use assay_model::AnswerForm;
use axum::{extract::State, response::Response};

use super::{
    ApiError, Assurance, BoundBody, IdempotencyKey, Inference,
    inference::{self, Headers, Refused, Sent, Wish},
};
use crate::{
    app::App,
    openai::{CompletionAsk, CompletionRequest, Dialect, Form, RawPrompt, TextCompletion},
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
    params(Headers),
    responses(
        (status = 200, content((TextCompletion = "application/json"), (TextCompletion = "text/event-stream")), headers(
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
    BoundBody { value: request, digest }: BoundBody<CompletionRequest>,
) -> Result<Response, ApiError> {
    let sent = Sent { assurance, key: idempotency, digest };
    inference::answer(&app, &key, request.check()?.into(), sent).await
}

impl From<RawPrompt> for Prompt {
    fn from(prompt: RawPrompt) -> Self {
        match prompt {
            RawPrompt::Text(text) => Self::Text(text),
            RawPrompt::Ids(ids) => Self::Ids(ids),
        }
    }
}

impl From<CompletionAsk> for Wish {
    fn from(ask: CompletionAsk) -> Self {
        Self {
            dialect: Dialect::Choices(Form::Text),
            model: ask.model,
            prompts: ask.prompts.into_iter().map(Prompt::from).collect(),
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

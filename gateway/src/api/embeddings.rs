//! `POST /v1/embeddings`: vectors of texts, verified as answers are.

use assay_model::AnswerForm;
use assay_protocol::Sampling;
use axum::{extract::State, response::Response};

use super::{
    ApiError, Assurance, BoundBody, IdempotencyKey, Inference,
    inference::{self, Headers, Refused, Sent, Wish},
};
use crate::{
    app::App,
    openai::{Dialect, EmbeddingAsk, EmbeddingList, EmbeddingRequest, Streaming},
    serving::Prompt,
};

/// Turn texts into vectors
///
/// All inputs are one job: several nodes of different owners embed them, what they give is held against each other, and
/// against the model where they differ. Charged by input tokens.
#[utoipa::path(
    operation_id = "embeddings_create",
    post, path = "/v1/embeddings", tag = "openai", security(("api_key" = [])),
    request_body = EmbeddingRequest,
    params(Headers),
    responses(
        (status = 200, body = EmbeddingList, headers(
            ("x-assay-job" = String, description = "The job's id."),
            ("x-assay-receipt" = String, description = "Names the receipt likewise: GET /v1/receipts/{id}."),
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
    BoundBody { value: request, digest }: BoundBody<EmbeddingRequest>,
) -> Result<Response, ApiError> {
    let sent = Sent { assurance, key: idempotency, digest };
    inference::answer(&app, &key, request.check()?.into(), sent).await
}

impl From<EmbeddingAsk> for Wish {
    fn from(ask: EmbeddingAsk) -> Self {
        let EmbeddingAsk { encoding_format: format, dimensions, .. } = ask;
        Self {
            dialect: Dialect::Vectors { format, dimensions },
            model: ask.model,
            prompts: vec![Prompt::ToEmbed(ask.inputs.into_iter().map(Prompt::from).collect())],
            choices: 1,
            // Nothing is drawn.
            echo: false,
            sampling: Sampling::default(),
            seed: None,
            max_tokens: None,
            stop: Vec::new(),
            answer_form: AnswerForm::default(),
            streaming: Streaming::No,
            assurance: ask.assurance,
        }
    }
}

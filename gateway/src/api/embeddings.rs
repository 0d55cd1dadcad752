//! `POST /v1/embeddings`: vectors of texts, verified as answers are.

mod keyed;

use assay_protocol::{JobId, Sampling, limits::COMPONENTS_PER_JOB_MAX};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};

use super::{
    ApiError, Assurance, BoundBody, IdempotencyKey, Inference,
    inference::{Sent, naming},
};
use crate::{
    app::App,
    catalog::HostedModel,
    openai::{
        EmbeddingAsk, EmbeddingList, EmbeddingRequest, EncodingFormat, ErrorBody, InvalidRequest,
        RawPrompt,
    },
    serving::{self, ChatJob, Deliveries, Event, Prompt, Terms},
};

/// Turn texts into vectors
///
/// All inputs are one job: several nodes of different owners embed them, what they give is held against each other, and
/// against the model where they differ. Charged by input tokens.
#[utoipa::path(
    operation_id = "embeddings_create",
    post, path = "/v1/embeddings", tag = "openai", security(("api_key" = [])),
    request_body = EmbeddingRequest,
    params(
        ("x-assay-risk" = Option<String>, Header,
            description = "low, standard or high: how much assurance these vectors need."),
        ("x-assay-nonce" = Option<String>, Header,
            description = "At most 128 bytes of your own, for the receipt: nothing is drawn here."),
        ("idempotency-key" = Option<String>, Header,
            description = "1 to 255 bytes: the same key and body get the same answer again, and are charged once."),
    ),
    responses(
        (status = 200, body = EmbeddingList, headers(
            ("x-assay-job" = String, description = "The job's id."),
            ("x-assay-receipt" = String, description = "Names the receipt likewise: GET /v1/receipts/{id}."),
            ("x-assay-replayed" = String, description = "`true`: this answer was given before, under the same idempotency key."),
            ("x-request-id" = String, description = "Names this request in the gateway's log."),
        )),
        (status = 400, body = ErrorBody, description = "`param` names the field; code `context_length_exceeded`: an input is too long."),
        (status = 401, body = ErrorBody, description = "Code `invalid_api_key`."),
        (status = 403, body = ErrorBody, description = "Code `insufficient_permissions`: the key lacks the scope `inference`."),
        (status = 404, body = ErrorBody, description = "Code `model_not_found`: not served, or not for this key."),
        (status = 409, body = ErrorBody, description = "Code `idempotency_key_in_progress`, with retry-after."),
        (status = 413, body = ErrorBody, description = "The body is too large."),
        (status = 422, body = ErrorBody, description = "Code `idempotency_key_reused`: the key was used for another request."),
        (status = 429, body = ErrorBody, description = "Code `rate_limit_exceeded` with retry-after, or `insufficient_quota` without."),
        (status = 502, body = ErrorBody, description = "No vectors passed verification; nothing was charged."),
        (status = 503, body = ErrorBody, description = "No node is free, with retry-after."),
        (status = 504, body = ErrorBody, description = "No vectors came in time; nothing was charged."),
    ),
)]
pub async fn create(
    State(app): State<App>,
    Inference(key): Inference,
    assurance: Assurance,
    IdempotencyKey(idempotency): IdempotencyKey,
    BoundBody { value: request, digest }: BoundBody<EmbeddingRequest>,
) -> Result<Response, ApiError> {
    let ask = request.check()?;
    let model = app.catalog.get(&ask.model).filter(|_| key.permissions.allow_model(&ask.model));
    let model = model.ok_or_else(|| ApiError::model_not_found(&ask.model))?.clone();
    check_model(&model, &ask)?;
    let sent = Sent { assurance, key: idempotency, digest };
    let asked = ask.assurance;
    let style = Style { model: model.clone(), format: ask.encoding_format };
    let inputs = ask.inputs.into_iter().map(|input| match input {
        RawPrompt::Text(text) => Prompt::Text(text),
        RawPrompt::Ids(ids) => Prompt::Ids(ids),
    });
    let job = ChatJob {
        model,
        prompts: vec![Prompt::ToEmbed(inputs.collect())],
        choices: 1,
        id_prefix: assay_verifier::receipt::bound::EMBEDDING_PREFIX,
        echo: false,
        sampling: Sampling::default(),
        seed: None,
        max_tokens: None,
        stop: Vec::new(),
        form: assay_model::AnswerForm::default(),
        terms: Terms {
            risk: sent.assurance.risk.or(asked.risk).unwrap_or(key.caller.risk),
            checks: None,
            release: None,
        },
        nonce: sent.assurance.nonce.clone().or(asked.nonce),
        streamed: false,
        keyed: sent.key.is_some(),
        request: sent.digest,
    };
    if let Some(name) = &sent.key {
        let digest = keyed::digest(&sent);
        return keyed::answer(&app, &key.caller, job, style, (name, digest)).await;
    }
    let deliveries = serving::serve_request(&app, &key.caller, job).await?;
    let jobs = deliveries.jobs();
    let whole = whole(&style, deliveries).await.map(|(body, deliveries)| {
        deliveries.settle();
        Json(body)
    });
    Ok(naming(&app, &jobs, whole.into_response()))
}

/// How vectors are written.
struct Style {
    model: std::sync::Arc<HostedModel>,
    format: EncodingFormat,
}

impl Style {
    fn dimensions(&self) -> usize {
        self.model.text.manifest.embedding.map_or(0, |embedding| embedding.dimensions as usize)
    }
}

/// What depends on the model that is asked.
fn check_model(model: &HostedModel, ask: &EmbeddingAsk) -> Result<(), InvalidRequest> {
    let manifest = &model.text.manifest;
    let Some(embedding) = manifest.embedding else {
        let id = model.id();
        let message =
            format!("The model `{id}` makes no vectors; it answers chats and completions.");
        return Err(InvalidRequest::of("model", message));
    };
    let dimensions = embedding.dimensions;
    if ask.dimensions.is_some_and(|asked| asked != i64::from(dimensions)) {
        let message = format!(
            "The model's vectors have {dimensions} dimensions, and are not made to be cut to fewer."
        );
        return Err(InvalidRequest::of("dimensions", message));
    }
    let most = COMPONENTS_PER_JOB_MAX / dimensions.max(1) as usize;
    if ask.inputs.len() > most {
        let message = format!("'input' may have at most {most} entries with this model.");
        return Err(InvalidRequest::of("input", message));
    }
    let vocabulary = manifest.vocab_size;
    let ids = ask.inputs.iter().flat_map(|input| match input {
        RawPrompt::Ids(ids) => ids.as_slice(),
        RawPrompt::Text(_) => &[],
    });
    match ids.into_iter().find(|id| **id >= vocabulary) {
        Some(id) => {
            let message = format!("The model has no token {id}; it has {vocabulary}.");
            Err(InvalidRequest::of("input", message))
        }
        None => Ok(()),
    }
}

/// Waits for all vectors.
async fn whole(
    style: &Style,
    mut deliveries: Deliveries,
) -> Result<(EmbeddingList, Deliveries), ApiError> {
    let job = deliveries.jobs().first().copied().ok_or_else(ApiError::panicked)?;
    let mut vectors = Vec::new();
    while let Some((_, event)) = deliveries.next().await {
        match event {
            Event::Vectors(components) => vectors = components,
            Event::Done(summary) => {
                let (model, dimensions) = (style.model.id(), style.dimensions());
                let verdict = verdict(job, &summary);
                let tokens = summary.prompt_tokens;
                let list =
                    EmbeddingList::of(model, &vectors, dimensions, style.format, tokens, verdict);
                return Ok((list, deliveries));
            }
            Event::Failed(error) => {
                deliveries.void();
                return Err(error.into());
            }
            Event::Told(_) | Event::Text(_) | Event::Call { .. } | Event::Arguments { .. } => {}
        }
    }
    Err(ApiError::panicked())
}

/// How the vectors were verified, and the name of their receipt, as `x_assay`.
fn verdict(job: JobId, summary: &serving::Summary) -> serde_json::Value {
    let mut verdict = serde_json::to_value(&summary.verdict).unwrap_or_default();
    verdict["receipt"] = job.to_string().into();
    verdict
}

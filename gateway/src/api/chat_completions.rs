//! `POST /v1/chat/completions`: a conversation in, a verified answer out, whole or as it comes.

mod events;

use assay_protocol::Bytes32;
use assay_verifier::receipt::saved::write_ids;
use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{KeepAlive, Sse},
    },
};
use serde_json::Value;

use super::{ApiError, Assurance, BoundBody, ClientKey, Inference};
use crate::{
    app::App,
    catalog::HostedModel,
    openai::{
        ChatAsk, ChatChunk, ChatCompletion, ChatRequest, Choice, ChunkWriter, ErrorBody,
        InvalidRequest, Streaming, Usage,
    },
    serving::{self, ChatJob, Delivery, Event, Summary, Terms},
};
use events::Feed;

const JOB: HeaderName = HeaderName::from_static("x-assay-job");
/// A receipt has its job's id.
const RECEIPT: HeaderName = HeaderName::from_static("x-assay-receipt");
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Answer a conversation
///
/// Several nodes answer; what at least two owners agree on is sent. With `stream: true` the answer
/// comes as server-sent events and ends with `data: [DONE]`, or with an error event if it broke.
#[utoipa::path(
    operation_id = "chat_completions_create",
    post, path = "/v1/chat/completions", tag = "openai", security(("api_key" = [])),
    request_body = ChatRequest,
    params(
        ("x-assay-risk" = Option<String>, Header,
            description = "low, standard or high: how much assurance this answer needs."),
        ("x-assay-nonce" = Option<String>, Header,
            description = "At most 128 bytes of your own randomness: the gateway cannot choose the sampling seed alone."),
    ),
    responses(
        (status = 200, content((ChatCompletion = "application/json"), (ChatChunk = "text/event-stream")), headers(
            ("x-assay-job" = String, description = "The job's id."),
            ("x-assay-receipt" = String, description = "Names the answer's receipt: GET /v1/receipts/{id}."),
            ("x-request-id" = String, description = "Names this request in the gateway's log."),
        )),
        (status = 400, body = ErrorBody, description = "`param` names the field; code `context_length_exceeded`: the prompt is too long."),
        (status = 401, body = ErrorBody, description = "Code `invalid_api_key`."),
        (status = 403, body = ErrorBody, description = "Code `insufficient_permissions`: the key lacks the scope `inference`."),
        (status = 404, body = ErrorBody, description = "Code `model_not_found`: not served, or not for this key."),
        (status = 413, body = ErrorBody, description = "The body is too large."),
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
    BoundBody { value: request, digest }: BoundBody<ChatRequest>,
) -> Result<Response, ApiError> {
    let ask = request.check()?;
    let streaming = ask.streaming;
    let job = into_job(&app, &key, ask, assurance, digest)?;
    let head = AnswerHead::of(&job.model);
    let delivery = serving::serve_request(&app, &key.caller, job).await?;
    let job_id = delivery.job.to_string();
    let mut response = answer(&app, head, delivery, streaming).await.into_response();
    if let Ok(value) = HeaderValue::try_from(job_id) {
        if app.config.receipts.enabled {
            response.headers_mut().insert(RECEIPT, value.clone());
        }
        response.headers_mut().insert(JOB, value);
    }
    Ok(response)
}

async fn answer(
    app: &App,
    head: AnswerHead,
    mut delivery: Delivery,
    streaming: Streaming,
) -> Result<Response, ApiError> {
    Ok(match streaming {
        Streaming::No => whole(head, delivery).await?.into_response(),
        Streaming::Yes { include_usage } => {
            let first = next_event(&mut delivery).await?;
            stream(app, Feed::new(head.chunks(&delivery, include_usage), first, delivery))
        }
    })
}

fn into_job(
    app: &App,
    key: &ClientKey,
    ask: ChatAsk,
    assurance: Assurance,
    request: Bytes32,
) -> Result<ChatJob, ApiError> {
    let model = app.catalog.get(&ask.model).filter(|_| key.permissions.allow_model(&ask.model));
    let model = model.ok_or_else(|| ApiError::model_not_found(&ask.model))?.clone();
    let vocab_size = model.text.manifest.vocab_size;
    if let Some((id, _)) = ask.sampling.logit_bias.iter().find(|(id, _)| *id >= vocab_size) {
        let message = format!("The model has no token {id}; it has {vocab_size}.");
        return Err(InvalidRequest::of(format!("logit_bias.{id}"), message).into());
    }
    let wanted = ask.assurance;
    let terms = Terms {
        risk: assurance.risk.or(wanted.risk).unwrap_or(key.caller.risk),
        checks: wanted.checks,
        release: wanted.release,
    };
    Ok(ChatJob {
        model,
        messages: ask.messages,
        sampling: ask.sampling,
        seed: ask.seed,
        max_tokens: ask.max_tokens,
        stop: ask.stop,
        terms,
        nonce: assurance.nonce.or(wanted.nonce),
        streamed: matches!(ask.streaming, Streaming::Yes { .. }),
        request,
    })
}

/// The next news of a job. As long as nothing was sent, an error still gets its own status.
async fn next_event(delivery: &mut Delivery) -> Result<Event, ApiError> {
    match delivery.next().await {
        Some(Event::Failed(error)) => Err(error.into()),
        Some(event) => Ok(event),
        None => Err(ended_without_result()),
    }
}

async fn whole(head: AnswerHead, mut delivery: Delivery) -> Result<Json<ChatCompletion>, ApiError> {
    let mut text = String::new();
    loop {
        match next_event(&mut delivery).await? {
            Event::Text(piece) => text.push_str(&piece),
            Event::Done(summary) => return Ok(Json(head.completion(&delivery, text, &summary))),
            Event::Failed(error) => return Err(error.into()),
        }
    }
}

fn stream(app: &App, feed: Feed) -> Response {
    let keep_alive = KeepAlive::new().interval(app.config.limits.keep_alive());
    let mut response = Sse::new(feed.into_stream()).keep_alive(keep_alive).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// The job's task is gone and said nothing, which it must never do.
fn ended_without_result() -> ApiError {
    tracing::error!("a job ended without telling its client how");
    ApiError::panicked()
}

/// What every form of one answer repeats.
struct AnswerHead {
    model: String,
    system_fingerprint: String,
}

impl AnswerHead {
    fn of(model: &HostedModel) -> Self {
        let hash = model.text.manifest_hash.to_string();
        Self { model: model.id().to_owned(), system_fingerprint: format!("fp_{}", &hash[..16]) }
    }

    fn chunks(self, delivery: &Delivery, include_usage: bool) -> ChunkWriter {
        ChunkWriter {
            id: answer_id(delivery),
            created: delivery.created_s,
            model: self.model,
            system_fingerprint: self.system_fingerprint,
            include_usage,
        }
    }

    fn completion(self, delivery: &Delivery, text: String, summary: &Summary) -> ChatCompletion {
        ChatCompletion {
            id: answer_id(delivery),
            object: "chat.completion",
            created: delivery.created_s,
            model: self.model,
            choices: vec![Choice::of(text, summary.finish.as_str())],
            usage: Usage::of(summary.prompt_tokens, summary.completion_tokens),
            system_fingerprint: self.system_fingerprint,
            x_assay: verdict(delivery, summary),
        }
    }
}

fn answer_id(delivery: &Delivery) -> String {
    format!("chatcmpl-{}", delivery.job)
}

/// How the answer was verified, and what its receipt needs beside it, as `x_assay`.
fn verdict(delivery: &Delivery, summary: &Summary) -> Value {
    let mut verdict = serde_json::to_value(&summary.verdict).unwrap_or_default();
    verdict["receipt"] = delivery.job.to_string().into();
    verdict["output_ids"] = write_ids(&summary.ids).into();
    verdict
}

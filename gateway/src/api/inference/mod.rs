//! From a request that was understood to its response, whole or as it comes: what all that nodes answer share.

mod documented;
mod feed;
mod fitting;
mod keyed;
mod told;

use std::{convert::Infallible, sync::Arc};

use assay_model::{AnswerForm, Piece, Said};
use assay_protocol::{Bytes32, JobId, Sampling};
use assay_verifier::receipt::saved::write_ids;
use axum::{
    Json,
    http::{HeaderName, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
};
use futures_util::{Stream, StreamExt, stream};
use serde_json::Value;

use super::{ApiError, Assurance, ClientKey};
use crate::{
    app::App,
    catalog::HostedModel,
    openai::{
        AnswerCall, AnswerWriter, AssuranceAsk, Body, Dialect, DialectWriter, Form, ResponseWriter,
        Streaming, Usage, VectorsWriter, WholeChoice,
    },
    serving::{self, ChatJob, Deliveries, Event, Prompt, ServeError, Summary, Terms},
};
pub(super) use documented::{Headers, Refused};
use feed::{Feed, Item};
use told::Teller;

const JOB: HeaderName = HeaderName::from_static("x-assay-job");
/// A receipt has its job's id.
const RECEIPT: HeaderName = HeaderName::from_static("x-assay-receipt");
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// What a client wants, in whichever dialect it said so.
pub(super) struct Wish {
    pub(super) dialect: Dialect,
    pub(super) model: String,
    pub(super) prompts: Vec<Prompt>,
    pub(super) choices: u32,
    pub(super) echo: bool,
    pub(super) sampling: Sampling,
    pub(super) seed: Option<i64>,
    pub(super) max_tokens: Option<u32>,
    pub(super) stop: Vec<String>,
    /// What the answer's text is held to.
    pub(super) answer_form: AnswerForm,
    pub(super) streaming: Streaming,
    pub(super) assurance: AssuranceAsk,
}

/// What came with it.
pub(super) struct Sent {
    pub(super) assurance: Assurance,
    pub(super) key: Option<String>,
    /// SHA-256 of the body's canonical form.
    pub(super) digest: Bytes32,
}

/// Answers it.
pub(super) async fn answer(
    app: &App,
    key: &ClientKey,
    wish: Wish,
    sent: Sent,
) -> Result<Response, ApiError> {
    let model = app.catalog.get(&wish.model).filter(|_| key.permissions.allow_model(&wish.model));
    let model = model.ok_or_else(|| ApiError::model_not_found(&wish.model))?.clone();
    fitting::check(&model, &wish, app.config.serving.choices_max)?;
    let dialect = wish.dialect.clone();
    let style = Style { dialect, streaming: wish.streaming, model: model.clone() };
    let name = sent.key.clone();
    let job = into_job(key, model, wish, sent);
    match name {
        Some(name) => {
            let digest = keyed::digest(&job, &style.dialect);
            let idempotency = keyed::Key { account: key.caller.account, name, digest };
            keyed::answer(app, &key.caller, job, style, idempotency).await
        }
        None => {
            let deliveries = serving::serve_request(app, &key.caller, job).await;
            let deliveries = deliveries.map_err(|error| style.refusal(error))?;
            let jobs = deliveries.jobs();
            let response = respond(app, &style, deliveries).await;
            Ok(naming(app, &jobs, response.into_response()))
        }
    }
}

async fn respond(app: &App, style: &Style, deliveries: Deliveries) -> Result<Response, ApiError> {
    Ok(match style.streaming {
        Streaming::No => {
            let (body, deliveries) = whole(style, deliveries).await?;
            deliveries.settle();
            Json(body).into_response()
        }
        Streaming::Yes { .. } => {
            let feed = Feed::begin(app, style, deliveries).await?;
            let items = stream::unfold(feed, |mut feed| async {
                let item = feed.next().await?;
                Some((item, feed))
            });
            events(app, items)
        }
    })
}

fn into_job(key: &ClientKey, model: Arc<HostedModel>, wish: Wish, sent: Sent) -> ChatJob {
    let asked = wish.assurance;
    let terms = Terms {
        risk: sent.assurance.risk.or(asked.risk).unwrap_or(key.caller.risk),
        checks: asked.checks,
        release: asked.release,
    };
    ChatJob {
        model,
        prompts: wish.prompts,
        choices: wish.choices,
        id_prefix: wish.dialect.id_prefix(),
        echo: wish.echo,
        sampling: wish.sampling,
        seed: wish.seed,
        max_tokens: wish.max_tokens,
        stop: wish.stop,
        form: wish.answer_form,
        terms,
        nonce: sent.assurance.nonce.or(asked.nonce),
        streamed: matches!(wish.streaming, Streaming::Yes { .. }),
        keyed: sent.key.is_some(),
        request: sent.digest,
    }
}

/// How an answer is written.
struct Style {
    dialect: Dialect,
    streaming: Streaming,
    model: Arc<HostedModel>,
}

impl Style {
    /// An error in the words of the client's dialect.
    fn refusal(&self, error: ServeError) -> ApiError {
        ApiError::from(error).renamed(|param| self.dialect.param(param))
    }

    fn tellers(&self, deliveries: &Deliveries) -> Vec<Teller> {
        let form = match self.dialect {
            Dialect::Choices(form) => form,
            // Nothing is told of its tokens.
            Dialect::Response { .. } | Dialect::Vectors { .. } => Form::Chat,
        };
        let teller = |_| Teller::new(form, self.model.clone());
        deliveries.jobs().into_iter().map(teller).collect()
    }

    fn writer(&self, deliveries: &Deliveries) -> DialectWriter {
        let (id, created) = (deliveries.id.clone(), deliveries.created_s);
        let model = self.model.id().to_owned();
        let form = match &self.dialect {
            Dialect::Choices(form) => *form,
            Dialect::Response { asked, .. } => {
                let writer = ResponseWriter::new(id, created, model, (**asked).clone());
                return DialectWriter::Response(Box::new(writer));
            }
            Dialect::Vectors { format, .. } => {
                let embedding = self.model.text.manifest.embedding;
                let dimensions = embedding.map_or(0, |embedding| embedding.dimensions as usize);
                return DialectWriter::Vectors(VectorsWriter {
                    model,
                    dimensions,
                    format: *format,
                });
            }
        };
        let hash = self.model.text.manifest_hash.to_string();
        DialectWriter::Choices(AnswerWriter {
            form,
            id,
            created,
            model,
            system_fingerprint: format!("fp_{}", &hash[..16]),
            include_usage: self.streaming == Streaming::Yes { include_usage: true },
            choices: deliveries.jobs().len(),
        })
    }
}

/// Waits for all of it. One choice that fails fails the request, and nothing of it is charged.
async fn whole(style: &Style, mut deliveries: Deliveries) -> Result<(Body, Deliveries), ApiError> {
    let writer = style.writer(&deliveries);
    let jobs = deliveries.jobs();
    let mut tellers = style.tellers(&deliveries);
    let mut said = vec![Said::default(); jobs.len()];
    let mut vectors = vec![Vec::new(); jobs.len()];
    let mut ends: Vec<Option<Summary>> = vec![None; jobs.len()];
    while let Some((index, event)) = deliveries.next().await {
        match event {
            Event::Told(told) => tellers[index].take(told),
            Event::Text(text) => said[index].take(Piece::Text(text)),
            Event::Call { index: call, name } => {
                said[index].take(Piece::Call { index: call, name });
            }
            Event::Arguments { index: call, text } => {
                said[index].take(Piece::Arguments { index: call, text });
            }
            Event::Vectors(components) => vectors[index] = components,
            Event::Done(summary) => ends[index] = Some(summary),
            Event::Failed(error) => {
                deliveries.void();
                return Err(style.refusal(error));
            }
        }
    }
    let mut usage = Usage::of(0, 0);
    let mut choices = Vec::with_capacity(jobs.len());
    let told = tellers.iter_mut().map(Teller::tell);
    let parts = said.into_iter().zip(vectors).zip(ends).zip(told);
    for (job, (((said, vectors), end), logprobs)) in jobs.into_iter().zip(parts) {
        let summary = end.ok_or_else(ApiError::panicked)?;
        usage = usage.plus(Usage::of(summary.prompt_tokens, summary.completion_tokens));
        let finish_reason = summary.finish.as_str();
        choices.push(WholeChoice {
            text: said.content,
            vectors,
            logprobs,
            calls: AnswerCall::all(job, said.calls),
            finish_reason,
            verdict: verdict(&style.dialect, job, &summary),
        });
    }
    Ok((writer.whole(choices, usage), deliveries))
}

/// Server-sent events, each sent as soon as it is there.
fn events(app: &App, items: impl Stream<Item = Item> + Send + 'static) -> Response {
    sent_events(app, items.map(Item::into_event))
}

fn sent_events(app: &App, events: impl Stream<Item = sse::Event> + Send + 'static) -> Response {
    let keep_alive = KeepAlive::new().interval(app.config.limits.keep_alive());
    let events = events.map(Ok::<sse::Event, Infallible>);
    let mut response = Sse::new(events).keep_alive(keep_alive).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Names the jobs, in the order of the choices.
pub(super) fn naming(app: &App, jobs: &[JobId], mut response: Response) -> Response {
    let names: Vec<String> = jobs.iter().map(JobId::to_string).collect();
    if names.is_empty() {
        return response;
    }
    if let Ok(value) = HeaderValue::try_from(names.join(", ")) {
        if app.config.receipts.enabled {
            response.headers_mut().insert(RECEIPT, value.clone());
        }
        response.headers_mut().insert(JOB, value);
    }
    response
}

/// How the answer was verified, and what its receipt needs beside it, as `x_assay`.
fn verdict(dialect: &Dialect, job: JobId, summary: &Summary) -> Value {
    let mut verdict = serde_json::to_value(&summary.verdict).unwrap_or_default();
    verdict["receipt"] = job.to_string().into();
    if !matches!(dialect, Dialect::Vectors { .. }) {
        verdict["output_ids"] = write_ids(&summary.ids).into();
    }
    verdict
}

//! Requests with an `Idempotency-Key`: a task owns the answer, so that a client that lost its connection finds it when it
//! asks again; it is kept before the client has all of it, and only then charged.

use std::collections::BTreeMap;

use assay_ledger::AccountId;
use assay_protocol::{Bytes32, JobId, identity};
use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response, sse},
};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, oneshot};

use super::{
    Style, events,
    feed::{self, Feed, Item},
    naming, whole,
};
use crate::{
    api::ApiError,
    app::App,
    auth::Caller,
    kept_answers::{self, Claim, Keeping},
    openai::{Chunk, Dialect, LastEvent, Streaming},
    serving::{self, ChatJob},
};

/// Says that the answer was given before.
const REPLAYED: HeaderName = HeaderName::from_static("x-assay-replayed");
/// Events of a choice besides its text.
const EVENTS_BESIDES_TEXT: usize = 8;

/// A key, and what it stands for.
pub(super) struct Key {
    pub(super) account: AccountId,
    pub(super) name: String,
    /// SHA-256 of all that decides the answer.
    pub(super) digest: Bytes32,
}

/// An answer as it is kept.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    jobs: Vec<JobId>,
    /// Whether it is a stream's events, or one body.
    streamed: bool,
    /// JSON, each.
    pieces: Vec<String>,
}

/// All that decides the answer: what was asked, in which dialect, how it is to be written, and what headers or the API key
/// say of it.
pub(super) fn digest(job: &ChatJob, dialect: &Dialect) -> Bytes32 {
    let risk = job.terms.risk.as_str();
    let nonce = job.nonce.as_deref().unwrap_or_default();
    let (prefix, written) = (job.id_prefix.as_bytes(), dialect.writing().as_bytes());
    let fields = [prefix, &job.request.0, written, risk.as_bytes(), nonce.as_bytes()];
    Bytes32(Sha256::digest(identity::statement(b"assay/keyed-request/1", &fields)).into())
}

/// Gives the answer that there is, or has a task make it.
pub(super) async fn answer(
    app: &App,
    caller: &Caller,
    job: ChatJob,
    style: Style,
    key: Key,
) -> Result<Response, ApiError> {
    match kept_answers::claim(app, key.account, &key.name, key.digest).await? {
        Claim::Own(keeping) => {
            let (sender, began) = oneshot::channel();
            let task = keep(app.clone(), *caller, job, style, keeping, sender);
            app.tasks.spawn(task);
            let began = began.await.map_err(|_| ApiError::panicked())?;
            Ok(began.into_response(app))
        }
        Claim::Answered(Some(answer)) => replay(app, &answer),
        Claim::Answered(None) => Err(ApiError::answer_not_kept()),
        Claim::Running => Err(ApiError::key_in_progress()),
        Claim::Other => Err(ApiError::key_reused()),
    }
}

/// What the client gets of an answer that is being made.
enum Began {
    Whole(Vec<JobId>, String),
    Stream(Vec<JobId>, mpsc::Receiver<Item>),
    Nothing(Vec<JobId>, ApiError),
}

impl Began {
    fn into_response(self, app: &App) -> Response {
        match self {
            Self::Whole(jobs, body) => naming(app, &jobs, json(body)),
            Self::Nothing(jobs, error) => naming(app, &jobs, error.into_response()),
            Self::Stream(jobs, items) => {
                let items = stream::unfold(items, |mut items| async {
                    let item = items.recv().await?;
                    Some((item, items))
                });
                naming(app, &jobs, events(app, items))
            }
        }
    }
}

/// Owns the answer, whether its client is still there or not.
async fn keep(
    app: App,
    caller: Caller,
    job: ChatJob,
    style: Style,
    keeping: Keeping,
    began: oneshot::Sender<Began>,
) {
    let deliveries = match serving::serve_request(&app, &caller, job).await {
        Ok(deliveries) => deliveries,
        Err(error) => {
            keeping.forget().await;
            return drop(began.send(Began::Nothing(Vec::new(), style.refusal(error))));
        }
    };
    let jobs = deliveries.jobs();
    match style.streaming {
        Streaming::No => match whole(&style, deliveries).await {
            Ok((body, deliveries)) => {
                let body = written(&body);
                let kept = Kept { jobs: jobs.clone(), streamed: false, pieces: vec![body.clone()] };
                match keeping.keep(written(&kept)).await {
                    true => deliveries.settle(),
                    false => deliveries.void(),
                }
                let _ = began.send(Began::Whole(jobs, body));
            }
            Err(error) => {
                keeping.forget().await;
                let _ = began.send(Began::Nothing(jobs, error));
            }
        },
        Streaming::Yes { .. } => {
            let room = deliveries.events_max() + EVENTS_BESIDES_TEXT * jobs.len();
            match Feed::begin(&app, &style, deliveries).await {
                Ok(feed) => {
                    let (live, items) = mpsc::channel(room);
                    let _ = began.send(Began::Stream(jobs.clone(), items));
                    keep_stream(feed, jobs, keeping, live).await;
                }
                Err(error) => {
                    keeping.forget().await;
                    let _ = began.send(Began::Nothing(jobs, error));
                }
            }
        }
    }
}

/// The client does not have the last event before the answer is kept.
async fn keep_stream(mut feed: Feed, jobs: Vec<JobId>, keeping: Keeping, live: mpsc::Sender<Item>) {
    let mut record = Record::default();
    // There is room for all events of the answer; a client that left hears none.
    let send = |item| drop(live.try_send(item));
    while let Some(item) = feed.next().await {
        match &item {
            Item::Chunk(chunk) => record.add(chunk.clone()),
            Item::Error(_) => {
                keeping.forget().await;
                feed.into_deliveries().void();
                return send(item);
            }
            Item::Last(last) => {
                if let LastEvent::Response(event) = last {
                    record.add(Chunk::Response(event.clone()));
                }
                let pieces = record.chunks.iter().map(written).collect();
                let kept = Kept { jobs, streamed: true, pieces };
                match keeping.keep(written(&kept)).await {
                    true => feed.into_deliveries().settle(),
                    false => feed.into_deliveries().void(),
                }
                return send(item);
            }
        }
        send(item);
    }
}

/// A stream's events, with the pieces of each choice put together.
#[derive(Default)]
struct Record {
    chunks: Vec<Chunk>,
    /// Where the text of each choice is.
    texts: BTreeMap<u32, usize>,
}

impl Record {
    fn add(&mut self, chunk: Chunk) {
        let Some(index) = chunk.piece_of() else { return self.chunks.push(chunk) };
        match self.texts.get(&index) {
            Some(at) => self.chunks[*at].append(chunk),
            None => {
                self.texts.insert(index, self.chunks.len());
                self.chunks.push(chunk);
            }
        }
    }
}

fn replay(app: &App, answer: &str) -> Result<Response, ApiError> {
    let kept: Kept = serde_json::from_str(answer).map_err(|error| {
        tracing::error!(%error, "a kept answer cannot be read");
        ApiError::panicked()
    })?;
    let response = match (kept.streamed, kept.pieces) {
        (false, pieces) => json(pieces.into_iter().next().unwrap_or_default()),
        (true, pieces) => {
            let names: Vec<_> = pieces.iter().map(|json| event_name(json)).collect();
            let done = names.iter().all(Option::is_none).then(feed::done);
            let events = names.into_iter().zip(pieces).map(|(name, json)| {
                let event = sse::Event::default().data(json);
                name.into_iter().fold(event, sse::Event::event)
            });
            super::sent_events(app, stream::iter(events.chain(done).collect::<Vec<_>>()))
        }
    };
    let mut response = naming(app, &kept.jobs, response);
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

/// What an event of a response is called.
fn event_name(json: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Typed {
        r#type: String,
    }
    serde_json::from_str::<Typed>(json).ok().map(|typed| typed.r#type)
}

fn json(body: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn written(value: &impl Serialize) -> String {
    // Our own types have string keys and no failing parts, so this cannot fail.
    serde_json::to_string(value).expect("an answer of ours is JSON")
}

//! News of a request's jobs as the events of a stream, up to `[DONE]` or an error event.

use std::collections::VecDeque;

use assay_protocol::JobId;
use axum::response::sse;
use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use super::{Style, told::Teller, verdict};
use crate::{
    api::ApiError,
    app::App,
    openai::{Chunk, DONE, Dialect, DialectWriter, End, ErrorBody, ErrorDetail, LastEvent, Usage},
    serving::{Deliveries, Event, ServeError},
};

/// One event.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Chunk(Chunk),
    /// SDKs take a stream without `[DONE]` for complete; only an error event tells them otherwise.
    Error(StreamError),
    Last(LastEvent),
}

/// What broke a stream, and its number where events are numbered.
#[derive(Clone, Debug)]
pub(super) struct StreamError {
    body: ErrorBody,
    number: Option<u64>,
}

/// An error among typed events: SDKs read it at either place.
#[derive(Debug, Serialize)]
struct TypedError<'a> {
    r#type: &'static str,
    sequence_number: u64,
    code: &'a Option<String>,
    message: &'a str,
    param: &'a Option<String>,
    error: &'a ErrorDetail,
}

/// What is still to be sent. Dropping it drops the deliveries: then the jobs know that the client left.
pub(super) struct Feed {
    dialect: Dialect,
    writer: DialectWriter,
    ready: VecDeque<Item>,
    deliveries: Deliveries,
    jobs: Vec<JobId>,
    tellers: Vec<Teller>,
    /// Choices that go on.
    open: usize,
    usage: Usage,
    /// Of an only choice.
    verdict: Option<Value>,
    over: bool,
}

impl Feed {
    /// Waits for the first news: as long as nothing was sent, an error still gets its own status. But no longer than a
    /// connection may be silent: then the stream begins, and lives on comments.
    pub(super) async fn begin(
        app: &App,
        style: &Style,
        mut deliveries: Deliveries,
    ) -> Result<Self, ApiError> {
        let first = timeout(app.config.limits.keep_alive(), deliveries.next()).await;
        if let Ok(Some((_, Event::Failed(error)))) = first {
            deliveries.void();
            return Err(style.refusal(error));
        }
        let (jobs, tellers) = (deliveries.jobs(), style.tellers(&deliveries));
        let mut writer = style.writer(&deliveries);
        let ready = writer.begin().into_iter().map(Item::Chunk).collect();
        let (open, usage) = (jobs.len(), Usage::of(0, 0));
        let mut feed = Self {
            dialect: style.dialect.clone(),
            writer,
            ready,
            deliveries,
            jobs,
            tellers,
            open,
            usage,
            verdict: None,
            over: false,
        };
        if let Ok(first) = first {
            feed.take(first);
        }
        Ok(feed)
    }

    /// The next event; nothing after the last.
    pub(super) async fn next(&mut self) -> Option<Item> {
        while self.ready.is_empty() && !self.over {
            let news = self.deliveries.next().await;
            self.take(news);
        }
        self.ready.pop_front()
    }

    /// Lets go of the jobs, once the client has all of the answer or will never have it.
    pub(super) fn into_deliveries(self) -> Deliveries {
        self.deliveries
    }

    fn take(&mut self, news: Option<(usize, Event)>) {
        let Some((at, event)) = news else { return self.break_off(ServeError::Internal.into()) };
        let index = u32::try_from(at).unwrap_or(u32::MAX);
        match event {
            Event::Told(told) => self.tellers[at].take(told),
            Event::Text(text) => self.piece(at, text),
            Event::Call { index: call, name } => {
                let begins = self.writer.call(index, self.jobs[at], call, name);
                self.send(begins);
            }
            Event::Arguments { index: call, text } => {
                let more = self.writer.arguments(index, call, text);
                self.send(more);
            }
            // They come whole.
            Event::Vectors(_) => {}
            Event::Done(summary) => {
                let used = Usage::of(summary.prompt_tokens, summary.completion_tokens);
                self.usage = self.usage.plus(used);
                // Tokens without a text of their own, at the end.
                self.piece(at, String::new());
                let verdict = verdict(&self.dialect, self.jobs[at], &summary);
                let end = self.writer.finish(index, summary.finish.as_str(), &verdict);
                self.send(end);
                self.verdict = Some(verdict);
                self.open -= 1;
                if self.open == 0 {
                    let End { usage, last } = self.writer.end(self.usage, self.verdict.take());
                    self.ready.extend(usage.map(Item::Chunk));
                    self.ready.push_back(Item::Last(last));
                    self.over = true;
                }
            }
            Event::Failed(error) => {
                let error = ApiError::from(error).renamed(|param| self.dialect.param(param));
                self.break_off(error);
            }
        }
    }

    fn piece(&mut self, at: usize, text: String) {
        let logprobs = self.tellers[at].tell();
        if !text.is_empty() || logprobs.is_some() {
            let index = u32::try_from(at).unwrap_or(u32::MAX);
            let piece = self.writer.piece(index, text, logprobs);
            self.send(piece);
        }
    }

    fn send(&mut self, chunks: Vec<Chunk>) {
        self.ready.extend(chunks.into_iter().map(Item::Chunk));
    }

    fn break_off(&mut self, error: ApiError) {
        let (body, number) = (error.into_body(), self.writer.error_number());
        self.ready.push_back(Item::Error(StreamError { body, number }));
        self.over = true;
    }
}

impl Item {
    pub(super) fn into_event(self) -> sse::Event {
        match self {
            Self::Chunk(Chunk::Response(event)) | Self::Last(LastEvent::Response(event)) => {
                json(&event).event(event.name)
            }
            Self::Chunk(chunk) => json(&chunk),
            Self::Error(error) => error.into_event(),
            Self::Last(LastEvent::Done) => done(),
        }
    }
}

impl StreamError {
    fn into_event(self) -> sse::Event {
        let Some(sequence_number) = self.number else { return json(&self.body) };
        let error = &self.body.error;
        let ErrorDetail { code, message, param, .. } = error;
        let r#type = "error";
        json(&TypedError { r#type, sequence_number, code, message, param, error }).event(r#type)
    }
}

/// The end of a stream of chunks.
pub(super) fn done() -> sse::Event {
    sse::Event::default().data(DONE)
}

fn json(data: &impl Serialize) -> sse::Event {
    // Our own types have string keys and no failing parts, so this cannot fail.
    sse::Event::default().json_data(data).expect("an event of ours is JSON")
}

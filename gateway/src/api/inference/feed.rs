//! News of a request's jobs as the events of a stream, up to `[DONE]` or an error event.

use std::collections::VecDeque;

use assay_protocol::JobId;
use axum::response::sse;
use serde::Serialize;
use serde_json::Value;

use super::{Style, told::Teller, verdict};
use crate::{
    api::ApiError,
    openai::{AnswerWriter, CallDelta, Chunk, DONE, ErrorBody, Usage},
    serving::{Deliveries, Event, ServeError},
};

/// One event.
#[derive(Clone, Debug)]
pub(super) enum Item {
    Chunk(Chunk),
    /// SDKs take a stream without `[DONE]` for complete; only an error event tells them otherwise.
    Error(ErrorBody),
    Done,
}

/// What is still to be sent. Dropping it drops the deliveries: then the jobs know that the client left.
pub(super) struct Feed {
    writer: AnswerWriter,
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
    /// Waits for the first news: as long as nothing was sent, an error still gets its own status.
    pub(super) async fn begin(style: &Style, mut deliveries: Deliveries) -> Result<Self, ApiError> {
        let first = deliveries.next().await;
        if let Some((_, Event::Failed(error))) = first {
            deliveries.void();
            return Err(error.into());
        }
        let (jobs, tellers) = (deliveries.jobs(), style.tellers(&deliveries));
        let writer = style.writer(&deliveries);
        let ready = writer.begin().into_iter().map(Item::Chunk).collect();
        let (open, usage) = (jobs.len(), Usage::of(0, 0));
        let mut feed = Self {
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
        feed.take(first);
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
                let begins = CallDelta::begins(self.jobs[at], call, name);
                self.ready.push_back(Item::Chunk(self.writer.call(index, begins)));
            }
            Event::Arguments { index: call, text } => {
                let more = CallDelta::goes_on(call, text);
                self.ready.push_back(Item::Chunk(self.writer.call(index, more)));
            }
            // Only what is embedded has vectors, and that is asked for elsewhere.
            Event::Vectors(_) => {}
            Event::Done(summary) => {
                let used = Usage::of(summary.prompt_tokens, summary.completion_tokens);
                self.usage = self.usage.plus(used);
                // Tokens without a text of their own, at the end.
                self.piece(at, String::new());
                let verdict = verdict(self.jobs[at], &summary);
                let end = self.writer.finish(index, summary.finish.as_str(), &verdict);
                self.ready.push_back(Item::Chunk(end));
                self.verdict = Some(verdict);
                self.open -= 1;
                if self.open == 0 {
                    let usage = self.writer.usage(self.usage, self.verdict.take());
                    self.ready.extend(usage.map(Item::Chunk));
                    self.ready.push_back(Item::Done);
                    self.over = true;
                }
            }
            Event::Failed(error) => self.break_off(error.into()),
        }
    }

    fn piece(&mut self, at: usize, text: String) {
        let logprobs = self.tellers[at].tell();
        if !text.is_empty() || logprobs.is_some() {
            let index = u32::try_from(at).unwrap_or(u32::MAX);
            self.ready.push_back(Item::Chunk(self.writer.piece(index, text, logprobs)));
        }
    }

    fn break_off(&mut self, error: ApiError) {
        self.ready.push_back(Item::Error(error.into_body()));
        self.over = true;
    }
}

impl Item {
    pub(super) fn into_event(self) -> sse::Event {
        match self {
            Self::Chunk(chunk) => json(&chunk),
            Self::Error(error) => json(&error),
            Self::Done => sse::Event::default().data(DONE),
        }
    }
}

fn json(data: &impl Serialize) -> sse::Event {
    // Our own types have string keys and no failing parts, so this cannot fail.
    sse::Event::default().json_data(data).expect("an event of ours is JSON")
}

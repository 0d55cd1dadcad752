//! A job's news as server-sent events, up to `[DONE]` or an error event.

use std::{collections::VecDeque, convert::Infallible};

use axum::response::sse;
use futures_util::{Stream, stream};
use serde::Serialize;

use super::{ended_without_result, verdict};
use crate::{
    api::ApiError,
    openai::{ChunkWriter, DONE, Usage},
    serving::{Delivery, Event},
};

/// What is still to be sent. Dropping it drops the delivery: then the job knows that the client left.
pub(super) struct Feed {
    writer: ChunkWriter,
    ready: VecDeque<sse::Event>,
    delivery: Delivery,
    over: bool,
}

impl Feed {
    /// Starts with the role; `first` is the news that let the status be 200.
    pub(super) fn new(writer: ChunkWriter, first: Event, delivery: Delivery) -> Self {
        let ready = VecDeque::from([json(&writer.role())]);
        let mut feed = Self { writer, ready, delivery, over: false };
        feed.take(first);
        feed
    }

    pub(super) fn into_stream(self) -> impl Stream<Item = Result<sse::Event, Infallible>> {
        stream::unfold(self, |mut feed| async {
            let event = feed.next().await?;
            Some((Ok(event), feed))
        })
    }

    async fn next(&mut self) -> Option<sse::Event> {
        while self.ready.is_empty() && !self.over {
            match self.delivery.next().await {
                Some(event) => self.take(event),
                None => self.break_off(ended_without_result()),
            }
        }
        self.ready.pop_front()
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Text(text) => self.ready.push_back(json(&self.writer.content(text))),
            Event::Done(summary) => {
                let usage = Usage::of(summary.prompt_tokens, summary.completion_tokens);
                let chunks = self.writer.end(
                    summary.finish.as_str(),
                    usage,
                    verdict(&self.delivery, &summary),
                );
                self.ready.extend(chunks.iter().map(json));
                self.ready.push_back(sse::Event::default().data(DONE));
                self.over = true;
            }
            Event::Failed(error) => self.break_off(error.into()),
        }
    }

    /// SDKs take a stream without `[DONE]` for complete; only an error event tells them otherwise.
    fn break_off(&mut self, error: ApiError) {
        self.ready.push_back(json(&error.into_body()));
        self.over = true;
    }
}

fn json(data: &impl Serialize) -> sse::Event {
    // Our own types have string keys and no failing parts, so this cannot fail.
    sse::Event::default().json_data(data).expect("an event of ours is JSON")
}

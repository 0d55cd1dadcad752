//! The dialect that a client asked in is the one that it is answered in: choices, or a response with typed events.

use assay_protocol::JobId;
use assay_verifier::receipt::bound::call_id;
use serde_json::Value;

use super::{
    AnswerWriter, Asked, Body, CallDelta, Chunk, Form, Logprobs, ResponseEvent, ResponseWriter,
    Usage, WholeChoice,
};

/// What an answer is to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Dialect {
    Choices(Form),
    /// What a response repeats.
    Response(Box<Asked>),
}

/// Writes one answer.
#[derive(Clone, Debug)]
pub enum DialectWriter {
    Choices(AnswerWriter),
    Response(Box<ResponseWriter>),
}

/// The end of a stream that ended well.
#[derive(Clone, Debug)]
pub struct End {
    /// For whoever asked for it.
    pub usage: Option<Chunk>,
    pub last: LastEvent,
}

/// By what a client knows that it has all.
#[derive(Clone, Debug)]
pub enum LastEvent {
    /// `[DONE]`.
    Done,
    Response(ResponseEvent),
}

impl Dialect {
    /// What the id of an answer begins with.
    pub fn id_prefix(&self) -> &'static str {
        match self {
            Self::Choices(form) => form.id_prefix(),
            Self::Response(_) => "resp_",
        }
    }
}

impl DialectWriter {
    /// The answer in one piece.
    pub fn whole(self, choices: Vec<WholeChoice>, usage: Usage) -> Body {
        match self {
            Self::Choices(writer) => writer.whole(choices, usage),
            Self::Response(mut writer) => {
                // There is one.
                for WholeChoice { text, calls, finish_reason, verdict, .. } in choices {
                    if !text.is_empty() {
                        writer.text(&text);
                    }
                    for call in calls {
                        writer.call(call.id, call.function.name);
                        writer.arguments(&call.function.arguments);
                    }
                    writer.finish(finish_reason);
                    writer.last(usage.into(), Some(verdict));
                }
                Body::Response(Box::new(writer.into_object()))
            }
        }
    }

    /// What comes before any text.
    pub fn begin(&mut self) -> Vec<Chunk> {
        match self {
            Self::Choices(writer) => writer.begin(),
            Self::Response(writer) => chunks(writer.begin()),
        }
    }

    /// A piece of a choice.
    pub fn piece(&mut self, index: u32, text: String, logprobs: Option<Logprobs>) -> Vec<Chunk> {
        match self {
            Self::Choices(writer) => vec![writer.piece(index, text, logprobs)],
            Self::Response(writer) => chunks(writer.text(&text)),
        }
    }

    /// A call begins.
    pub fn call(&mut self, index: u32, job: JobId, call: u32, name: String) -> Vec<Chunk> {
        match self {
            Self::Choices(writer) => vec![writer.call(index, CallDelta::begins(job, call, name))],
            Self::Response(writer) => chunks(writer.call(call_id(job, call), name)),
        }
    }

    /// It goes on.
    pub fn arguments(&mut self, index: u32, call: u32, text: String) -> Vec<Chunk> {
        match self {
            Self::Choices(writer) => vec![writer.call(index, CallDelta::goes_on(call, text))],
            Self::Response(writer) => chunks(writer.arguments(&text)),
        }
    }

    /// The last of a choice.
    pub fn finish(
        &mut self,
        index: u32,
        finish_reason: &'static str,
        verdict: &Value,
    ) -> Vec<Chunk> {
        match self {
            Self::Choices(writer) => vec![writer.finish(index, finish_reason, verdict)],
            Self::Response(writer) => chunks(writer.finish(finish_reason)),
        }
    }

    /// What comes after all choices, with the verdict of an only one.
    pub fn end(&mut self, usage: Usage, verdict: Option<Value>) -> End {
        match self {
            Self::Choices(writer) => {
                End { usage: writer.usage(usage, verdict), last: LastEvent::Done }
            }
            Self::Response(writer) => {
                let last = writer.last(usage.into(), verdict);
                End { usage: None, last: LastEvent::Response(last) }
            }
        }
    }

    /// The number that an error has among the events, where they are numbered.
    pub fn error_number(&self) -> Option<u64> {
        match self {
            Self::Choices(_) => None,
            Self::Response(writer) => Some(writer.next_number()),
        }
    }
}

fn chunks(events: Vec<ResponseEvent>) -> Vec<Chunk> {
    events.into_iter().map(Chunk::Response).collect()
}

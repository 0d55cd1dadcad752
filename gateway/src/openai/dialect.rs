//! The dialect that a client asked in is the one that it is answered in: choices, or a response with typed events.

use assay_model::responses::Names;
use assay_protocol::JobId;
use assay_verifier::receipt::bound::{EMBEDDING_PREFIX, call_id};
use serde_json::Value;

use super::{
    AnswerWriter, Asked, Body, CallDelta, Chunk, EmbeddingList, EncodingFormat, Form, Logprobs,
    ResponseEvent, ResponseWriter, Usage, WholeChoice,
};

/// What an answer is to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Dialect {
    Choices(Form),
    Response {
        /// What it repeats.
        asked: Box<Asked>,
        /// What a chat's fields are called there.
        names: Names,
    },
    Vectors {
        format: EncodingFormat,
        /// How many components each is to have, if the client says so.
        dimensions: Option<i64>,
    },
}

/// Writes one answer.
#[derive(Clone, Debug)]
pub enum DialectWriter {
    Choices(AnswerWriter),
    Response(Box<ResponseWriter>),
    /// They come whole.
    Vectors(VectorsWriter),
}

/// What vectors are written with.
#[derive(Clone, Debug)]
pub struct VectorsWriter {
    pub model: String,
    pub dimensions: usize,
    pub format: EncodingFormat,
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
            Self::Response { .. } => "resp_",
            Self::Vectors { .. } => EMBEDDING_PREFIX,
        }
    }

    /// How the same answer is written, where there is more than one way.
    pub fn writing(&self) -> &'static str {
        match self {
            Self::Vectors { format, .. } => format.as_str(),
            Self::Choices(_) | Self::Response { .. } => "",
        }
    }

    /// What the client calls the field that is `param` in a chat.
    pub fn param(&self, param: &str) -> String {
        match (self, param) {
            (Self::Choices(Form::Text), "messages") => "prompt".to_owned(),
            (Self::Vectors { .. }, "messages" | "prompt") => "input".to_owned(),
            (Self::Response { names, .. }, param) => names.param(param),
            (Self::Choices(_) | Self::Vectors { .. }, param) => param.to_owned(),
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
            Self::Vectors(VectorsWriter { model, dimensions, format }) => {
                // All vectors are of one job.
                let whole = choices.into_iter().next().unwrap_or_default();
                let (vectors, verdict) = (whole.vectors, whole.verdict);
                let tokens = usage.prompt_tokens;
                Body::Vectors(EmbeddingList::of(
                    &model, &vectors, dimensions, format, tokens, verdict,
                ))
            }
        }
    }

    /// What comes before any text.
    pub fn begin(&mut self) -> Vec<Chunk> {
        match self {
            Self::Choices(writer) => writer.begin(),
            Self::Response(writer) => chunks(writer.begin()),
            Self::Vectors(_) => Vec::new(),
        }
    }

    /// A piece of a choice.
    pub fn piece(&mut self, index: u32, text: String, logprobs: Option<Logprobs>) -> Vec<Chunk> {
        match self {
            Self::Choices(writer) => vec![writer.piece(index, text, logprobs)],
            Self::Response(writer) => chunks(writer.text(&text)),
            Self::Vectors(_) => Vec::new(),
        }
    }

    /// A call begins.
    pub fn call(&mut self, index: u32, job: JobId, call: u32, name: String) -> Vec<Chunk> {
        match self {
            Self::Choices(writer) => vec![writer.call(index, CallDelta::begins(job, call, name))],
            Self::Response(writer) => chunks(writer.call(call_id(job, call), name)),
            Self::Vectors(_) => Vec::new(),
        }
    }

    /// It goes on.
    pub fn arguments(&mut self, index: u32, call: u32, text: String) -> Vec<Chunk> {
        match self {
            Self::Choices(writer) => vec![writer.call(index, CallDelta::goes_on(call, text))],
            Self::Response(writer) => chunks(writer.arguments(&text)),
            Self::Vectors(_) => Vec::new(),
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
            Self::Vectors(_) => Vec::new(),
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
            Self::Vectors(_) => End { usage: None, last: LastEvent::Done },
        }
    }

    /// The number that an error has among the events, where they are numbered.
    pub fn error_number(&self) -> Option<u64> {
        match self {
            Self::Choices(_) | Self::Vectors(_) => None,
            Self::Response(writer) => Some(writer.next_number()),
        }
    }
}

fn chunks(events: Vec<ResponseEvent>) -> Vec<Chunk> {
    events.into_iter().map(Chunk::Response).collect()
}

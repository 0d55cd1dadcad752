//! `POST /v1/chat/completions` as server-sent events: what each event's `data` says.
//!
//! The role comes first, then pieces of content, then exactly one `finish_reason` for each choice; with
//! `include_usage` one more chunk with no choices and the usage, and `usage: null` on all others. `AnswerWriter` puts
//! them in this order.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{CallDelta, ChatLogprobs, Usage};
use crate::serving::Verdict;

/// The end of a stream that ended well. SDKs also take a missing one for success, so a stream that
/// broke must end with an error event.
pub const DONE: &str = "[DONE]";

/// One event of the stream.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatChunk {
    /// `chatcmpl-` and the job's id, the same in every chunk.
    pub id: String,
    /// Always `chat.completion.chunk`.
    pub object: &'static str,
    /// Unix seconds, the same in every chunk.
    pub created: i64,
    /// The name that was asked for.
    pub model: String,
    pub system_fingerprint: String,
    /// One, each time; none in the usage chunk.
    pub choices: Vec<ChunkChoice>,
    /// Only with `stream_options.include_usage`: null until the usage chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Usage>)]
    pub usage: Option<Option<Usage>>,
    /// In the last chunk: how the answer was verified; of several choices each has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Verdict>)]
    pub x_assay: Option<Value>,
}

/// A piece of one choice.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChunkChoice {
    pub index: u32,
    pub delta: Delta,
    /// Of the tokens of this piece, if they were asked for.
    #[schema(required)]
    pub logprobs: Option<ChatLogprobs>,
    /// `stop`, `length` or `tool_calls` in the last chunk with a choice, null before.
    #[schema(required)]
    pub finish_reason: Option<&'static str>,
    /// How it was verified, in its last chunk, where there are several choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Verdict>)]
    pub x_assay: Option<Value>,
}

/// What is new.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Delta {
    /// `assistant`, in the first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The next piece of a call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<CallDelta>,
    /// Null, in the first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub refusal: Option<Option<String>>,
}

impl Delta {
    /// Who speaks: the first of each choice.
    pub fn role() -> Self {
        Self {
            role: Some("assistant"),
            content: Some(String::new()),
            refusal: Some(None),
            ..Self::default()
        }
    }

    /// A piece of the answer.
    pub fn content(text: String) -> Self {
        Self { content: Some(text), ..Self::default() }
    }

    /// A piece of a call.
    pub fn call(piece: CallDelta) -> Self {
        Self { tool_calls: vec![piece], ..Self::default() }
    }
}

impl ChunkChoice {
    /// News of a choice that goes on.
    pub fn of(index: u32, delta: Delta) -> Self {
        Self { index, delta, logprobs: None, finish_reason: None, x_assay: None }
    }
}

//! `POST /v1/completions`, the answer: plain and as server-sent events, which have one shape there.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{TextLogprobs, Usage};
use crate::serving::Verdict;

/// A whole answer, or one event of a stream.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TextCompletion {
    /// `cmpl-` and the first job's id.
    pub id: String,
    /// Always `text_completion`.
    pub object: &'static str,
    /// Unix seconds.
    pub created: i64,
    /// The name that was asked for.
    pub model: String,
    /// Names the model's exact content: the start of its manifest's hash.
    pub system_fingerprint: String,
    /// All of them, by prompt; in an event one, or none beside the usage.
    pub choices: Vec<TextChoice>,
    /// In a stream only with `stream_options.include_usage`: null until the last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Usage>)]
    pub usage: Option<Option<Usage>>,
    /// How the answer was verified; of several choices each has its own. Not of OpenAI's shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Verdict>)]
    pub x_assay: Option<Value>,
}

/// One of the answers, or a piece of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TextChoice {
    pub index: u32,
    pub text: String,
    /// Of the tokens of this piece, if they were asked for.
    #[schema(required)]
    pub logprobs: Option<TextLogprobs>,
    /// `stop` or `length`; null before the last piece.
    #[schema(required)]
    pub finish_reason: Option<&'static str>,
    /// How it was verified, where there are several choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Verdict>)]
    pub x_assay: Option<Value>,
}

impl TextChoice {
    /// A piece of a choice that goes on.
    pub fn of(index: u32, text: String) -> Self {
        Self { index, text, logprobs: None, finish_reason: None, x_assay: None }
    }
}

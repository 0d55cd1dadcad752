//! `POST /v1/responses`, the answer: an object with items, some of which repeats what was asked for.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{openai::Usage, serving::Verdict};

/// A response, as it stands or as it ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ResponseObject {
    /// `resp_` and the job's id.
    pub id: String,
    /// Always `response`.
    pub object: &'static str,
    /// Unix seconds.
    pub created_at: i64,
    /// `in_progress`, `completed`, or `incomplete` (see `incomplete_details`).
    pub status: &'static str,
    /// Always null: what fails is an error, or an error event.
    #[schema(required, value_type = Option<Object>)]
    pub error: Option<Value>,
    /// `{"reason": "max_output_tokens"}` where the answer was cut.
    #[schema(required)]
    pub incomplete_details: Option<Incomplete>,
    /// The name that was asked for.
    pub model: String,
    pub output: Vec<OutputItem>,
    #[schema(required)]
    pub usage: Option<ResponseUsage>,
    /// As they were asked for.
    #[serde(flatten)]
    pub asked: Asked,
    /// How the answer was verified. Not of OpenAI's shape; SDKs ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Verdict>)]
    pub x_assay: Option<Value>,
}

/// Why an answer is not complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Incomplete {
    pub reason: &'static str,
}

/// What a response repeats of its request, with OpenAI's defaults.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Asked {
    #[schema(required)]
    pub instructions: Option<String>,
    #[schema(required)]
    pub max_output_tokens: Option<i64>,
    #[schema(value_type = Object)]
    pub metadata: Value,
    pub parallel_tool_calls: bool,
    /// Always null: nothing is stored.
    #[schema(required)]
    pub previous_response_id: Option<String>,
    /// Always false: nothing is stored.
    pub store: bool,
    pub temperature: f64,
    #[schema(value_type = Object)]
    pub text: Value,
    pub tool_choice: Value,
    #[schema(value_type = Vec<Object>)]
    pub tools: Vec<Value>,
    pub top_p: f64,
    /// Always `disabled`: a prompt that is too long is refused.
    pub truncation: &'static str,
}

/// One thing that the model put out.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OutputItem {
    /// What it says.
    Message {
        id: String,
        /// `in_progress`, `completed` or `incomplete`.
        status: &'static str,
        /// Always `assistant`.
        role: &'static str,
        content: Vec<OutputText>,
    },
    /// A function that it calls.
    FunctionCall {
        id: String,
        status: &'static str,
        /// What the function's output must name.
        call_id: String,
        name: String,
        /// The text of a JSON object; its beginning where the answer was cut.
        arguments: String,
    },
}

/// The one part of a message.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OutputText {
    /// Always `output_text`.
    pub r#type: &'static str,
    pub text: String,
    /// Always empty.
    #[schema(value_type = Vec<Object>)]
    pub annotations: [Value; 0],
    /// Always empty.
    #[schema(value_type = Vec<Object>)]
    pub logprobs: [Value; 0],
}

/// Tokens as they are charged, the end token included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ResponseUsage {
    pub input_tokens: u32,
    pub input_tokens_details: CachedTokens,
    pub output_tokens: u32,
    pub output_tokens_details: ReasoningTokens,
    pub total_tokens: u32,
}

/// Always 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct CachedTokens {
    pub cached_tokens: u32,
}

/// Always 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReasoningTokens {
    pub reasoning_tokens: u32,
}

impl OutputItem {
    /// Its own, not the call's.
    pub(super) fn id(&self) -> &str {
        match self {
            Self::Message { id, .. } | Self::FunctionCall { id, .. } => id,
        }
    }
}

impl OutputText {
    /// A text.
    pub fn of(text: String) -> Self {
        Self { r#type: "output_text", text, annotations: [], logprobs: [] }
    }
}

impl From<Usage> for ResponseUsage {
    fn from(usage: Usage) -> Self {
        Self {
            input_tokens: usage.prompt_tokens,
            input_tokens_details: CachedTokens::default(),
            output_tokens: usage.completion_tokens,
            output_tokens_details: ReasoningTokens::default(),
            total_tokens: usage.total_tokens,
        }
    }
}

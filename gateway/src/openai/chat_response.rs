//! `POST /v1/chat/completions`, the plain answer.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{AnswerCall, ChatLogprobs};
use crate::serving::Verdict;

/// A whole answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatCompletion {
    /// `chatcmpl-` and the job's id.
    pub id: String,
    /// Always `chat.completion`.
    pub object: &'static str,
    /// Unix seconds.
    pub created: i64,
    /// The name that was asked for.
    pub model: String,
    pub choices: Vec<Choice>,
    pub usage: Usage,
    /// Names the model's exact content: the start of its manifest's hash.
    pub system_fingerprint: String,
    /// How the answer was verified; of several choices each has its own. Not of OpenAI's shape; SDKs ignore it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Verdict>)]
    pub x_assay: Option<Value>,
}

/// One of the answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Choice {
    pub index: u32,
    pub message: AnswerMessage,
    /// `stop`, `length` or `tool_calls`.
    pub finish_reason: &'static str,
    /// If they were asked for.
    #[schema(required)]
    pub logprobs: Option<ChatLogprobs>,
    /// How it was verified, where there are several choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Verdict>)]
    pub x_assay: Option<Value>,
}

/// What the model says.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AnswerMessage {
    /// Always `assistant`.
    pub role: &'static str,
    /// Null where the model calls functions and says nothing.
    #[schema(required)]
    pub content: Option<String>,
    /// Functions that it calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<AnswerCall>,
    /// Always null.
    #[schema(required)]
    pub refusal: Option<String>,
}

/// Tokens as they are charged, the end tokens included; of several choices the sum, each with its prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Usage {
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
    pub total_tokens: u32,
}

impl Usage {
    /// Both counts and their sum.
    pub fn of(prompt_tokens: u32, completion_tokens: u32) -> Self {
        let total_tokens = prompt_tokens.saturating_add(completion_tokens);
        Self { prompt_tokens, completion_tokens, total_tokens }
    }

    /// The sum of both.
    pub fn plus(self, other: Self) -> Self {
        Self::of(
            self.prompt_tokens.saturating_add(other.prompt_tokens),
            self.completion_tokens.saturating_add(other.completion_tokens),
        )
    }
}

impl Choice {
    /// The whole text of the answer and its calls.
    pub fn of(
        index: u32,
        content: String,
        tool_calls: Vec<AnswerCall>,
        finish_reason: &'static str,
    ) -> Self {
        let content = Some(content).filter(|text| !text.is_empty() || tool_calls.is_empty());
        let message = AnswerMessage { role: "assistant", content, tool_calls, refusal: None };
        Self { index, message, finish_reason, logprobs: None, x_assay: None }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn required_keys_are_there_when_they_are_null() {
        let choice = serde_json::to_value(Choice::of(0, "hi".to_owned(), vec![], "stop")).unwrap();
        let expected = json!({"index": 0, "finish_reason": "stop", "logprobs": null,
            "message": {"role": "assistant", "content": "hi", "refusal": null}});
        assert_eq!(choice, expected);
    }
}

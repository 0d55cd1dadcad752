//! `POST /v1/chat/completions` as server-sent events: what each event's `data` says.
//!
//! The role comes first, then pieces of content, then exactly one `finish_reason`; with
//! `include_usage` one more chunk with no choices and the usage, and `usage: null` on all others.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::Usage;
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
    /// One; none in the usage chunk.
    pub choices: Vec<ChunkChoice>,
    /// Only with `stream_options.include_usage`: null until the usage chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Usage>)]
    pub usage: Option<Option<Usage>>,
    /// In the last chunk: how the answer was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Verdict>)]
    pub x_assay: Option<Value>,
}

/// The piece of the one choice.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChunkChoice {
    pub index: u32,
    pub delta: Delta,
    /// Not served yet: null.
    #[schema(required, value_type = Option<Object>)]
    pub logprobs: Option<Value>,
    /// `stop` or `length` in the last chunk with a choice, null before.
    #[schema(required)]
    pub finish_reason: Option<&'static str>,
}

/// What is new.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Delta {
    /// `assistant`, in the first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Null, in the first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub refusal: Option<Option<String>>,
}

/// Writes the chunks of one stream.
#[derive(Clone, Debug)]
pub struct ChunkWriter {
    pub id: String,
    pub created: i64,
    pub model: String,
    pub system_fingerprint: String,
    pub include_usage: bool,
}

impl ChunkWriter {
    /// The first chunk: who speaks.
    pub fn role(&self) -> ChatChunk {
        let delta =
            Delta { role: Some("assistant"), content: Some(String::new()), refusal: Some(None) };
        self.chunk(delta, None)
    }

    /// A piece of the answer.
    pub fn content(&self, text: String) -> ChatChunk {
        self.chunk(Delta { content: Some(text), ..Delta::default() }, None)
    }

    /// The one or two last chunks; `verdict` goes into the very last.
    pub fn end(&self, finish_reason: &'static str, usage: Usage, verdict: Value) -> Vec<ChatChunk> {
        let mut chunks = vec![self.chunk(Delta::default(), Some(finish_reason))];
        if self.include_usage {
            let choices = Vec::new();
            chunks.push(ChatChunk { usage: Some(Some(usage)), ..self.chunk_of(choices) });
        }
        if let Some(last) = chunks.last_mut() {
            last.x_assay = Some(verdict);
        }
        chunks
    }

    fn chunk(&self, delta: Delta, finish_reason: Option<&'static str>) -> ChatChunk {
        self.chunk_of(vec![ChunkChoice { index: 0, delta, logprobs: None, finish_reason }])
    }

    fn chunk_of(&self, choices: Vec<ChunkChoice>) -> ChatChunk {
        ChatChunk {
            id: self.id.clone(),
            object: "chat.completion.chunk",
            created: self.created,
            model: self.model.clone(),
            system_fingerprint: self.system_fingerprint.clone(),
            choices,
            usage: self.include_usage.then_some(None),
            x_assay: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chunks(include_usage: bool) -> Vec<Value> {
        let writer = ChunkWriter {
            id: "chatcmpl-1".to_owned(),
            created: 5,
            model: "m".to_owned(),
            system_fingerprint: "fp".to_owned(),
            include_usage,
        };
        let mut chunks = vec![writer.role(), writer.content("hi".to_owned())];
        chunks.extend(writer.end("stop", Usage::of(3, 2), json!({"rule": "agreed"})));
        chunks.iter().map(|chunk| serde_json::to_value(chunk).unwrap()).collect()
    }

    fn head(choices: Value) -> Value {
        json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "m",
            "system_fingerprint": "fp", "choices": choices})
    }

    fn choice(delta: Value, finish: Value) -> Value {
        json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}])
    }

    #[test]
    fn without_usage_asked_no_chunk_speaks_of_it() {
        let role = json!({"role": "assistant", "content": "", "refusal": null});
        let mut last = head(choice(json!({}), json!("stop")));
        last["x_assay"] = json!({"rule": "agreed"});
        let expected = vec![
            head(choice(role, Value::Null)),
            head(choice(json!({"content": "hi"}), Value::Null)),
            last,
        ];
        assert_eq!(chunks(false), expected);
    }

    #[test]
    fn with_usage_asked_one_more_chunk_has_it_and_no_choices() {
        let chunks = chunks(true);
        assert_eq!(chunks.len(), 4);
        for chunk in &chunks[..3] {
            assert_eq!(chunk.get("usage"), Some(&Value::Null));
            assert_eq!(chunk.get("x_assay"), None);
        }
        let mut last = head(json!([]));
        last["usage"] = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5});
        last["x_assay"] = json!({"rule": "agreed"});
        assert_eq!(chunks[3], last);
    }

    #[test]
    fn the_reason_to_end_is_given_exactly_once() {
        for include_usage in [false, true] {
            let reasons = chunks(include_usage);
            let given =
                reasons.iter().filter(|chunk| chunk["choices"][0]["finish_reason"].is_string());
            assert_eq!(given.count(), 1);
        }
    }
}

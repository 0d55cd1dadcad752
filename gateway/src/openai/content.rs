//! The messages of a request: who says what, as the chat template will see it.

use assay_model::{ChatMessage, MessageFields};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::InvalidRequest;

/// One message as clients send it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct MessageAsk {
    /// `developer`, `system`, `user`, `assistant`, `tool` or `function`.
    #[schema(required, value_type = String)]
    role: Option<String>,
    /// A string, or parts of `{"type": "text", "text": "…"}`.
    #[schema(value_type = Option<Value>)]
    content: Option<Value>,
    /// Of an assistant: the functions that it called, as its answer had them.
    #[schema(value_type = Option<Vec<Object>>)]
    tool_calls: Option<Vec<Value>>,
    /// Of a tool: the call that this answers.
    tool_call_id: Option<String>,
    #[schema(value_type = Option<Object>)]
    function_call: Option<Value>,
    #[schema(value_type = Option<Object>)]
    audio: Option<Value>,
}

/// The messages in the template's terms.
pub(super) fn messages(asked: Option<&[MessageAsk]>) -> Result<Vec<ChatMessage>, InvalidRequest> {
    let asked = asked.ok_or_else(|| InvalidRequest::missing("messages"))?;
    if asked.is_empty() {
        return Err(InvalidRequest::of("messages", "'messages' must hold at least one message."));
    }
    asked.iter().enumerate().map(|(index, message)| one(index, message)).collect()
}

fn one(index: usize, message: &MessageAsk) -> Result<ChatMessage, InvalidRequest> {
    let param = |field: &str| format!("messages[{index}].{field}");
    if message.function_call.is_some() {
        return Err(InvalidRequest::not_served(param("function_call"), "Function calls are"));
    }
    if message.audio.is_some() {
        return Err(InvalidRequest::not_served(param("audio"), "Audio is"));
    }
    let fields = MessageFields {
        role: message.role.as_deref(),
        content: message.content.as_ref(),
        tool_calls: message.tool_calls.as_deref().unwrap_or_default(),
        tool_call_id: message.tool_call_id.as_deref(),
    };
    Ok(fields.read(&format!("messages[{index}]"))?)
}

//! The messages of a request: who says what, as the chat template will see it.

use assay_model::{ChatMessage, form};
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
    let asked = asked
        .ok_or_else(|| InvalidRequest::of("messages", "Missing required parameter: 'messages'."))?;
    if asked.is_empty() {
        return Err(InvalidRequest::of("messages", "'messages' must hold at least one message."));
    }
    asked.iter().enumerate().map(|(index, message)| one(index, message)).collect()
}

fn one(index: usize, message: &MessageAsk) -> Result<ChatMessage, InvalidRequest> {
    let param = |field: &str| format!("messages[{index}].{field}");
    let role =
        role(message.role.as_deref()).map_err(|text| InvalidRequest::of(param("role"), text))?;
    if message.function_call.is_some() {
        return Err(InvalidRequest::not_served(param("function_call"), "Function calls are"));
    }
    if message.audio.is_some() {
        return Err(InvalidRequest::not_served(param("audio"), "Audio is"));
    }
    let calls = message.tool_calls.as_deref().unwrap_or_default();
    let tool_calls = form::tool_calls(&param("tool_calls"), calls)?;
    let content = match &message.content {
        // Whoever calls functions need not say anything.
        None | Some(Value::Null) if !tool_calls.is_empty() => String::new(),
        content => text(&param("content"), content.as_ref())?,
    };
    let tool_call_id = message.tool_call_id.clone();
    Ok(ChatMessage { role: role.to_owned(), content, tool_calls, tool_call_id })
}

/// Templates know no developer: it is what OpenAI later called system. `function` is the older tool.
fn role(asked: Option<&str>) -> Result<&'static str, String> {
    match asked {
        Some("developer" | "system") => Ok("system"),
        Some("user") => Ok("user"),
        Some("assistant") => Ok("assistant"),
        Some("tool" | "function") => Ok("tool"),
        Some(other) => Err(format!(
            "Invalid role '{}': supported are developer, system, user, assistant, tool and function.",
            other.chars().take(32).collect::<String>()
        )),
        None => Err("A message needs a 'role'.".to_owned()),
    }
}

/// Text parts are joined by line breaks.
fn text(param: &str, content: Option<&Value>) -> Result<String, InvalidRequest> {
    match content {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => {
            let parts = parts.iter().enumerate();
            let texts: Result<Vec<&str>, _> =
                parts.map(|(index, value)| part(&format!("{param}[{index}]"), value)).collect();
            Ok(texts?.join("\n"))
        }
        None | Some(Value::Null) => {
            Err(InvalidRequest::of(param, "'content' is missing: a string or text parts."))
        }
        Some(_) => {
            Err(InvalidRequest::of(param, "'content' must be a string or an array of parts."))
        }
    }
}

fn part<'a>(param: &str, part: &'a Value) -> Result<&'a str, InvalidRequest> {
    let kind = part.get("type").and_then(Value::as_str).ok_or_else(|| {
        InvalidRequest::of(format!("{param}.type"), "A content part needs a 'type'.")
    })?;
    let field = match kind {
        "text" | "refusal" => kind,
        "image_url" | "input_audio" | "file" => {
            let what = format!("Content parts of type '{kind}' are");
            return Err(InvalidRequest::not_served(format!("{param}.type"), &what));
        }
        _ => {
            return Err(InvalidRequest::of(
                format!("{param}.type"),
                "Unknown type of content part; 'text' is served.",
            ));
        }
    };
    part.get(field).and_then(Value::as_str).ok_or_else(|| {
        InvalidRequest::of(format!("{param}.{field}"), format!("'{field}' must be a string."))
    })
}

//! What a request says in its messages and of where its answer stops, read alike by whoever serves it and whoever checks
//! its receipt.

use serde_json::Value;

use crate::{ChatMessage, WrongForm, form};

/// OpenAI's bound on stop strings …
const STOPS_MAX: usize = 4;
/// … and ours on the length of each, because every one is matched at every token.
const STOP_BYTES_MAX: usize = 256;
/// Of a strange word, as much as is repeated.
const WORD_CHARS_MAX: usize = 32;

/// The fields of a message, as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct MessageFields<'a> {
    pub role: Option<&'a str>,
    /// A string, or parts of `{"type": "text", "text": "…"}`.
    pub content: Option<&'a Value>,
    /// Of an assistant.
    pub tool_calls: &'a [Value],
    /// Of a tool.
    pub tool_call_id: Option<&'a str>,
}

impl MessageFields<'_> {
    /// The message in the template's terms; `param` is its own place.
    pub fn read(&self, param: &str) -> Result<ChatMessage, WrongForm> {
        let param = |field: &str| format!("{param}.{field}");
        let role = role(self.role).map_err(|text| WrongForm::of(param("role"), text))?;
        let tool_calls = form::tool_calls(&param("tool_calls"), self.tool_calls)?;
        let content = match self.content {
            // Whoever calls functions need not say anything.
            None | Some(Value::Null) if !tool_calls.is_empty() => String::new(),
            content => text(&param("content"), content)?,
        };
        let tool_call_id = self.tool_call_id.map(str::to_owned);
        Ok(ChatMessage { role: role.to_owned(), content, tool_calls, tool_call_id })
    }
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
            other.chars().take(WORD_CHARS_MAX).collect::<String>()
        )),
        None => Err("A message needs a 'role'.".to_owned()),
    }
}

/// Text parts are joined by line breaks.
fn text(param: &str, content: Option<&Value>) -> Result<String, WrongForm> {
    match content {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Array(parts)) => {
            let parts = parts.iter().enumerate();
            let texts: Result<Vec<&str>, _> =
                parts.map(|(index, value)| part(&format!("{param}[{index}]"), value)).collect();
            Ok(texts?.join("\n"))
        }
        None | Some(Value::Null) => {
            Err(WrongForm::of(param, "'content' is missing: a string or text parts."))
        }
        Some(_) => Err(WrongForm::of(param, "'content' must be a string or an array of parts.")),
    }
}

fn part<'a>(param: &str, part: &'a Value) -> Result<&'a str, WrongForm> {
    let wrong_kind = |message: &str| WrongForm::of(format!("{param}.type"), message);
    let field = match part.get("type").and_then(Value::as_str) {
        None => return Err(wrong_kind("A content part needs a 'type'.")),
        Some(field @ ("text" | "refusal")) => field,
        Some(kind @ ("image_url" | "input_audio" | "file")) => {
            let message = format!("Content parts of type '{kind}' are not served yet.");
            return Err(WrongForm::unsupported(format!("{param}.type"), message));
        }
        Some(_) => return Err(wrong_kind("Unknown type of content part; 'text' is served.")),
    };
    part.get(field).and_then(Value::as_str).ok_or_else(|| {
        WrongForm::of(format!("{param}.{field}"), format!("'{field}' must be a string."))
    })
}

/// The strings that end an answer: one, or a list.
pub fn stops(asked: Option<&Value>) -> Result<Vec<String>, WrongForm> {
    let wrong =
        || WrongForm::of("stop", "'stop' must be a string or an array of up to four strings.");
    let stops: Vec<String> = match asked {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(texts)) => {
            let texts = texts.iter().map(|text| text.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().ok_or_else(wrong)?
        }
        Some(_) => return Err(wrong()),
    };
    if stops.len() > STOPS_MAX {
        return Err(wrong());
    }
    if stops.iter().any(|text| text.is_empty() || text.len() > STOP_BYTES_MAX) {
        let message = format!("A stop string must be 1 to {STOP_BYTES_MAX} bytes long.");
        return Err(WrongForm::of("stop", message));
    }
    Ok(stops)
}

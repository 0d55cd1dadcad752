//! Bodies of `POST /v1/responses`, put as the chat that asks for the same: whoever serves one and whoever checks its
//! receipt read it alike.

mod items;

use serde_json::{Map, Value, json};

use crate::WrongForm;

/// A chat's body, and what its messages were made of.
#[derive(Clone, Debug, PartialEq)]
pub struct AsChat {
    pub body: Value,
    /// `instructions`, or an item: `input[2]`; for each message.
    origins: Vec<String>,
}

/// Fields that mean the same in a chat's body.
const ALIKE: [&str; 6] =
    ["model", "temperature", "top_p", "stream", "parallel_tool_calls", "verification"];
/// Fields that lean on what is stored, and nothing is.
const STORED: [&str; 3] = ["previous_response_id", "conversation", "prompt"];

/// Whether this is such a body, and no chat's.
pub fn is_response(body: &Value) -> bool {
    body.get("input").is_some() && body.get("messages").is_none()
}

/// The chat that asks for the same.
pub fn as_chat(body: &Value) -> Result<AsChat, WrongForm> {
    for param in STORED {
        if given(body, param).is_some() {
            let message = format!("Nothing is stored here, so '{param}' is not served.");
            return Err(WrongForm::unsupported(param, message));
        }
    }
    if body.get("background") == Some(&Value::Bool(true)) {
        let message = "Nothing is stored here, so nothing runs in the background.";
        return Err(WrongForm::unsupported("background", message));
    }
    let conversation = items::read(given(body, "instructions"), given(body, "input"))?;
    let mut chat = Map::new();
    for key in ALIKE {
        chat.extend(given(body, key).map(|value| (key.to_owned(), value.clone())));
    }
    chat.insert("messages".to_owned(), Value::Array(conversation.messages));
    let mut put = |key: &str, value: Option<Value>| {
        chat.extend(value.map(|value| (key.to_owned(), value)));
    };
    put("max_completion_tokens", given(body, "max_output_tokens").cloned());
    put("tools", given(body, "tools").map(tools));
    put("tool_choice", given(body, "tool_choice").map(choice));
    let format = given(body, "text").and_then(|text| given(text, "format"));
    put("response_format", format.map(response_format));
    Ok(AsChat { body: Value::Object(chat), origins: conversation.origins })
}

impl AsChat {
    /// The name in a response's body of a field of the chat's.
    pub fn param(&self, param: &str) -> String {
        if let Some((index, rest)) =
            param.strip_prefix("messages[").and_then(|rest| rest.split_once(']'))
            && let Some(origin) = index.parse().ok().and_then(|at: usize| self.origins.get(at))
        {
            return format!("{origin}{rest}");
        }
        match param {
            "messages" => "input".to_owned(),
            "max_completion_tokens" => "max_output_tokens".to_owned(),
            _ => param
                .replacen("response_format.json_schema", "text.format", 1)
                .replacen("response_format", "text.format", 1)
                .replacen("tool_choice.allowed_tools", "tool_choice", 1)
                .replacen(".function.", ".", 1),
        }
    }
}

/// A field that is there, and not null.
fn given<'a>(body: &'a Value, key: &str) -> Option<&'a Value> {
    body.get(key).filter(|value| !value.is_null())
}

/// What describes a function is one level deeper in a chat.
fn tools(tools: &Value) -> Value {
    match tools {
        Value::Array(tools) => tools.iter().map(tool).collect(),
        other => other.clone(),
    }
}

fn tool(tool: &Value) -> Value {
    match tool {
        Value::Object(fields) if fields.get("type").is_some_and(|kind| kind == "function") => {
            let described = fields.iter().filter(|(key, _)| *key != "type");
            let function: Map<String, Value> =
                described.map(|(key, value)| (key.clone(), value.clone())).collect();
            json!({"type": "function", "function": function})
        }
        other => other.clone(),
    }
}

fn choice(choice: &Value) -> Value {
    match choice.get("type").and_then(Value::as_str) {
        Some("function") => json!({"type": "function", "function": {"name": choice.get("name")}}),
        Some("allowed_tools") => {
            let allowed = choice.get("tools").map(tools);
            let allowed = json!({"mode": choice.get("mode"), "tools": allowed});
            json!({"type": "allowed_tools", "allowed_tools": allowed})
        }
        _ => choice.clone(),
    }
}

fn response_format(format: &Value) -> Value {
    match format {
        Value::Object(fields) if fields.get("type").is_some_and(|kind| kind == "json_schema") => {
            let described = fields.iter().filter(|(key, _)| *key != "type");
            let schema: Map<String, Value> =
                described.map(|(key, value)| (key.clone(), value.clone())).collect();
            json!({"type": "json_schema", "json_schema": schema})
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests;

//! Bodies of `POST /v1/responses`, put as the chat that asks for the same: whoever serves one and whoever checks its
//! receipt read it alike.

mod items;

use serde_json::{Map, Value, json};

use crate::WrongForm;

/// A chat's body, and what its fields are called where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct AsChat {
    pub body: Value,
    pub names: Names,
}

/// What each message of the chat was made of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names(Vec<Origin>);

/// What a message was made of: `instructions`, `input`, or items, `input[2]`.
#[derive(Clone, Debug, PartialEq)]
struct Origin {
    message: String,
    /// Of each of its calls.
    calls: Vec<String>,
}

/// Fields that mean the same in a chat's body.
const ALIKE: [&str; 6] =
    ["model", "temperature", "top_p", "stream", "parallel_tool_calls", "verification"];
/// Fields that lean on what is stored, and nothing is.
const STORED: [&str; 3] = ["previous_response_id", "conversation", "prompt"];
/// A field, whether a value is one that it may have, and what to say where it is not.
type Kind = (&'static str, fn(&Value) -> bool, &'static str);

/// Fields that are read here alone.
const KINDS: [Kind; 5] = [
    ("background", Value::is_boolean, "true or false"),
    ("include", Value::is_array, "a list"),
    ("text", Value::is_object, "an object"),
    ("top_logprobs", Value::is_u64, "a whole number"),
    ("truncation", is_truncation, "'auto' or 'disabled'"),
];

/// What a body's `include` calls them.
const LOGPROBS: &str = "message.output_text.logprobs";

/// Whether this is such a body, and no other's.
pub fn is_response(body: &Value) -> bool {
    body.get("input").is_some() && body.get("messages").is_none() && body.get("prompt").is_none()
}

/// The chat that asks for the same.
pub fn as_chat(body: &Value) -> Result<AsChat, WrongForm> {
    for param in STORED {
        if given(body, param).is_some() {
            let message = format!("Nothing is stored here, so '{param}' is not served.");
            return Err(WrongForm::unsupported(param, message));
        }
    }
    for (param, is_of_kind, kind) in KINDS {
        if given(body, param).is_some_and(|value| !is_of_kind(value)) {
            return Err(WrongForm::of(param, format!("'{param}' must be {kind}.")));
        }
    }
    if given(body, "moderation").is_some() {
        return Err(WrongForm::unsupported("moderation", "Moderation is not served."));
    }
    let wants = |param: &str, value: Value| given(body, param) == Some(&value);
    if wants("background", json!(true)) {
        let message = "Nothing is stored here, so nothing runs in the background.";
        return Err(WrongForm::unsupported("background", message));
    }
    if wants("truncation", json!("auto")) {
        let message = "Nothing is left out of a conversation; one that is too long is refused.";
        return Err(WrongForm::unsupported("truncation", message));
    }
    let more = given(body, "include").and_then(Value::as_array);
    let logprobs = more.is_some_and(|more| more.contains(&json!(LOGPROBS)));
    let tops = given(body, "top_logprobs").is_some_and(|count| *count != json!(0));
    if logprobs || tops {
        let param = if tops { "top_logprobs" } else { "include" };
        let message = "Log probabilities are told by /v1/chat/completions only.";
        return Err(WrongForm::unsupported(param, message));
    }
    hosted(given(body, "tools"))?;
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
    Ok(AsChat { body: Value::Object(chat), names: Names(conversation.origins) })
}

impl Names {
    /// The name in a response's body of a field of the chat's.
    pub fn param(&self, param: &str) -> String {
        if let Some((index, rest)) =
            param.strip_prefix("messages[").and_then(|rest| rest.split_once(']'))
            && let Some(origin) = index.parse().ok().and_then(|at: usize| self.0.get(at))
        {
            return origin.param(rest);
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

impl Origin {
    /// The name of what is `rest` in the message.
    fn param(&self, rest: &str) -> String {
        let call = rest.strip_prefix(".tool_calls[").and_then(|rest| rest.split_once(']'));
        let call = call.and_then(|(index, rest)| {
            let index: usize = index.parse().ok()?;
            let field = rest.trim_start_matches(".function").replace(".id", ".call_id");
            Some(format!("{}{field}", self.calls.get(index)?))
        });
        call.unwrap_or_else(|| format!("{}{rest}", self.message))
    }
}

fn is_truncation(value: &Value) -> bool {
    ["auto", "disabled"].iter().any(|word| value == word)
}

/// A field that is there, and not null.
fn given<'a>(body: &'a Value, key: &str) -> Option<&'a Value> {
    body.get(key).filter(|value| !value.is_null())
}

/// Tools that OpenAI runs itself are none that we have.
fn hosted(tools: Option<&Value>) -> Result<(), WrongForm> {
    let tools = tools.and_then(Value::as_array).into_iter().flatten();
    let kinds = tools.map(|tool| tool.get("type").and_then(Value::as_str).unwrap_or("function"));
    match kinds.enumerate().find(|(_, kind)| *kind != "function") {
        None => Ok(()),
        Some((index, kind)) => {
            let message = format!("Tools of type '{}' are not served.", items::word(kind));
            Err(WrongForm::unsupported(format!("tools[{index}].type"), message))
        }
    }
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

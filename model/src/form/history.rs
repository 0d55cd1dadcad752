//! Calls of earlier turns, as a request repeats them.

use serde_json::{Map, Value, json};

use super::{WrongForm, functions::is_name};

/// OpenAI's bound on the calls of one turn.
const CALLS_MAX: usize = 128;

/// The `tool_calls` of an assistant's message in the template's terms: arguments are an object there, not its text.
/// Where the text is none, as that of a call that was cut, templates get it as it is. `param` is the field's own place.
pub fn tool_calls(param: &str, asked: &[Value]) -> Result<Vec<Value>, WrongForm> {
    if asked.len() > CALLS_MAX {
        let message = format!("'tool_calls' may hold at most {CALLS_MAX} calls.");
        return Err(WrongForm::of(param, message));
    }
    asked.iter().enumerate().map(|(index, call)| one(&format!("{param}[{index}]"), call)).collect()
}

fn one(param: &str, call: &Value) -> Result<Value, WrongForm> {
    let wrong =
        |field: &str, message: &str| Err(WrongForm::of(format!("{param}.{field}"), message));
    // Some clients leave the type out.
    if call.get("type").is_some_and(|kind| !kind.is_null() && kind != "function") {
        return Err(WrongForm::unsupported(
            format!("{param}.type"),
            "Only calls of functions are served.",
        ));
    }
    let Some(function) = call.get("function").filter(|function| function.is_object()) else {
        return wrong("function", "A call needs a 'function' with 'name' and 'arguments'.");
    };
    let Some(name) = function.get("name").and_then(Value::as_str).filter(|name| is_name(name))
    else {
        return wrong("function.name", "'name' must be the name of a function.");
    };
    let arguments = match function.get("arguments") {
        None | Some(Value::Null) => Value::Object(Map::new()),
        Some(Value::String(text)) if text.trim().is_empty() => Value::Object(Map::new()),
        Some(Value::String(text)) => {
            serde_json::from_str(text).map_or_else(|_| Value::String(text.clone()), Value::Object)
        }
        Some(_) => return wrong("function.arguments", "'arguments' must be a string."),
    };
    let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
    Ok(json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}))
}

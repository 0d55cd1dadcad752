//! The input of a response: items, which become the messages of a chat.

use serde_json::{Value, json};

use super::Origin;
use crate::WrongForm;

/// More than any conversation has.
const ITEMS_MAX: usize = 4_096;
/// Of a strange word, as much as is repeated.
const WORD_CHARS_MAX: usize = 32;

/// The messages of a chat, and what each was made of.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub(super) messages: Vec<Value>,
    pub(super) origins: Vec<Origin>,
}

/// A call belongs to the assistant's message before it.
pub(super) fn read(
    instructions: Option<&Value>,
    input: Option<&Value>,
) -> Result<Conversation, WrongForm> {
    let mut conversation = Conversation::default();
    match instructions {
        None => {}
        Some(Value::String(text)) => {
            conversation.add("instructions", json!({"role": "system", "content": text}));
        }
        Some(_) => return Err(WrongForm::of("instructions", "'instructions' must be a string.")),
    }
    let wrong = |message: String| Err(WrongForm::of("input", message));
    match input {
        None => return wrong("Missing required parameter: 'input'.".into()),
        Some(Value::String(text)) => {
            conversation.add("input", json!({"role": "user", "content": text}));
        }
        Some(Value::Array(items)) if items.is_empty() => {
            return wrong("'input' must hold at least one item.".into());
        }
        Some(Value::Array(items)) if items.len() > ITEMS_MAX => {
            return wrong(format!("'input' may hold at most {ITEMS_MAX} items."));
        }
        Some(Value::Array(items)) => {
            for (index, value) in items.iter().enumerate() {
                Item { param: format!("input[{index}]"), value }.add_to(&mut conversation)?;
            }
        }
        Some(_) => return wrong("'input' must be a string or an array of items.".into()),
    }
    if conversation.messages.is_empty() {
        return wrong("'input' must hold at least one message.".into());
    }
    Ok(conversation)
}

impl Conversation {
    fn add(&mut self, origin: &str, message: Value) {
        self.messages.push(message);
        self.origins.push(Origin { message: origin.to_owned(), calls: Vec::new() });
    }

    fn add_call(&mut self, origin: &str, call: Value) {
        match self.messages.last_mut() {
            Some(last) if last["role"] == "assistant" => match &mut last["tool_calls"] {
                Value::Array(calls) => calls.push(call),
                calls => *calls = json!([call]),
            },
            _ => {
                let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
                self.add(origin, message);
            }
        }
        if let Some(last) = self.origins.last_mut() {
            last.calls.push(origin.to_owned());
        }
    }
}

struct Item<'a> {
    param: String,
    value: &'a Value,
}

impl Item<'_> {
    fn add_to(&self, conversation: &mut Conversation) -> Result<(), WrongForm> {
        let kind = self.value.get("type").filter(|kind| !kind.is_null());
        match kind.map_or(Some("message"), Value::as_str) {
            Some("message") => conversation.add(&self.param, self.message()?),
            Some("function_call") => {
                let function =
                    json!({"name": self.text("name")?, "arguments": self.text("arguments")?});
                let call =
                    json!({"id": self.text("call_id")?, "type": "function", "function": function});
                conversation.add_call(&self.param, call);
            }
            Some("function_call_output") => {
                let content = match self.value.get("output") {
                    Some(Value::String(text)) => json!(text),
                    Some(Value::Array(parts)) => self.parts("output", parts)?,
                    _ => return self.wrong("output", "must be a string or an array of parts"),
                };
                let id = self.text("call_id")?;
                let message = json!({"role": "tool", "tool_call_id": id, "content": content});
                conversation.add(&self.param, message);
            }
            // What a model thought is of no use to another turn.
            Some("reasoning") => {}
            Some("item_reference") => {
                let message = "Nothing is stored here, so items must be sent whole.";
                return Err(WrongForm::unsupported(format!("{}.type", self.param), message));
            }
            Some(other) => {
                let message = format!("Items of type '{}' are not served.", word(other));
                return Err(WrongForm::unsupported(format!("{}.type", self.param), message));
            }
            None => return self.wrong("type", "must be a string"),
        }
        Ok(())
    }

    fn message(&self) -> Result<Value, WrongForm> {
        let Some(role) = self.value.get("role").and_then(Value::as_str) else {
            return self.wrong("role", "must be user, assistant, system or developer");
        };
        let content = match self.value.get("content") {
            Some(Value::Array(parts)) => self.parts("content", parts)?,
            Some(Value::String(text)) => json!(text),
            _ => return self.wrong("content", "must be a string or an array of parts"),
        };
        Ok(json!({"role": role, "content": content}))
    }

    /// A chat's text parts.
    fn parts(&self, field: &str, parts: &[Value]) -> Result<Value, WrongForm> {
        let part = |(index, part): (usize, &Value)| {
            let param = format!("{}.{field}[{index}]", self.param);
            let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
            let text = match kind {
                "input_text" | "output_text" | "text" => part.get("text"),
                "refusal" => part.get("refusal"),
                _ => {
                    let message = format!("Content parts of type '{}' are not served.", word(kind));
                    return Err(WrongForm::unsupported(format!("{param}.type"), message));
                }
            };
            match text {
                Some(Value::String(text)) => Ok(json!({"type": "text", "text": text})),
                _ => Err(WrongForm::of(format!("{param}.text"), "'text' must be a string.")),
            }
        };
        parts.iter().enumerate().map(part).collect()
    }

    fn text(&self, field: &str) -> Result<&str, WrongForm> {
        match self.value.get(field).and_then(Value::as_str) {
            Some(text) => Ok(text),
            None => self.wrong(field, "must be a string"),
        }
    }

    fn wrong<T>(&self, field: &str, what: &str) -> Result<T, WrongForm> {
        Err(WrongForm::of(format!("{}.{field}", self.param), format!("'{field}' {what}.")))
    }
}

pub(super) fn word(text: &str) -> String {
    text.chars().take(WORD_CHARS_MAX).collect()
}

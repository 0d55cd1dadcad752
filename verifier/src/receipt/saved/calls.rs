//! Tool calls in a saved response: whole in a plain answer, in pieces in a stream.

use super::NoResponse;
use crate::receipt::canonical::Json;

/// More calls than an answer ever has.
const CALLS_MAX: usize = 1_024;

/// A call as a client holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedCall {
    pub id: String,
    pub name: String,
    /// The text of a JSON object.
    pub arguments: String,
}

impl SavedCall {
    /// As a plain answer writes it.
    pub(crate) fn to_json(&self) -> Json {
        let text = |text: &str| Json::Text(text.to_owned());
        let object = |entries: Vec<(&str, Json)>| {
            Json::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
        };
        let function =
            object(vec![("name", text(&self.name)), ("arguments", text(&self.arguments))]);
        object(vec![("id", text(&self.id)), ("type", text("function")), ("function", function)])
    }

    /// Whether calls begin with those that came before an answer was cut.
    pub(crate) fn begin_with(calls: &[Self], came: &[Self]) -> bool {
        let Some((last, whole)) = came.split_last() else { return true };
        let Some(now) = calls.get(whole.len()) else { return false };
        calls.starts_with(whole)
            && (&now.id, &now.name) == (&last.id, &last.name)
            && now.arguments.starts_with(&last.arguments)
    }
}

/// Takes the calls of a message, or the pieces of a delta, each of which says which call it goes on with.
pub(super) fn take(calls: &mut Vec<SavedCall>, found: &Json) -> Result<(), NoResponse> {
    let lacks = || NoResponse::Lacks("tool calls");
    for piece in found.as_list().ok_or_else(lacks)? {
        let index = match piece.get("index") {
            Some(index) => index.as_u32().ok_or_else(lacks)? as usize,
            None => calls.len(),
        };
        if index > calls.len() || index >= CALLS_MAX {
            return Err(lacks());
        }
        if index == calls.len() {
            calls.push(SavedCall::default());
        }
        let call = &mut calls[index];
        let function = piece.get("function");
        let name = function.and_then(|function| function.get("name"));
        let arguments = function.and_then(|function| function.get("arguments"));
        for (said, field) in [
            (piece.get("id"), &mut call.id),
            (name, &mut call.name),
            (arguments, &mut call.arguments),
        ] {
            if let Some(said) = said {
                field.push_str(said.as_text().ok_or_else(lacks)?);
            }
        }
    }
    Ok(())
}

//! `response_format`: what the answer's text looks like.

use serde_json::{Value, json};

use super::{
    WrongForm,
    schema::{Schema, strict},
};
use crate::number::normal;

/// Longest name of a schema, as OpenAI has it.
const NAME_BYTES_MAX: usize = 64;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Format {
    #[default]
    Text,
    /// `json_object`.
    Object,
    /// `json_schema`, with the schema.
    Schema(Schema),
}

impl Format {
    /// The field that asks for it.
    pub(super) fn param(&self) -> &'static str {
        match self {
            Self::Schema(_) => "response_format.json_schema.schema",
            Self::Object | Self::Text => "response_format",
        }
    }

    /// What the text must satisfy.
    pub(super) fn schema(&self) -> Option<Schema> {
        match self {
            Self::Text => None,
            Self::Object => {
                let fields = json!({"type": "object"}).as_object().cloned().unwrap_or_default();
                Some(Schema { fields, is_strict: true })
            }
            Self::Schema(schema) => Some(schema.clone()),
        }
    }
}

pub(super) fn read(asked: Option<&Value>) -> Result<Format, WrongForm> {
    let Some(asked) = asked.filter(|asked| !asked.is_null()) else { return Ok(Format::Text) };
    match asked.get("type").and_then(Value::as_str) {
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Object),
        Some("json_schema") => schema(asked.get("json_schema")),
        _ => Err(WrongForm::of(
            "response_format.type",
            "'type' must be text, json_object or json_schema.",
        )),
    }
}

fn schema(asked: Option<&Value>) -> Result<Format, WrongForm> {
    let wrong = |field: &str, message: &str| {
        Err(WrongForm::of(format!("response_format.json_schema{field}"), message))
    };
    let Some(Value::Object(asked)) = asked else {
        return wrong("", "'json_schema' must be an object with 'name' and 'schema'.");
    };
    let is_named = |name: &str| !name.is_empty() && name.len() <= NAME_BYTES_MAX;
    if !asked.get("name").and_then(Value::as_str).is_some_and(is_named) {
        return wrong(".name", "'name' must be a string of 1 to 64 bytes.");
    }
    let is_strict = strict("response_format.json_schema.strict", asked.get("strict"))?;
    match asked.get("schema").map(normal) {
        // OpenAI's own default: nothing is said of the object.
        None | Some(Value::Null) => Ok(Format::Object),
        Some(Value::Object(fields)) => Ok(Format::Schema(Schema { fields, is_strict })),
        Some(_) => wrong(".schema", "'schema' must be a JSON schema that is an object."),
    }
}

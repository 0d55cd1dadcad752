//! A JSON schema that a request names, and how much of it an answer is held to.
//!
//! A strict one binds whole, or is refused. One that is not strict is passed over where the grammar library has no
//! means to hold anybody to it (`uniqueItems`, `not`, `if`, a format or pattern that it does not know, …), as OpenAI
//! passes over it: generators of schemas write such keywords into most of what they make.

use serde_json::{Map, Value, json};

use super::WrongForm;
use crate::grammar;

/// Keywords whose value is one schema, those whose value is a list of them, and those that name them.
const ONE: [&str; 3] = ["items", "additionalItems", "additionalProperties"];
const LISTS: [&str; 5] = ["anyOf", "allOf", "oneOf", "prefixItems", "items"];
const NAMED: [&str; 4] = ["properties", "patternProperties", "$defs", "definitions"];
/// What else is said of a text decides whether a pattern can be held to beside it.
const TEXT: [&str; 4] = ["pattern", "format", "minLength", "maxLength"];

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Schema {
    /// As it came, with whole numbers written as such; prompts show it so.
    pub(super) fields: Map<String, Value>,
    /// Whether an answer is held to all of it or it is refused.
    pub(super) is_strict: bool,
}

impl Schema {
    /// What the grammar library is told.
    pub(super) fn bound(&self) -> Map<String, Value> {
        // One layout, as models write JSON: no line breaks, one space after commas and colons. More freedom would let
        // a model lose itself in blanks.
        let mut options =
            json!({"whitespace_flexible": false, "item_separator": ", ", "key_separator": ": "});
        if !self.is_strict {
            options["lenient"] = json!(true);
            options["coerce_one_of"] = json!(true);
        }
        let mut bound = Map::from_iter([("x-guidance".to_owned(), options)]);
        let fields = self.fields.iter().filter(|(key, _)| *key != "x-guidance");
        let fields = fields.map(|(key, value)| (key.clone(), value.clone())).collect();
        bound.extend(self.bound_fields(&fields));
        bound
    }

    fn bound_fields(&self, fields: &Map<String, Value>) -> Map<String, Value> {
        let passed_over = if self.is_strict { Vec::new() } else { unreadable(fields) };
        let mut bound = Map::new();
        for (key, value) in fields {
            let word = key.as_str();
            let says_nothing = word == "propertyNames" && says_text(value);
            if says_nothing || passed_over.contains(&word) {
                continue;
            }
            let value = match value {
                Value::Object(named) if NAMED.contains(&word) => {
                    let named = named.iter().map(|(name, it)| (name.clone(), self.bound_value(it)));
                    Value::Object(named.collect())
                }
                Value::Array(list) if LISTS.contains(&word) => {
                    list.iter().map(|it| self.bound_value(it)).collect()
                }
                Value::Object(_) if ONE.contains(&word) => self.bound_value(value),
                other => other.clone(),
            };
            bound.insert(key.clone(), value);
        }
        bound
    }

    fn bound_value(&self, schema: &Value) -> Value {
        match schema {
            // `{"not": {}}` is how some generators write that there is nothing.
            Value::Object(fields) if fields.len() == 1 && fields.get("not") == Some(&json!({})) => {
                false.into()
            }
            Value::Object(fields) => Value::Object(self.bound_fields(fields)),
            other => other.clone(),
        }
    }
}

/// All names of fields are text, so this says nothing.
fn says_text(names: &Value) -> bool {
    names.as_object().is_some_and(|names| {
        names.len() == 1 && names.get("type").is_some_and(|kind| kind == "string")
    })
}

/// The keywords of this schema that the library falls over, however lenient it is told to be: regular expressions
/// beyond its own.
fn unreadable(fields: &Map<String, Value>) -> Vec<&'static str> {
    let mut passed_over = Vec::new();
    if fields.contains_key("pattern") {
        let said = fields.iter().filter(|(key, _)| TEXT.contains(&key.as_str()));
        let mut text: Map<String, Value> =
            said.map(|(key, value)| (key.clone(), value.clone())).collect();
        text.insert("type".to_owned(), json!("string"));
        if !grammar::is_readable(text) {
            passed_over.push("pattern");
        }
    }
    if let Some(Value::Object(patterns)) = fields.get("patternProperties") {
        let any = |names: &Map<String, Value>| -> Map<String, Value> {
            names.keys().map(|name| (name.clone(), json!(true))).collect()
        };
        let named = fields.get("properties").and_then(Value::as_object).map(any);
        let object = json!({"type": "object", "properties": named.unwrap_or_default(), "patternProperties": any(patterns)});
        if !object.as_object().is_some_and(|object| grammar::is_readable(object.clone())) {
            // Without the patterns nobody knows any more which fields are additional ones.
            passed_over.extend(["patternProperties", "additionalProperties"]);
        }
    }
    passed_over
}

/// Whether an answer must satisfy all of a schema; `param` is the flag's own place.
pub(super) fn strict(param: &str, asked: Option<&Value>) -> Result<bool, WrongForm> {
    match asked {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(WrongForm::of(param, "'strict' must be true or false.")),
    }
}

#[cfg(test)]
mod tests;

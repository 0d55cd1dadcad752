//! `tools`: the functions that a model may call.

use serde_json::{Map, Value, json};

use super::{
    WrongForm,
    schema::{Schema, strict},
};
use crate::{calls, number::normal};

/// OpenAI's bound on tools.
const TOOLS_MAX: usize = 128;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Function {
    pub(super) name: String,
    description: Option<String>,
    /// A schema of an object.
    pub(super) parameters: Schema,
}

impl Function {
    /// As chat templates show it, with the fields in this order however they came.
    pub(super) fn shown(&self) -> Value {
        let mut function = Map::new();
        function.insert("name".into(), self.name.as_str().into());
        if let Some(description) = &self.description {
            function.insert("description".into(), description.as_str().into());
        }
        function.insert("parameters".into(), self.parameters.fields.clone().into());
        json!({"type": "function", "function": function})
    }
}

/// Whether calls may name a function so: OpenAI's rule.
pub(super) fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    !name.is_empty() && name.len() <= calls::NAME_BYTES_MAX && name.bytes().all(is_plain)
}

pub(super) fn read(asked: Option<&Value>) -> Result<Vec<Function>, WrongForm> {
    let list = match asked {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(WrongForm::of("tools", "'tools' must be an array.")),
    };
    if list.len() > TOOLS_MAX {
        let message = format!("'tools' may hold at most {TOOLS_MAX} tools.");
        return Err(WrongForm::of("tools", message));
    }
    let mut functions: Vec<Function> = Vec::with_capacity(list.len());
    for (index, tool) in list.iter().enumerate() {
        let function = one(&format!("tools[{index}]"), tool)?;
        if functions.iter().any(|other| other.name == function.name) {
            let message = format!("The function '{}' stands twice.", function.name);
            return Err(WrongForm::of(format!("tools[{index}].function.name"), message));
        }
        functions.push(function);
    }
    Ok(functions)
}

fn one(param: &str, tool: &Value) -> Result<Function, WrongForm> {
    match tool.get("type").and_then(Value::as_str) {
        Some("function") => {}
        Some("custom") => {
            let message = "Custom tools are not served; 'function' is.";
            return Err(WrongForm::unsupported(format!("{param}.type"), message));
        }
        _ => return Err(WrongForm::of(format!("{param}.type"), "'type' must be function.")),
    }
    let wrong = |field: &str, message: &str| {
        Err(WrongForm::of(format!("{param}.function{field}"), message))
    };
    let Some(Value::Object(function)) = tool.get("function") else {
        return wrong("", "A tool needs a 'function' with a 'name'.");
    };
    let Some(name) = function.get("name").and_then(Value::as_str).filter(|name| is_name(name))
    else {
        return wrong(".name", "'name' must be 1 to 64 letters, digits, underscores or dashes.");
    };
    let description = match function.get("description") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => return wrong(".description", "'description' must be a string."),
    };
    let parameters = match function.get("parameters").map(normal) {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(schema)) => schema,
        Some(_) => return wrong(".parameters", "'parameters' must be a JSON schema."),
    };
    let Some(fields) = of_object(parameters) else {
        return wrong(".parameters", "'parameters' must be a JSON schema of an object.");
    };
    let is_strict = strict(&format!("{param}.function.strict"), function.get("strict"))?;
    Ok(Function { name: name.to_owned(), description, parameters: Schema { fields, is_strict } })
}

/// Arguments are an object whatever the schema forgets to say; without any schema, an empty one.
fn of_object(mut schema: Map<String, Value>) -> Option<Map<String, Value>> {
    if schema.is_empty() {
        let empty = json!({"type": "object", "properties": {}, "additionalProperties": false});
        return empty.as_object().cloned();
    }
    match schema.get("type") {
        None => {
            schema.insert("type".into(), "object".into());
        }
        Some(kind) if kind == "object" => {}
        Some(_) => return None,
    }
    Some(schema)
}

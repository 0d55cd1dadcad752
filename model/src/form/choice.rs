//! `tool_choice`: whether functions may or must be called, and which.

use serde_json::Value;

use super::{WrongForm, functions::Function};

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Choice {
    /// No call, and no tools are shown.
    None,
    /// The model decides.
    #[default]
    Auto,
    /// At least one.
    Required,
    /// This one.
    Named(String),
    /// One of these, at least one if it must.
    Allowed { names: Vec<String>, must_call: bool },
}

impl Choice {
    pub(super) fn must_call(&self) -> bool {
        match self {
            Self::Required | Self::Named(_) => true,
            Self::Allowed { must_call, .. } => *must_call,
            Self::None | Self::Auto => false,
        }
    }

    pub(super) fn allows(&self, function: &str) -> bool {
        match self {
            Self::None => false,
            Self::Auto | Self::Required => true,
            Self::Named(name) => name == function,
            Self::Allowed { names, .. } => names.iter().any(|name| name == function),
        }
    }
}

pub(super) fn read(asked: Option<&Value>, functions: &[Function]) -> Result<Choice, WrongForm> {
    let choice = match asked {
        None | Some(Value::Null) => Choice::Auto,
        Some(Value::String(word)) => match word.as_str() {
            "none" => Choice::None,
            "auto" => Choice::Auto,
            "required" => Choice::Required,
            _ => return Err(wrong()),
        },
        Some(object) => match object.get("type").and_then(Value::as_str) {
            Some("function") => {
                Choice::Named(name(object, "tool_choice.function.name", functions)?)
            }
            Some("allowed_tools") => allowed(object, functions)?,
            _ => return Err(wrong()),
        },
    };
    if functions.is_empty() && choice.must_call() {
        return Err(WrongForm::of("tool_choice", "'tool_choice' needs 'tools'."));
    }
    Ok(choice)
}

fn wrong() -> WrongForm {
    let message = "'tool_choice' must be none, auto, required, a function or allowed_tools.";
    WrongForm::of("tool_choice", message)
}

/// OpenAI's form is `{"type": "allowed_tools", "allowed_tools": {"mode", "tools"}}`; its other API has the fields
/// beside the type.
fn allowed(object: &Value, functions: &[Function]) -> Result<Choice, WrongForm> {
    let (param, fields) = match object.get("allowed_tools") {
        Some(fields) => ("tool_choice.allowed_tools", fields),
        None => ("tool_choice", object),
    };
    let must_call = match fields.get("mode").and_then(Value::as_str) {
        Some("auto") => false,
        Some("required") => true,
        _ => {
            return Err(WrongForm::of(format!("{param}.mode"), "'mode' must be auto or required."));
        }
    };
    let tools = fields.get("tools").and_then(Value::as_array).filter(|tools| !tools.is_empty());
    let Some(tools) = tools else {
        let message = "'tools' must be an array of at least one function.";
        return Err(WrongForm::of(format!("{param}.tools"), message));
    };
    let named =
        |(index, tool)| name(tool, &format!("{param}.tools[{index}].function.name"), functions);
    let names = tools.iter().enumerate().map(named).collect::<Result<_, _>>()?;
    Ok(Choice::Allowed { names, must_call })
}

/// The name of a function that there is.
fn name(object: &Value, param: &str, functions: &[Function]) -> Result<String, WrongForm> {
    let name = object.get("function").unwrap_or(object).get("name").and_then(Value::as_str);
    let known = name.filter(|name| functions.iter().any(|function| function.name == *name));
    known
        .map(str::to_owned)
        .ok_or_else(|| WrongForm::of(param, "'name' must be the name of a function in 'tools'."))
}

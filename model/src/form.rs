//! What a request says of its answer's form: a format that the text has, functions that may be called. One grammar
//! says it to the nodes, and whoever checks an answer makes the same one of the same request.

mod choice;
mod format;
mod functions;
mod history;
mod lark;
mod schema;

pub use history::tool_calls;

use serde_json::Value;

use crate::{CallStyle, GrammarError, TextModel};
use choice::Choice;
use format::Format;
use functions::Function;

/// The fields of a request that decide its answer's form, as they came; null counts as absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FormFields {
    pub response_format: Option<Value>,
    pub tools: Option<Value>,
    pub tool_choice: Option<Value>,
    pub parallel_tool_calls: Option<Value>,
}

/// A form that was asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnswerForm {
    format: Format,
    /// All that were given, in order.
    functions: Vec<Function>,
    choice: Choice,
    /// Whether an answer may hold more than one call.
    is_parallel: bool,
}

/// A field that says nothing that can be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WrongForm {
    /// `tools[0].function.name`.
    pub param: String,
    /// A sentence.
    pub message: String,
    /// Whether it is right, and we do not do it.
    pub is_unsupported: bool,
}

impl WrongForm {
    pub(crate) fn of(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { param: param.into(), message: message.into(), is_unsupported: false }
    }

    pub(crate) fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { is_unsupported: true, ..Self::of(param, message) }
    }
}

impl AnswerForm {
    /// Reads the fields; whether grammars can be made of the schemas in them shows in [`Self::grammar`].
    pub fn read(fields: &FormFields) -> Result<Self, WrongForm> {
        let functions = functions::read(fields.tools.as_ref())?;
        Ok(Self {
            format: format::read(fields.response_format.as_ref())?,
            choice: choice::read(fields.tool_choice.as_ref(), &functions)?,
            is_parallel: parallel(fields.parallel_tool_calls.as_ref())?,
            functions,
        })
    }

    /// Whether functions may be called.
    pub fn has_calls(&self) -> bool {
        self.choice != Choice::None && !self.functions.is_empty()
    }

    /// The functions as the chat template shows them; none when none may be called.
    pub fn tools(&self) -> Vec<Value> {
        let shown = self.functions.iter().filter(|_| self.has_calls());
        shown.map(Function::shown).collect()
    }

    /// How the answer spells calls, when it may have some.
    pub fn call_style(&self, model: &TextModel) -> Option<CallStyle> {
        model.call_style().filter(|_| self.has_calls()).cloned()
    }

    /// The grammar of the answer; none where all text is allowed. It is a model's own, because models spell calls in
    /// ways of their own, and it compiles.
    pub fn grammar(&self, model: &TextModel) -> Result<Option<String>, WrongForm> {
        let Some(source) = self.source(model)? else { return Ok(None) };
        match model.grammar(&source) {
            Ok(_) => Ok(Some(source)),
            Err(error) => Err(self.blame(model, &error)),
        }
    }

    /// The text of the grammar, whether it compiles or not.
    pub fn source(&self, model: &TextModel) -> Result<Option<String>, WrongForm> {
        if !self.has_calls() {
            return Ok(lark::of_format(&self.format));
        }
        let Some(style) = model.call_style() else {
            let id = &model.manifest.id;
            let message = match model.shows_tools() {
                true => format!("The model `{id}` spells calls in a way that is not known here."),
                false => format!("The model `{id}` was not taught tools."),
            };
            return Err(WrongForm::unsupported("tools", message));
        };
        let functions: Vec<&Function> =
            self.functions.iter().filter(|function| self.choice.allows(&function.name)).collect();
        let count_max = if self.is_parallel { lark::CALLS_MAX } else { 1 };
        Ok(Some(match self.choice.must_call() {
            true => lark::of_calls(style, &functions, count_max),
            false => lark::of_text_or_calls(style, &self.format, &functions, count_max),
        }))
    }

    /// Whose fault it is that the grammar does not compile.
    fn blame(&self, model: &TextModel, error: &GrammarError) -> WrongForm {
        let told = |param: String, error: &GrammarError| {
            WrongForm::of(param, format!("No answer can be held to this: {error}."))
        };
        let alone = |source: String| model.grammar(&source).err();
        if let Some(error) = lark::of_format(&self.format).and_then(alone) {
            return told(self.format.param().to_owned(), &error);
        }
        let mut parts = self.functions.iter().filter(|_| self.has_calls()).enumerate();
        let wrong = parts.find_map(|(index, function)| {
            let error = alone(lark::of_schema(&function.parameters))?;
            Some(told(format!("tools[{index}].function.parameters"), &error))
        });
        let whole = if self.has_calls() { "tools" } else { self.format.param() };
        wrong.unwrap_or_else(|| told(whole.to_owned(), error))
    }
}

fn parallel(asked: Option<&Value>) -> Result<bool, WrongForm> {
    match asked {
        None | Some(Value::Null) => Ok(true),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(WrongForm::of(
            "parallel_tool_calls",
            "'parallel_tool_calls' must be true or false.",
        )),
    }
}

#[cfg(test)]
mod tests;

//! Functions that a model calls: how its text spells that, and how the calls are found in it as it comes.

mod finder;

pub(crate) use finder::NAME_BYTES_MAX;
pub use finder::{CallFinder, Piece, Said};

/// How a family of models spells a call, as its chat template tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallStyle {
    /// Hermes, Qwen and their kin: `<tool_call>`, a line with `{"name": …, "arguments": …}`, `</tool_call>`; more calls
    /// follow on lines of their own, and text may come before the first.
    Tagged,
}

impl CallStyle {
    /// The style of the model that this chat template is of; none if it shows no tools, or in no way that is known.
    pub(crate) fn of(template: &str) -> Option<Self> {
        let shows_tools = template.contains("tools") && template.contains("tool_calls");
        (shows_tools && template.contains(Self::Tagged.opens())).then_some(Self::Tagged)
    }

    /// What a call begins with.
    pub(crate) fn opens(self) -> &'static str {
        match self {
            Self::Tagged => "<tool_call>",
        }
    }

    /// What stands between that and the function's name …
    pub(crate) fn before_name(self) -> &'static str {
        match self {
            Self::Tagged => "\n{\"name\": \"",
        }
    }

    /// … between the name and the arguments, which are an object …
    pub(crate) fn before_arguments(self) -> &'static str {
        match self {
            Self::Tagged => "\", \"arguments\": ",
        }
    }

    /// … and after them.
    pub(crate) fn closes(self) -> &'static str {
        match self {
            Self::Tagged => "}\n</tool_call>",
        }
    }

    /// What stands between two calls.
    pub(crate) fn between(self) -> &'static str {
        match self {
            Self::Tagged => "\n",
        }
    }
}

/// A function that the model called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    pub name: String,
    /// JSON as the model wrote it: an object, or its beginning where the answer was cut.
    pub arguments: String,
}

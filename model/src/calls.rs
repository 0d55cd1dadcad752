//! Functions that a model calls: how its text spells that, and how the calls are found in it as it comes.

mod finder;
mod probe;

use assay_protocol::TokenId;

pub(crate) use finder::NAME_BYTES_MAX;
pub use finder::{CallFinder, Piece, Said};
pub(crate) use probe::{Taught, Tokens};

/// How a model spells calls: what stands around the functions' names and their arguments, which are JSON objects. Every
/// family has its own way, and its chat template tells it ([`Taught`]):
///
/// | | `opens` | `before_arguments` | `between` | `closes` |
/// |---|---|---|---|---|
/// | Hermes, Qwen | `<tool_call>⏎{"name": "` | `", "arguments": ` | `}⏎</tool_call>⏎<tool_call>⏎{"name": "` | `}⏎</tool_call>` |
/// | Mistral | `[TOOL_CALLS] [{"name": "` | `", "arguments": ` | `}, {"name": "` | `}]` |
/// | Mistral since 2025 | `[TOOL_CALLS]` | `[ARGS]` | `[TOOL_CALLS]` | |
/// | Llama 3 | `{"name": "` | `", "parameters": ` | one call only | `}` |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallStyle {
    pub(crate) opens: String,
    pub(crate) before_arguments: String,
    /// From the arguments of one call to the name of the next; none where an answer holds one call at most.
    pub(crate) between: Option<String>,
    pub(crate) closes: String,
    /// Of the above, what are single tokens that have no bytes.
    pub(crate) special: Vec<(String, TokenId)>,
}

impl CallStyle {
    /// What tells a call from text wherever it stands; none where a call must be the whole answer, because `opens`
    /// could be the beginning of something else.
    pub(crate) fn mark(&self) -> Option<&str> {
        if let Some((special, _)) = self.special_at(&self.opens) {
            return Some(special);
        }
        let end = match self.opens.as_bytes().first() {
            Some(b'<') => self.opens.find('>'),
            Some(b'[') if !self.opens.starts_with("[{") => self.opens.find(']'),
            _ => None,
        };
        end.map(|end| &self.opens[..=end])
    }

    /// The special token that a text begins with.
    pub(crate) fn special_at(&self, text: &str) -> Option<&(String, TokenId)> {
        self.special.iter().find(|(token, _)| text.starts_with(token.as_str()))
    }

    /// What follows all arguments, whether another call comes or none; then what follows it in either case.
    pub(crate) fn after_arguments(&self) -> (&str, Option<&str>, &str) {
        let Some(between) = &self.between else { return (&self.closes, None, "") };
        let alike = self.closes.chars().zip(between.chars()).take_while(|(a, b)| a == b);
        let alike: usize = alike.map(|(a, _)| a.len_utf8()).sum();
        (&self.closes[..alike], Some(&between[alike..]), &self.closes[alike..])
    }
}

/// A function that the model called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolCall {
    pub name: String,
    /// JSON as the model wrote it: an object, or its beginning where the answer was cut.
    pub arguments: String,
}

#[cfg(test)]
mod tests;

//! What a chat template shows of tools and calls: it is given a conversation with calls in it, and what it writes in
//! the assistant's place is how the model was taught to spell them.

use assay_protocol::{Bytes32, TokenId};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::CallStyle;
use crate::{ChatMessage, template::Template};

/// Functions and what they are called with: nothing that a template says by itself.
const CALLED: [(&str, &str); 2] = [("probe_first", "north"), ("probe_second", "south")];
/// An id as OpenAI makes them, and one of the only kind that some templates take: nine letters and digits.
const IDS: [[&str; 2]; 2] =
    [["call_0190f5feprobe1", "call_0190f5feprobe2"], ["probe1st0", "probe2nd0"]];
const SHORT_ID_CHARS: usize = 9;
/// What is longer was not written around calls.
const PART_BYTES_MAX: usize = 160;

/// What a model was taught of calls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taught {
    /// Whether its prompts show functions at all.
    pub(crate) shows_tools: bool,
    /// None where it spells calls in no way that can be read.
    pub(crate) style: Option<CallStyle>,
    /// Whether ids of calls must be nine letters and digits.
    has_short_ids: bool,
}

/// The special tokens of a vocabulary, with those that end an answer.
pub(crate) struct Tokens<'a> {
    pub(crate) special: &'a [(String, TokenId)],
    pub(crate) ends: &'a [TokenId],
}

impl Taught {
    pub(crate) fn by(template: &Template, tokens: &Tokens<'_>) -> Self {
        let user = ChatMessage::new("user", "Which way?");
        let tools: Vec<Value> = CALLED.iter().map(|(name, _)| tool(name)).collect();
        let asked = |tools: &[Value]| template.render(std::slice::from_ref(&user), tools);
        let (Ok(asked_plain), Ok(asked)) = (asked(&[]), asked(&tools)) else {
            return Self::default();
        };
        let shows_tools = asked != asked_plain;
        // Some take ids of their own kind only, and some one call only.
        for (has_short_ids, ids) in [(false, IDS[0]), (true, IDS[1])] {
            for count in [2, 1] {
                let said = said(&user, &ids[..count]);
                let Ok(told) = template.render(&said, &tools) else { continue };
                if let Some(style) = spelled(&asked, &told, &ids[..count], tokens) {
                    return Self { shows_tools, style: Some(style), has_short_ids };
                }
            }
        }
        Self { shows_tools, ..Self::default() }
    }

    /// Messages with ids that the template takes.
    pub(crate) fn fit(&self, messages: &[ChatMessage]) -> Vec<ChatMessage> {
        let mut messages = messages.to_vec();
        for message in messages.iter_mut().filter(|_| self.has_short_ids) {
            for call in &mut message.tool_calls {
                call["id"] = short_id(call["id"].as_str().unwrap_or_default()).into();
            }
            message.tool_call_id = message.tool_call_id.as_deref().map(short_id);
        }
        messages
    }
}

/// Nine letters and digits for an id, always the same.
fn short_id(id: &str) -> String {
    let is_short = id.len() == SHORT_ID_CHARS && id.bytes().all(|b| b.is_ascii_alphanumeric());
    match is_short {
        true => id.to_owned(),
        false => Bytes32(Sha256::digest(id).into()).to_string()[..SHORT_ID_CHARS].to_owned(),
    }
}

fn tool(name: &str) -> Value {
    let parameters =
        json!({"type": "object", "properties": {"way": {"type": "string"}}, "required": ["way"]});
    json!({"type": "function", "function": {"name": name, "description": "Goes.", "parameters": parameters}})
}

/// A conversation in which the assistant called functions and got their answers.
fn said(user: &ChatMessage, ids: &[&str]) -> Vec<ChatMessage> {
    let mut turn = ChatMessage::new("assistant", "");
    let calls = ids.iter().zip(CALLED);
    turn.tool_calls = calls
        .map(|(id, (name, way))| {
            json!({"id": id, "type": "function", "function": {"name": name, "arguments": {"way": way}}})
        })
        .collect();
    let answers = ids.iter().map(|id| {
        let mut answer = ChatMessage::new("tool", "Done.");
        answer.tool_call_id = Some((*id).to_owned());
        answer
    });
    [user.clone(), turn].into_iter().chain(answers).collect()
}

/// What stands around the calls in what was told after what was asked.
fn spelled(asked: &str, told: &str, ids: &[&str], tokens: &Tokens<'_>) -> Option<CallStyle> {
    let told = told.strip_prefix(asked).or_else(|| told.strip_prefix(asked.trim_end()))?;
    let mut rest = told.trim_start();
    let mut parts = Vec::new();
    for (index, (name, way)) in CALLED.iter().take(ids.len()).enumerate() {
        let (before, after) = rest.split_once(name)?;
        let (before_arguments, after) = after.split_once(&format!("{{\"way\": \"{way}\"}}"))?;
        if index > 0 && parts.last() != Some(&before_arguments) {
            return None;
        }
        parts.extend([before, before_arguments]);
        rest = after;
    }
    let is_end = |(_, id): &&(String, TokenId)| tokens.ends.contains(id);
    let ends = tokens.special.iter().filter(is_end).filter_map(|(token, _)| rest.find(token));
    let closes = &rest[..ends.min()?];
    let (opens, before_arguments) = (parts.first()?, parts.get(1)?);
    // The model's own calls have no ids: whoever serves it gives them.
    let without_ids = |text: &str| {
        ids.iter()
            .fold(text.to_owned(), |text, id| text.replace(&format!(", \"id\": \"{id}\""), ""))
    };
    let between = parts.get(2).map(|between| without_ids(between));
    let mut style = CallStyle {
        opens: (*opens).to_owned(),
        before_arguments: (*before_arguments).to_owned(),
        between,
        closes: without_ids(closes),
        special: Vec::new(),
    };
    let texts = [&style.opens, &style.before_arguments, &style.closes];
    let texts: Vec<&String> = texts.into_iter().chain(&style.between).collect();
    let is_strange =
        |text: &&String| text.len() > PART_BYTES_MAX || ids.iter().any(|id| text.contains(id));
    if opens.is_empty() || before_arguments.is_empty() || texts.iter().any(is_strange) {
        return None;
    }
    let in_texts =
        |(token, _): &&(String, TokenId)| texts.iter().any(|text| text.contains(token.as_str()));
    let special = tokens.special.iter().filter(in_texts).cloned().collect();
    style.special = special;
    Some(style)
}

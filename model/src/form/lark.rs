//! The text of grammars: the same request gives the same text, letter for letter, because its hash is signed.

use std::fmt::Write as _;

use serde_json::Value;

use super::{format::Format, functions::Function, schema::Schema};
use crate::CallStyle;

/// Calls in one answer, at most.
pub(super) const CALLS_MAX: u32 = 16;

/// A format's own grammar.
pub(super) fn of_format(format: &Format) -> Option<String> {
    format.schema().map(|schema| of_schema(&schema))
}

/// JSON that satisfies a schema.
pub(super) fn of_schema(schema: &Schema) -> String {
    format!("start: {}\n", json_of(schema))
}

/// Calls and nothing else.
pub(super) fn of_calls(style: &CallStyle, functions: &[&Function], count_max: u32) -> String {
    let mut text = format!("start: {} calls\n", spelled(style, &style.opens));
    write_calls(&mut text, style, functions, count_max);
    text
}

/// Text in its format, or text that ends with calls. What opens a call is never text.
pub(super) fn of_text_or_calls(
    style: &CallStyle,
    format: &Format,
    functions: &[&Function],
    count_max: u32,
) -> String {
    let opens = spelled(style, &style.opens);
    let any = "/(\\n|.)*/";
    let mut text = match (format.schema(), style.mark()) {
        (Some(schema), _) => {
            format!("start: content | {opens} calls\ncontent: {}\n", json_of(&schema))
        }
        (None, None) => {
            let call = format!("/{}(\\n|.)*/", escaped(&style.opens));
            format!("start: TEXT | {opens} calls\nTEXT: {any} & ~{call}\n")
        }
        (None, Some(mark)) => {
            let opens = spelled(style, &style.opens[mark.len()..]);
            let mark_spelled = spelled(style, mark);
            match style.special_at(mark) {
                Some(_) => {
                    format!("start: TEXT | TEXT {mark_spelled} {opens} calls\nTEXT: {any}\n")
                }
                None => format!(
                    "start: TEXT | opened {opens} calls\nopened[lazy]: TEXT {mark_spelled}\nTEXT: {any}\n"
                ),
            }
        }
    };
    write_calls(&mut text, style, functions, count_max);
    text
}

/// From the first call's name to the end of the last call.
fn write_calls(text: &mut String, style: &CallStyle, functions: &[&Function], count_max: u32) {
    let (after, between, closes) = style.after_arguments();
    let [after, closes] = [after, closes].map(|part| spelled(style, part));
    let more = match (between, count_max.saturating_sub(1)) {
        (Some(between), rest @ 1..) => format!("( {} call ){{0,{rest}}}", spelled(style, between)),
        _ => String::new(),
    };
    let _ = writeln!(text, "calls: call {more} {closes}");
    let names: Vec<String> = (0..functions.len()).map(|index| format!("call_{index}")).collect();
    let _ = writeln!(text, "call: {}", names.join(" | "));
    for (index, function) in functions.iter().enumerate() {
        let before = spelled(style, &format!("{}{}", function.name, style.before_arguments));
        let _ = writeln!(text, "call_{index}: {before} arguments_{index} {after}");
        let _ = writeln!(text, "arguments_{index}: {}", json_of(&function.parameters));
    }
}

/// A text as the model writes it: in plain tokens, whichever, but for those that are tokens of their own.
fn spelled(style: &CallStyle, text: &str) -> String {
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let special = style.special_at(rest);
        let length = special.map_or(next.len_utf8(), |(token, _)| token.len());
        let (piece, after) = rest.split_at(length);
        match special {
            None => plain.push_str(piece),
            Some((_, id)) => {
                parts.extend((!plain.is_empty()).then(|| literal(&std::mem::take(&mut plain))));
                parts.push(format!("<[{id}]>"));
            }
        }
        rest = after;
    }
    parts.extend((!plain.is_empty()).then(|| literal(&plain)));
    parts.join(" ")
}

/// A text in a regular expression.
fn escaped(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | ':' | ',' | '"');
    text.chars()
        .map(|c| if is_plain(c) { c.to_string() } else { format!("\\x{{{:x}}}", u32::from(c)) })
        .collect()
}

fn json_of(schema: &Schema) -> String {
    format!("%json {}", Value::Object(schema.bound()))
}

fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

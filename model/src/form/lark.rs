//! The text of grammars: the same request gives the same text, letter for letter, because its hash is signed.

use std::fmt::Write as _;

use serde_json::{Number, Value};

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
pub(super) fn of_calls(style: CallStyle, functions: &[&Function], count_max: u32) -> String {
    let opens = literal(style.opens());
    let mut text = format!("start: {opens} call{}\n", more(style, count_max));
    write_calls(&mut text, style, functions);
    text
}

/// Text in its format, or text that ends with calls. The mark that opens a call is never text.
pub(super) fn of_text_or_calls(
    style: CallStyle,
    format: &Format,
    functions: &[&Function],
    count_max: u32,
) -> String {
    let more = more(style, count_max);
    let opens = literal(style.opens());
    let mut text = match format.schema() {
        Some(schema) => {
            format!("start: content | {opens} call{more}\ncontent: {}\n", json_of(&schema))
        }
        None => format!(
            "start: TEXT | opened call{more}\nopened[lazy]: TEXT {opens}\nTEXT: /(\\n|.)*/\n"
        ),
    };
    write_calls(&mut text, style, functions);
    text
}

/// What may follow the first call.
fn more(style: CallStyle, count_max: u32) -> String {
    match count_max.saturating_sub(1) {
        0 => String::new(),
        rest => {
            let between = literal(&format!("{}{}", style.between(), style.opens()));
            format!(" ( {between} call ){{0,{rest}}}")
        }
    }
}

fn write_calls(text: &mut String, style: CallStyle, functions: &[&Function]) {
    let names: Vec<String> = (0..functions.len()).map(|index| format!("call_{index}")).collect();
    let _ = writeln!(text, "call: {}", names.join(" | "));
    for (index, function) in functions.iter().enumerate() {
        let before = [style.before_name(), &function.name, style.before_arguments()].concat();
        let (before, closes) = (literal(&before), literal(style.closes()));
        let _ = writeln!(text, "call_{index}: {before} arguments_{index} {closes}");
        let _ = writeln!(text, "arguments_{index}: {}", json_of(&function.parameters));
    }
}

fn json_of(schema: &Schema) -> String {
    format!("%json {}", Value::Object(schema.bound()))
}

fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

/// The same schema with whole numbers written as such: readers of JSON tell 1.0 from 1, and those who check an answer
/// need not.
pub(super) fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(whole(number)),
        Value::Array(list) => list.iter().map(normal).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), normal(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

fn whole(number: &Number) -> Number {
    /// Up to here, a double tells all integers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(value) if number.is_f64() && value.fract() == 0.0 && value.abs() <= EXACT => {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "it is a whole number within 53 bits"
            )]
            let whole = value as i64;
            whole.into()
        }
        _ => number.clone(),
    }
}

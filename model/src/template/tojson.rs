//! The filter `tojson` as Hugging Face's templates know it: Python's `json.dumps` without escapes for what is not
//! ASCII, keys as they came.

use std::fmt::Write as _;

use minijinja::{Error, ErrorKind, Value, value::Kwargs};
use serde_json::Value as Json;

/// Spaces a level, at most.
const INDENT_MAX: usize = 16;

/// `value | tojson`, or with `indent=4`.
pub(super) fn tojson(value: &Value, kwargs: Kwargs) -> Result<String, Error> {
    let wrong = |error| Error::new(ErrorKind::BadSerialization, "no JSON").with_source(error);
    let json = serde_json::to_value(value).map_err(wrong)?;
    let indent: Option<usize> = kwargs.get("indent")?;
    let mut text = String::new();
    dump(&json, indent.map(|spaces| spaces.min(INDENT_MAX)), 0, &mut text);
    Ok(text)
}

/// Written as Python does: `{"a": 1, "b": [true, null]}`.
fn dump(value: &Json, indent: Option<usize>, depth: usize, out: &mut String) {
    let begin = |index: usize, out: &mut String| match (index, indent) {
        (0, None) => {}
        (_, None) => out.push_str(", "),
        (_, Some(spaces)) => {
            out.push_str(if index == 0 { "\n" } else { ",\n" });
            out.extend(std::iter::repeat_n(' ', spaces * (depth + 1)));
        }
    };
    let end = |out: &mut String| {
        if let Some(spaces) = indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', spaces * depth));
        }
    };
    match value {
        Json::Array(list) if !list.is_empty() => {
            out.push('[');
            for (index, item) in list.iter().enumerate() {
                begin(index, out);
                dump(item, indent, depth + 1, out);
            }
            end(out);
            out.push(']');
        }
        Json::Object(entries) if !entries.is_empty() => {
            out.push('{');
            for (index, (key, item)) in entries.iter().enumerate() {
                begin(index, out);
                let _ = write!(out, "{}: ", Json::from(key.as_str()));
                dump(item, indent, depth + 1, out);
            }
            end(out);
            out.push('}');
        }
        simple => {
            let _ = write!(out, "{simple}");
        }
    }
}

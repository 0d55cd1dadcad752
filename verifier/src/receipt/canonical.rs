//! JSON with one spelling, as in RFC 8785: no spaces, keys by their UTF-16 units, numbers as ECMAScript writes them.
//! Integers of 64 bits keep all their digits, because a `seed` has them, and a float that is such an integer is spelled
//! as the one that it is: two texts have one spelling if and only if they are the same numbers. A key that stands twice
//! is refused: two readers could see two different requests.

use std::{borrow::Cow, cmp::Ordering, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// A JSON value that was read strictly.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Self>),
    /// Keys as they came, each once: prompts show them so.
    Object(Vec<(String, Self)>),
}

/// A number, in the form that is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Unsigned(u64),
    Signed(i64),
    /// Finite, and none of the integers above.
    Float(f64),
}

/// The text is not JSON that counts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not JSON in which every key stands once: {0}")]
pub struct NotJson(String);

impl Json {
    /// Reads a whole text.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotJson> {
        serde_json::from_slice(bytes).map_err(|error| NotJson(error.to_string()))
    }

    /// The value of a key; nothing when this is no object or has no such key. An explicit null counts as absent.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(entries) = self else { return None };
        let found = entries.iter().find(|(name, _)| name == key)?;
        (found.1 != Self::Null).then_some(&found.1)
    }

    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub fn as_list(&self) -> Option<&[Self]> {
        if let Self::List(list) = self { Some(list) } else { None }
    }

    pub fn as_u32(&self) -> Option<u32> {
        match self {
            Self::Number(Number::Unsigned(value)) => u32::try_from(*value).ok(),
            _ => None,
        }
    }

    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Number(Number::Unsigned(value)) => i64::try_from(*value).ok(),
            Self::Number(Number::Signed(value)) => Some(*value),
            _ => None,
        }
    }

    pub fn as_f64(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "as every reader of JSON does")]
            Self::Number(Number::Unsigned(value)) => Some(*value as f64),
            #[expect(clippy::cast_precision_loss, reason = "as every reader of JSON does")]
            Self::Number(Number::Signed(value)) => Some(*value as f64),
            Self::Number(Number::Float(value)) => Some(*value),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(value) = self { Some(*value) } else { None }
    }

    /// The same value for whoever takes any JSON.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(Number::Unsigned(value)) => (*value).into(),
            Self::Number(Number::Signed(value)) => (*value).into(),
            Self::Number(Number::Float(value)) => (*value).into(),
            Self::Text(text) => text.as_str().into(),
            Self::List(list) => list.iter().map(Self::to_value).collect(),
            Self::Object(entries) => {
                entries.iter().map(|(key, value)| (key.clone(), value.to_value())).collect()
            }
        }
    }

    /// The one spelling.
    pub fn canonical(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    /// The same of an object that lacks this key.
    pub fn canonical_without(&self, key: &str) -> String {
        let Self::Object(entries) = self else { return self.canonical() };
        let others = entries.iter().filter(|(name, _)| name != key);
        Self::Object(others.cloned().collect()).canonical()
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number.to_string()),
            Self::Text(text) => write_text(text, out),
            Self::List(list) => {
                out.push('[');
                for (index, value) in list.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    value.write(out);
                }
                out.push(']');
            }
            Self::Object(entries) => {
                let mut entries: Vec<_> = entries.iter().collect();
                entries.sort_by(|(a, _), (b, _)| in_order(a, b));
                out.push('{');
                for (index, (key, value)) in entries.into_iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    write_text(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

impl Number {
    /// A float that is an integer counts as one: clients write 1 and 1.0 alike, and Python writes 1e18 as 1e+18.
    fn of(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let Some(whole) = assay_model::whole(value) else { return Some(Self::Float(value)) };
        Some(match (whole.as_u64(), whole.as_i64()) {
            (Some(whole), _) => Self::Unsigned(whole),
            (None, Some(whole)) => Self::Signed(whole),
            (None, None) => Self::Float(value),
        })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned(value) => write!(f, "{value}"),
            Self::Signed(value) => write!(f, "{value}"),
            Self::Float(value) => f.write_str(&ecmascript(*value)),
        }
    }
}

/// `Number::toString` of ECMAScript, for what is not an integer of 64 bits.
fn ecmascript(value: f64) -> String {
    // Rust gives the same shortest digits; only the layout differs.
    let scientific = format!("{:e}", value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = mantissa.replace('.', "");
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    let layout = if (count..=21).contains(&point) {
        format!("{digits}{}", zeros(point - count))
    } else if (1..=21).contains(&point) {
        let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(1));
        format!("{whole}.{fraction}")
    } else if (-5..=0).contains(&point) {
        format!("0.{}{digits}", zeros(-point))
    } else {
        let (first, rest) = digits.split_at(1);
        let rest = if rest.is_empty() { String::new() } else { format!(".{rest}") };
        let exponent = point - 1;
        format!("{first}{rest}e{}{}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
    };
    format!("{}{layout}", if value < 0.0 { "-" } else { "" })
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Strict)
    }
}

struct Strict;

impl<'de> Visitor<'de> for Strict {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(Number::Unsigned(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(u64::try_from(value).map_or(Number::Signed(value), Number::Unsigned)))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        let wrong = || E::custom("a number is not finite");
        Number::of(value).map(Json::Number).ok_or_else(wrong)
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut entries: Vec<(String, Json)> = Vec::new();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            entries.push((key.into_owned(), map.next_value()?));
        }
        let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(A::Error::custom(format!("`{}` stands twice", pair[0]))),
            None => Ok(Json::Object(entries)),
        }
    }
}

/// The order of keys in the one spelling.
fn in_order(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

#[cfg(test)]
mod tests;

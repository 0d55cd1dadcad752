//! Numbers of requests: readers of JSON tell 1.0 from 1, and those who check an answer need not.

use serde_json::{Number, Value};

/// The same value with whole numbers written as such.
pub(crate) fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let whole = number.as_f64().and_then(whole);
            Value::Number(whole.unwrap_or_else(|| number.clone()))
        }
        Value::Array(list) => list.iter().map(normal).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), normal(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// The integer of 64 bits that a float is, if it is one.
pub fn whole(value: f64) -> Option<Number> {
    /// The integers of 64 bits lie from here …
    const LEAST: f64 = -9_223_372_036_854_775_808.0;
    /// … to below this; doubles are exactly either.
    const BEYOND: f64 = 18_446_744_073_709_551_616.0;
    if value.fract() != 0.0 || !(LEAST..BEYOND).contains(&value) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is a whole number that fits"
    )]
    let whole = if value < 0.0 { (value as i64).into() } else { (value as u64).into() };
    Some(whole)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn floats_that_are_integers_are_written_as_such() {
        let given = json!({"a": [1.0, -0.0, 1e18, -1e18, 1.844674407370955e19], "b": [0.5, 1e20, -1e19, 7]});
        let expected = json!({"a": [1, 0, 1_000_000_000_000_000_000_i64, -1_000_000_000_000_000_000_i64, 18_446_744_073_709_549_568_u64],
            "b": [0.5, 1e20, -1e19, 7]});
        assert_eq!(normal(&given), expected);
    }
}

//! `metadata`: a client's own pairs, which mean nothing here but have a form.

use serde_json::Value;

use super::InvalidRequest;

/// OpenAI's own bounds.
const PAIRS_MAX: usize = 16;
const KEY_CHARS_MAX: usize = 64;
const VALUE_CHARS_MAX: usize = 512;

/// An object of at most 16 short strings.
pub(super) fn check_metadata(metadata: Option<&Value>) -> Result<(), InvalidRequest> {
    let Some(metadata) = metadata.filter(|value| !value.is_null()) else { return Ok(()) };
    let Value::Object(pairs) = metadata else {
        return Err(InvalidRequest::of("metadata", "'metadata' must be an object of strings."));
    };
    if pairs.len() > PAIRS_MAX {
        let message = format!("'metadata' may have at most {PAIRS_MAX} entries.");
        return Err(InvalidRequest::of("metadata", message));
    }
    let is_short = |text: &str, most: usize| text.chars().nth(most).is_none();
    for (key, value) in pairs {
        let is_good = is_short(key, KEY_CHARS_MAX)
            && value.as_str().is_some_and(|text| is_short(text, VALUE_CHARS_MAX));
        if !is_good {
            let message = format!(
                "'metadata' has keys of at most {KEY_CHARS_MAX} characters, and strings of at most {VALUE_CHARS_MAX}."
            );
            return Err(InvalidRequest::of("metadata", message));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sixteen_pairs_of_short_strings_and_nothing_else() {
        let many = |count: usize| -> Value {
            Value::Object((0..count).map(|at| (at.to_string(), json!("x"))).collect())
        };
        for good in [Value::Null, json!({}), many(16), json!({"k": "v".repeat(512)})] {
            assert_eq!(check_metadata(Some(&good)), Ok(()));
        }
        let long_key = json!({"k".repeat(65): "v"});
        let wrong = [json!(5), json!({"a": 1}), many(17), json!({"k": "v".repeat(513)}), long_key];
        for wrong in wrong {
            let error = check_metadata(Some(&wrong)).expect_err("wrong");
            assert_eq!(error.param.as_deref(), Some("metadata"));
        }
    }
}

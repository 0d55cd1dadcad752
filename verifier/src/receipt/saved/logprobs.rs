//! The log probabilities of a response as a client saved it, in the shape of a chat or of a completion.

use super::NoResponse;
use crate::receipt::canonical::Json;

/// What a response tells of one token.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedLogprob {
    pub logprob: f64,
    /// Of the likeliest tokens there, falling; empty in a completion.
    pub top: Vec<f64>,
}

const LACKS: NoResponse = NoResponse::Lacks("readable logprobs");

/// Adds those of a piece of the response.
pub(super) fn take(all: &mut Vec<SavedLogprob>, told: &Json) -> Result<(), NoResponse> {
    if let Some(content) = told.get("content").and_then(Json::as_list) {
        for token in content {
            let top = token.get("top_logprobs").and_then(Json::as_list).unwrap_or_default();
            let top = top.iter().map(logprob).collect::<Result<_, _>>()?;
            all.push(SavedLogprob { logprob: logprob(token)?, top });
        }
        return Ok(());
    }
    let list = |key| told.get(key).and_then(Json::as_list).unwrap_or_default();
    // Alternatives are named by their text there, which two tokens may share: they say nothing for sure.
    for token in list("token_logprobs") {
        let logprob = token.as_f64().ok_or(LACKS)?;
        all.push(SavedLogprob { logprob, top: Vec::new() });
    }
    Ok(())
}

fn logprob(of: &Json) -> Result<f64, NoResponse> {
    of.get("logprob").and_then(Json::as_f64).ok_or(LACKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes_are_read() {
        let read = |json: &str| {
            let mut all = Vec::new();
            take(&mut all, &Json::parse(json.as_bytes()).unwrap()).map(|()| all)
        };
        let chat = read(
            r#"{"content":[{"token":"a","logprob":-1.5,"bytes":[97],
            "top_logprobs":[{"token":"b","logprob":-0.5,"bytes":[98]},{"token":"a","logprob":-1.5}]}],"refusal":null}"#,
        );
        let text = read(
            r#"{"tokens":["a"],"token_logprobs":[-1.5],"top_logprobs":[{"a":-1.5,"b":-0.5}],"text_offset":[0]}"#,
        );
        let told = |top| Ok(vec![SavedLogprob { logprob: -1.5, top }]);
        assert_eq!((chat, text), (told(vec![-0.5, -1.5]), told(Vec::new())));
        assert!(read(r#"{"content":[{"token":"a"}]}"#).is_err());
    }
}

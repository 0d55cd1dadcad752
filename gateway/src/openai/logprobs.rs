//! Log probabilities in OpenAI's shapes: of a chat and of a completion.

use std::collections::BTreeMap;

use assay_protocol::{TokenId, ToldToken};
use serde::Serialize;
use utoipa::ToSchema;

/// How a token reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenText {
    pub text: String,
    /// What it adds to the answer: a token may begin or end in the middle of a character, and a special one adds nothing.
    pub bytes: Option<Vec<u8>>,
}

/// One token, or an alternative to it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TokenLogprob {
    pub token: String,
    /// At temperature 1, before masks, biases and penalties.
    pub logprob: f64,
    /// What it adds to the text, in UTF-8: perhaps not a whole character. Null for a special token.
    #[schema(required)]
    pub bytes: Option<Vec<u8>>,
}

/// A token of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ContentLogprob {
    pub token: String,
    pub logprob: f64,
    #[schema(required)]
    pub bytes: Option<Vec<u8>>,
    /// The likeliest ones there, as many as were asked for.
    pub top_logprobs: Vec<TokenLogprob>,
}

/// `choices[].logprobs` of a chat: the tokens of this piece, without the end token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ChatLogprobs {
    pub content: Vec<ContentLogprob>,
    /// Always null.
    #[schema(required)]
    pub refusal: Option<String>,
}

/// `choices[].logprobs` of a completion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct TextLogprobs {
    pub tokens: Vec<String>,
    pub token_logprobs: Vec<f64>,
    /// The likeliest ones there, as many as were asked for, and the token itself where it is none of them.
    pub top_logprobs: Vec<BTreeMap<String, f64>>,
    /// How many characters of the text begin before each token.
    pub text_offset: Vec<usize>,
}

/// Tokens with what is told of them.
pub type Told = Vec<(TokenId, ToldToken)>;

impl ChatLogprobs {
    pub fn of(told: &Told, read: &dyn Fn(TokenId) -> TokenText) -> Self {
        let content = told.iter().map(|(id, told)| {
            let token = one(*id, told.logit, told, read);
            let top = told.logprobs.top.iter();
            let top_logprobs = top.map(|(id, logit)| one(*id, *logit, told, read)).collect();
            let TokenLogprob { token, logprob, bytes } = token;
            ContentLogprob { token, logprob, bytes, top_logprobs }
        });
        Self { content: content.collect(), refusal: None }
    }
}

impl TextLogprobs {
    /// `offset` is where the first token begins; it moves on.
    pub fn of(told: &Told, offset: &mut usize, read: &dyn Fn(TokenId) -> TokenText) -> Self {
        let mut all = Self::default();
        for (id, told) in told {
            let TokenLogprob { token, logprob, bytes } = one(*id, told.logit, told, read);
            let top = told.logprobs.top.iter().map(|(id, logit)| {
                let alternative = one(*id, *logit, told, read);
                (alternative.token, alternative.logprob)
            });
            let mut top: BTreeMap<String, f64> = top.collect();
            top.entry(token.clone()).or_insert(logprob);
            all.top_logprobs.push(top);
            all.text_offset.push(*offset);
            *offset += characters_begun(&bytes.unwrap_or_default());
            all.tokens.push(token);
            all.token_logprobs.push(logprob);
        }
        all
    }

    /// Adds those of a later piece.
    pub fn append(&mut self, later: Self) {
        self.tokens.extend(later.tokens);
        self.token_logprobs.extend(later.token_logprobs);
        self.top_logprobs.extend(later.top_logprobs);
        self.text_offset.extend(later.text_offset);
    }
}

fn one(
    id: TokenId,
    logit: f32,
    told: &ToldToken,
    read: &dyn Fn(TokenId) -> TokenText,
) -> TokenLogprob {
    let TokenText { text, bytes } = read(id);
    let logprob = f64::from(logit) - f64::from(told.logprobs.log_sum_exp);
    // Rounding may make it a trifle more than certain.
    TokenLogprob { token: text, logprob: logprob.min(0.0), bytes }
}

/// In UTF-8, each character has one byte that does not go on with another one.
fn characters_begun(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte & 0b1100_0000 != 0b1000_0000).count()
}

#[cfg(test)]
mod tests {
    use assay_protocol::TokenLogprobs;
    use serde_json::json;

    use super::*;

    fn told() -> Told {
        let logprobs = TokenLogprobs { log_sum_exp: 2.0, top: vec![(5, 1.5), (6, 0.5)] };
        let first = ToldToken { logit: 0.5, logprobs };
        let logprobs = TokenLogprobs { log_sum_exp: 2.0, top: vec![] };
        let second = ToldToken { logit: 2.0, logprobs };
        vec![(6, first), (7, second)]
    }

    fn read(id: TokenId) -> TokenText {
        match id {
            5 => TokenText { text: "hé".into(), bytes: Some("hé".into()) },
            // One character in two tokens.
            6 => TokenText { text: "\u{fffd}".into(), bytes: Some(vec![0xc3]) },
            _ => TokenText { text: "\u{fffd}".into(), bytes: Some(vec![0xa9]) },
        }
    }

    #[test]
    fn chats_and_completions_have_their_own_shapes() {
        let chat = serde_json::to_value(ChatLogprobs::of(&told(), &read)).unwrap();
        let expected = json!({"refusal": null, "content": [
            {"token": "\u{fffd}", "logprob": -1.5, "bytes": [195], "top_logprobs": [
                {"token": "hé", "logprob": -0.5, "bytes": [104, 195, 169]},
                {"token": "\u{fffd}", "logprob": -1.5, "bytes": [195]},
            ]},
            {"token": "\u{fffd}", "logprob": 0.0, "bytes": [169], "top_logprobs": []},
        ]});
        assert_eq!(chat, expected);
        let mut offset = 3;
        let text = serde_json::to_value(TextLogprobs::of(&told(), &mut offset, &read)).unwrap();
        let expected = json!({
            "tokens": ["\u{fffd}", "\u{fffd}"], "token_logprobs": [-1.5, 0.0],
            "top_logprobs": [{"hé": -0.5, "\u{fffd}": -1.5}, {"\u{fffd}": 0.0}], "text_offset": [3, 4],
        });
        assert_eq!((text, offset), (expected, 4), "one character in all");
    }
}

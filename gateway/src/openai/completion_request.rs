//! `POST /v1/completions`, the request: a raw prompt instead of a conversation; all else as in a chat.

use std::collections::BTreeMap;

use assay_model::message;
use assay_protocol::{Sampling, TokenId};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    AssuranceAsk, ChatRequest, InvalidRequest, Streaming, assurance::VerificationAsk,
    chat_request::StreamOptions, sampling::sampling,
};

/// OpenAI's own default.
const MAX_TOKENS_DEFAULT: u32 = 16;
/// OpenAI's bound on alternatives to each token.
const LOGPROBS_MAX: u8 = 5;

/// The body as clients send it. Fields that are not listed are ignored.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct CompletionRequest {
    /// A name of `GET /v1/models`.
    #[schema(required, value_type = String)]
    model: Option<String>,
    /// A string, a list of strings, a list of token ids, or a list of such lists: the text itself, without any chat
    /// template.
    #[schema(required, value_type = Value)]
    prompt: Option<Value>,
    /// Most answer tokens, the end token included; without it 16.
    max_tokens: Option<i64>,
    /// 0 to 2, default 1.
    temperature: Option<f64>,
    /// 0 to 1, default 1.
    top_p: Option<f64>,
    /// Only the k likeliest tokens; 0 or −1 means all. Not of OpenAI's.
    top_k: Option<i64>,
    /// Only tokens at least this likely relative to the likeliest; 0 to 1. Not of OpenAI's.
    min_p: Option<f64>,
    /// −2 to 2; counts answer tokens.
    presence_penalty: Option<f64>,
    /// −2 to 2; counts answer tokens.
    frequency_penalty: Option<f64>,
    /// Token ids (as strings) to −100 … 100.
    logit_bias: Option<BTreeMap<String, f64>>,
    /// The same seed and prompt give the same answer, on every node.
    seed: Option<i64>,
    /// A string or up to four.
    #[schema(value_type = Option<Value>)]
    stop: Option<Value>,
    /// Answer as server-sent events.
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// Answers to each prompt, each a verified job of its own and charged as one; 1 (without it) to 128, and no more than
    /// this gateway allows.
    #[schema(minimum = 1, maximum = 128)]
    n: Option<i64>,
    /// Only as many as `n`: nobody here chooses among answers.
    best_of: Option<i64>,
    /// Begin the text with the prompt's.
    echo: Option<bool>,
    /// Tell each token's log probability, and those of so many alternatives; the model checks them. Not with `echo`.
    #[schema(minimum = 0, maximum = 5)]
    logprobs: Option<i64>,
    /// Not served: models here only go on.
    suffix: Option<String>,
    /// How much assurance this answer needs; the header `x-assay-risk` says the same.
    verification: Option<VerificationAsk>,
}

/// A request that can be served as far as its form goes.
#[derive(Clone, Debug, PartialEq)]
pub struct CompletionAsk {
    pub model: String,
    /// At least one.
    pub prompts: Vec<RawPrompt>,
    /// For each prompt; 1 to 128.
    pub choices: u32,
    pub echo: bool,
    pub sampling: Sampling,
    pub seed: Option<i64>,
    pub max_tokens: u32,
    pub stop: Vec<String>,
    pub streaming: Streaming,
    pub assurance: AssuranceAsk,
}

/// What a completion goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawPrompt {
    Text(String),
    /// Never empty.
    Ids(Vec<TokenId>),
}

impl CompletionRequest {
    /// Checks every field.
    pub fn check(&self) -> Result<CompletionAsk, InvalidRequest> {
        let shared = self.shared();
        let model = self.model.clone().ok_or_else(|| InvalidRequest::missing("model"))?;
        let prompts =
            prompts(self.prompt.as_ref().ok_or_else(|| InvalidRequest::missing("prompt"))?)?;
        let choices = shared.choices()?;
        if self.best_of.is_some_and(|best_of| best_of != i64::from(choices)) {
            return Err(InvalidRequest::not_served("best_of", "Choosing among more answers is"));
        }
        if self.suffix.as_ref().is_some_and(|suffix| !suffix.is_empty()) {
            return Err(InvalidRequest::not_served(
                "suffix",
                "Text that comes after the answer is",
            ));
        }
        let echo = self.echo.unwrap_or(false);
        let top_logprobs = match self.logprobs.map(u8::try_from) {
            None => None,
            Some(Ok(_)) if echo => {
                let what = "Log probabilities of the prompt are";
                return Err(InvalidRequest::not_served("logprobs", what));
            }
            Some(Ok(top @ 0..=LOGPROBS_MAX)) => Some(top),
            Some(_) => {
                let message = format!("'logprobs' must be between 0 and {LOGPROBS_MAX}.");
                return Err(InvalidRequest::of("logprobs", message));
            }
        };
        Ok(CompletionAsk {
            model,
            prompts,
            choices,
            echo,
            sampling: Sampling { top_logprobs, ..sampling(&shared)? },
            seed: self.seed,
            max_tokens: shared.max_tokens()?.unwrap_or(MAX_TOKENS_DEFAULT),
            stop: message::stops(self.stop.as_ref())?,
            streaming: shared.streaming()?,
            assurance: AssuranceAsk::of(self.verification.as_ref())?,
        })
    }

    /// What a chat says in the same words.
    fn shared(&self) -> ChatRequest {
        ChatRequest {
            max_tokens: self.max_tokens,
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            min_p: self.min_p,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            logit_bias: self.logit_bias.clone(),
            stream: self.stream,
            stream_options: self.stream_options.clone(),
            n: self.n,
            ..ChatRequest::default()
        }
    }
}

pub(super) fn prompts(prompt: &Value) -> Result<Vec<RawPrompt>, InvalidRequest> {
    let wrong = || {
        InvalidRequest::of(
            "prompt",
            "'prompt' must be a string, an array of strings, an array of token ids or an array of such arrays.",
        )
    };
    let prompts = match prompt {
        Value::String(text) => Some(vec![RawPrompt::Text(text.clone())]),
        Value::Array(list) => match list.first() {
            Some(Value::String(_)) => list
                .iter()
                .map(|text| text.as_str().map(|text| RawPrompt::Text(text.to_owned())))
                .collect(),
            Some(Value::Array(_)) => list.iter().map(ids).collect(),
            Some(_) => ids(prompt).map(|ids| vec![ids]),
            None => None,
        },
        _ => None,
    };
    prompts.ok_or_else(wrong)
}

fn ids(list: &Value) -> Option<RawPrompt> {
    let id = |id: &Value| id.as_u64().and_then(|id| TokenId::try_from(id).ok());
    let ids: Vec<TokenId> = list.as_array()?.iter().map(id).collect::<Option<_>>()?;
    (!ids.is_empty()).then_some(RawPrompt::Ids(ids))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(mut body: Value) -> Result<CompletionAsk, InvalidRequest> {
        let fields = body.as_object_mut().unwrap();
        fields.entry("model").or_insert(json!("m"));
        fields.entry("prompt").or_insert(json!("Once"));
        serde_json::from_value::<CompletionRequest>(body).unwrap().check()
    }

    fn refused(body: Value) -> String {
        read(body.clone()).expect_err(&body.to_string()).param.expect("a param")
    }

    #[test]
    fn a_prompt_comes_in_four_forms() {
        let of = |prompt: Value| read(json!({"prompt": prompt})).unwrap().prompts;
        let text = |text: &str| RawPrompt::Text(text.to_owned());
        assert_eq!(of(json!("a")), [text("a")]);
        assert_eq!(of(json!(["a", "b"])), [text("a"), text("b")]);
        assert_eq!(of(json!([1, 2])), [RawPrompt::Ids(vec![1, 2])]);
        assert_eq!(of(json!([[1], [2, 3]])), [RawPrompt::Ids(vec![1]), RawPrompt::Ids(vec![2, 3])]);
        for wrong in [
            json!([]),
            json!([[]]),
            json!(["a", 1]),
            json!([1, "a"]),
            json!([[1], []]),
            json!([-1]),
            json!([1.5]),
            json!(7),
            json!({"text": "a"}),
            Value::Null,
        ] {
            assert_eq!(refused(json!({"prompt": wrong})), "prompt");
        }
    }

    #[test]
    fn defaults_are_openais() {
        let ask = read(json!({})).unwrap();
        assert_eq!((ask.max_tokens, ask.choices, ask.echo), (16, 1, false));
        assert_eq!(ask.sampling, Sampling { temperature: 1.0, ..Sampling::default() });
        let names = "max_tokens temperature top_p top_k min_p presence_penalty frequency_penalty \
            logit_bias seed stop stream stream_options n best_of echo logprobs suffix user verification";
        let nulls: serde_json::Map<_, _> =
            names.split_whitespace().map(|name| (name.to_owned(), Value::Null)).collect();
        assert_eq!(read(Value::Object(nulls)).unwrap(), ask);
    }

    #[test]
    fn what_is_not_served_is_refused_by_name() {
        assert_eq!(refused(json!({"suffix": "x"})), "suffix");
        assert_eq!(refused(json!({"best_of": 2})), "best_of");
        assert_eq!(refused(json!({"n": 2, "best_of": 1})), "best_of");
        assert_eq!(refused(json!({"logprobs": 3, "echo": true})), "logprobs");
        assert_eq!(read(json!({"logprobs": 3})).unwrap().sampling.top_logprobs, Some(3));
        assert_eq!(refused(json!({"logprobs": 6})), "logprobs");
        assert_eq!(refused(json!({"max_tokens": 0})), "max_tokens");
        assert_eq!(refused(json!({"temperature": 3})), "temperature");
        assert_eq!(refused(json!({"n": 0})), "n");
        assert!(read(json!({"n": 2, "best_of": 2, "suffix": "", "logprobs": 0})).is_ok());
    }
}

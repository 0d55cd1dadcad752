//! `POST /v1/chat/completions`, the request: read tolerantly, checked precisely.
//!
//! Explicit nulls are legal, unknown fields are ignored, and what we do not serve is refused by name
//! rather than dropped: a silently ignored parameter is a wrong answer.

use std::collections::BTreeMap;

use assay_model::{AnswerForm, ChatMessage, message};
use assay_protocol::{Sampling, TOP_LOGPROBS_MAX};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    InvalidRequest,
    assurance::{AssuranceAsk, VerificationAsk},
    content::{self, MessageAsk},
    form::form,
    metadata::check_metadata,
    sampling::sampling,
};

/// OpenAI's bound on choices.
const CHOICES_MAX: u32 = 128;

/// The body as clients send it. Fields that are not listed are ignored.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct ChatRequest {
    /// A name of `GET /v1/models`.
    #[schema(required, value_type = String)]
    pub(super) model: Option<String>,
    /// The conversation so far; at least one message.
    #[schema(required, value_type = Vec<MessageAsk>)]
    pub(super) messages: Option<Vec<MessageAsk>>,
    /// Most answer tokens, the end token included. Without it: what the context leaves, and no more than the gateway's
    /// default of 2,048.
    pub(super) max_completion_tokens: Option<i64>,
    /// The older name of `max_completion_tokens`, which wins when both are given.
    pub(super) max_tokens: Option<i64>,
    /// 0 to 2, default 1.
    pub(super) temperature: Option<f64>,
    /// 0 to 1, default 1.
    pub(super) top_p: Option<f64>,
    /// Only the k likeliest tokens; 0 or −1 means all. Not of OpenAI's.
    pub(super) top_k: Option<i64>,
    /// Only tokens at least this likely relative to the likeliest; 0 to 1. Not of OpenAI's.
    pub(super) min_p: Option<f64>,
    /// −2 to 2; counts answer tokens.
    pub(super) presence_penalty: Option<f64>,
    /// −2 to 2; counts answer tokens.
    pub(super) frequency_penalty: Option<f64>,
    /// Token ids (as strings) to −100 … 100.
    pub(super) logit_bias: Option<BTreeMap<String, f64>>,
    /// The same seed and messages give the same answer, on every node.
    pub(super) seed: Option<i64>,
    /// A string or up to four.
    #[schema(value_type = Option<Value>)]
    pub(super) stop: Option<Value>,
    /// Answer as server-sent events.
    pub(super) stream: Option<bool>,
    pub(super) stream_options: Option<StreamOptions>,
    /// Answers, each a verified job of its own and charged as one; 1 (without it) to 128, and no more than this gateway
    /// allows.
    #[schema(minimum = 1, maximum = 128)]
    pub(super) n: Option<i64>,
    /// Tell each token's log probability; the model checks it.
    pub(super) logprobs: Option<bool>,
    /// And those of so many alternatives; 0 to 20.
    #[schema(minimum = 0, maximum = 20)]
    pub(super) top_logprobs: Option<i64>,
    /// Functions that the model may call: `{"type": "function", "function": {"name", "description", "parameters"}}`, 128
    /// at most. Arguments always satisfy their schema. Custom tools are not served.
    #[schema(value_type = Option<Vec<Object>>)]
    pub(super) tools: Option<Vec<Value>>,
    /// `none`, `auto` (the default), `required`, `{"type": "function", "function": {"name"}}` or `{"type":
    /// "allowed_tools", "allowed_tools": {"mode", "tools"}}`.
    #[schema(value_type = Option<Value>)]
    pub(super) tool_choice: Option<Value>,
    /// Whether an answer may hold more than one call; 16 at most. Default true.
    pub(super) parallel_tool_calls: Option<bool>,
    /// Not served yet.
    #[schema(value_type = Option<Vec<Object>>)]
    pub(super) functions: Option<Vec<Value>>,
    #[schema(value_type = Option<Value>)]
    pub(super) function_call: Option<Value>,
    /// `{"type": "text"}`, `{"type": "json_object"}`, or `{"type": "json_schema", "json_schema": {"name", "schema"}}`: the
    /// answer satisfies the schema, strict or not, unless `max_tokens` or a stop string cuts it.
    #[schema(value_type = Option<Object>)]
    pub(super) response_format: Option<Value>,
    /// At most 16 pairs of strings, of 64 and 512 characters. They have no effect.
    #[schema(value_type = Option<Object>)]
    pub(super) metadata: Option<Value>,
    /// Only `["text"]` is served.
    pub(super) modalities: Option<Vec<String>>,
    /// Not served.
    #[schema(value_type = Option<Object>)]
    pub(super) web_search_options: Option<Value>,
    /// Not served.
    #[schema(value_type = Option<Object>)]
    pub(super) audio: Option<Value>,
    /// Not served.
    #[schema(value_type = Option<Object>)]
    pub(super) moderation: Option<Value>,
    /// How much assurance this answer needs; the header `x-assay-risk` says the same.
    pub(super) verification: Option<VerificationAsk>,
}

/// See `ChatRequest::stream_options`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct StreamOptions {
    /// Send one more chunk, with the usage, at the end.
    pub(super) include_usage: Option<bool>,
}

/// A request that can be served as far as its form goes.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatAsk {
    pub model: String,
    pub messages: Vec<ChatMessage>,
    /// 1 to 128.
    pub choices: u32,
    pub sampling: Sampling,
    pub seed: Option<i64>,
    pub max_tokens: Option<u32>,
    pub stop: Vec<String>,
    pub form: AnswerForm,
    pub streaming: Streaming,
    pub assurance: AssuranceAsk,
}

/// How the answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streaming {
    /// One JSON body.
    No,
    /// Server-sent events, with a usage chunk or without.
    Yes { include_usage: bool },
}

impl ChatRequest {
    /// Checks every field.
    pub fn check(&self) -> Result<ChatAsk, InvalidRequest> {
        let model = self.model.clone().ok_or_else(|| InvalidRequest::missing("model"))?;
        let messages = content::messages(self.messages.as_deref())?;
        self.refuse_what_is_not_served()?;
        check_metadata(self.metadata.as_ref())?;
        Ok(ChatAsk {
            model,
            messages,
            choices: self.choices()?,
            sampling: Sampling { top_logprobs: self.told()?, ..sampling(self)? },
            seed: self.seed,
            max_tokens: self.max_tokens()?,
            stop: message::stops(self.stop.as_ref())?,
            form: form(self)?,
            streaming: self.streaming()?,
            assurance: AssuranceAsk::of(self.verification.as_ref())?,
        })
    }

    fn refuse_what_is_not_served(&self) -> Result<(), InvalidRequest> {
        let is_some =
            |list: &Option<Vec<Value>>| list.as_ref().is_some_and(|list| !list.is_empty());
        if is_some(&self.functions) {
            return Err(InvalidRequest::not_served(
                "functions",
                "Functions, which 'tools' replaced, are",
            ));
        }
        if !is_none_or_auto(self.function_call.as_ref()) {
            return Err(InvalidRequest::of("function_call", "'function_call' needs 'functions'."));
        }
        if self.modalities.iter().flatten().any(|modality| modality != "text") {
            return Err(InvalidRequest::not_served("modalities", "Answers other than text are"));
        }
        let others = [
            (&self.web_search_options, "web_search_options", "Web search is"),
            (&self.audio, "audio", "Answers other than text are"),
            (&self.moderation, "moderation", "Moderation is"),
        ];
        match others.into_iter().find(|(field, ..)| field.is_some()) {
            Some((_, param, what)) => Err(InvalidRequest::not_served(param, what)),
            None => Ok(()),
        }
    }

    /// Alternatives to tell of each token; none where nothing is told.
    fn told(&self) -> Result<Option<u8>, InvalidRequest> {
        let wrong = |message: String| Err(InvalidRequest::of("top_logprobs", message));
        let count = self.top_logprobs.unwrap_or(0);
        let top = u8::try_from(count).ok().filter(|top| *top <= TOP_LOGPROBS_MAX);
        match (self.logprobs.unwrap_or(false), top) {
            (_, None) => wrong(format!("'top_logprobs' must be between 0 and {TOP_LOGPROBS_MAX}.")),
            (false, Some(1..)) => {
                wrong("'top_logprobs' is only allowed when 'logprobs' is true.".to_owned())
            }
            (false, Some(0)) => Ok(None),
            (true, top) => Ok(top),
        }
    }

    pub(super) fn choices(&self) -> Result<u32, InvalidRequest> {
        let choices = u32::try_from(self.n.unwrap_or(1)).unwrap_or_default();
        match choices {
            1..=CHOICES_MAX => Ok(choices),
            _ => Err(InvalidRequest::of("n", "'n' must be between 1 and 128.")),
        }
    }

    pub(super) fn max_tokens(&self) -> Result<Option<u32>, InvalidRequest> {
        let (param, value) = match (self.max_completion_tokens, self.max_tokens) {
            (Some(value), _) => ("max_completion_tokens", value),
            (None, Some(value)) => ("max_tokens", value),
            (None, None) => return Ok(None),
        };
        match value {
            1.. => Ok(Some(u32::try_from(value).unwrap_or(u32::MAX))),
            _ => Err(InvalidRequest::of(param, format!("'{param}' must be at least 1."))),
        }
    }

    pub(super) fn streaming(&self) -> Result<Streaming, InvalidRequest> {
        let include_usage = self.stream_options.as_ref().and_then(|options| options.include_usage);
        match (self.stream.unwrap_or(false), &self.stream_options) {
            (true, _) => Ok(Streaming::Yes { include_usage: include_usage.unwrap_or(false) }),
            (false, Some(_)) => Err(InvalidRequest::of(
                "stream_options",
                "'stream_options' is only allowed when 'stream' is true.",
            )),
            (false, None) => Ok(Streaming::No),
        }
    }
}

fn is_none_or_auto(choice: Option<&Value>) -> bool {
    choice.is_none_or(|choice| choice == "none" || choice == "auto")
}

#[cfg(test)]
mod tests;

//! A request in the sampler's and the template's terms, by OpenAI's defaults, as the gateway documents them.

use std::collections::BTreeMap;

use assay_model::{
    AnswerForm, ChatMessage, FormFields, MessageFields, ModelError, TextModel, message, responses,
};
use assay_protocol::{Sampling, TokenId};

use crate::receipt::canonical::Json;

/// What was asked, as far as it decides the answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) prompts: Vec<Prompt>,
    /// Answers to each prompt.
    choices: u32,
    echo: bool,
    pub(super) sampling: Sampling,
    pub(super) seed: Option<i64>,
    pub(super) max_tokens: Option<u32>,
    pub(super) stop: Vec<String>,
    pub(super) form: AnswerForm,
}

/// What is gone on from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Prompt {
    Chat(Vec<ChatMessage>),
    Text(String),
    Ids(Vec<TokenId>),
}

/// Answer tokens of a completion that names no limit.
const COMPLETION_TOKENS_DEFAULT: u32 = 16;
/// Answers to each prompt, at most.
const CHOICES_MAX: u32 = 128;

impl Prompt {
    pub(super) fn ids(
        &self,
        form: &AnswerForm,
        model: &TextModel,
    ) -> Result<Vec<TokenId>, ModelError> {
        match self {
            Self::Chat(messages) => model.encode(&model.render_with(messages, &form.tools())?),
            Self::Text(text) => model.encode_raw(text),
            Self::Ids(ids) => Ok(ids.clone()),
        }
    }
}

impl Asked {
    /// How many answers there are to all prompts.
    pub(super) fn answers(&self) -> u32 {
        let prompts = u32::try_from(self.prompts.len()).unwrap_or(u32::MAX);
        prompts.saturating_mul(self.choices)
    }

    /// What this answer goes on from.
    pub(super) fn prompt_of(&self, choice: u32) -> Option<&Prompt> {
        self.prompts.get((choice / self.choices) as usize)
    }

    /// What the text of this answer begins with, before the answer's own.
    pub(super) fn echoed(&self, choice: u32, model: &TextModel) -> String {
        match self.prompt_of(choice).filter(|_| self.echo) {
            Some(Prompt::Text(text)) => text.clone(),
            Some(Prompt::Ids(ids)) => model.decode(ids),
            Some(Prompt::Chat(_)) | None => String::new(),
        }
    }

    pub(super) fn read(request: &Json) -> Result<Self, String> {
        match as_chat(request)? {
            Some(chat) => Self::read_choices(&chat),
            None => Self::read_choices(request),
        }
    }

    fn read_choices(request: &Json) -> Result<Self, String> {
        let messages = request.get("messages").and_then(Json::as_list);
        let is_chat = messages.is_some();
        let prompts = match messages {
            Some(messages) => {
                vec![Prompt::Chat(messages.iter().map(message).collect::<Result<_, _>>()?)]
            }
            None => prompts(request.get("prompt").ok_or("it has no messages and no prompt")?)?,
        };
        let choices = read(request, "n", Json::as_u32)?.unwrap_or(1);
        if !(1..=CHOICES_MAX).contains(&choices) {
            return Err("its `n` is none that is served".into());
        }
        let limit = |name| request.get(name).filter(|_| is_chat || name == "max_tokens");
        let max_tokens = limit("max_completion_tokens").or_else(|| limit("max_tokens"));
        let max_tokens = max_tokens.map(|max| max.as_u32().ok_or("max_tokens")).transpose()?;
        let echo = request.get("echo").is_some_and(|echo| *echo == Json::Bool(true));
        Ok(Self {
            prompts,
            choices,
            echo: echo && !is_chat,
            sampling: sampling(request)?,
            seed: read(request, "seed", Json::as_i64)?,
            max_tokens: max_tokens.or((!is_chat).then_some(COMPLETION_TOKENS_DEFAULT)),
            stop: stop(request)?,
            form: if is_chat { form(request)? } else { AnswerForm::default() },
        })
    }
}

/// The chat that a request for a response asks for.
fn as_chat(request: &Json) -> Result<Option<Json>, String> {
    let body = request.to_value();
    if !responses::is_response(&body) {
        return Ok(None);
    }
    let chat = responses::as_chat(&body).map_err(|wrong| wrong.to_string())?;
    Json::parse(chat.body.to_string().as_bytes()).map(Some).map_err(|error| error.to_string())
}

fn read<T>(
    json: &Json,
    key: &str,
    read: impl FnOnce(&Json) -> Option<T>,
) -> Result<Option<T>, String> {
    let Some(value) = json.get(key) else { return Ok(None) };
    read(value).map(Some).ok_or_else(|| format!("its `{key}` cannot be read"))
}

/// A text, several, the ids of one, or those of several.
pub(super) fn prompts(prompt: &Json) -> Result<Vec<Prompt>, String> {
    let read = match prompt {
        Json::Text(text) => Some(vec![Prompt::Text(text.clone())]),
        Json::List(list) => match list.first() {
            Some(Json::Text(_)) => {
                let texts = list.iter().map(|text| Some(Prompt::Text(text.as_text()?.to_owned())));
                texts.collect()
            }
            Some(Json::List(_)) => list.iter().map(ids).collect(),
            _ => ids(prompt).map(|ids| vec![ids]),
        },
        _ => None,
    };
    let read = read.filter(|prompts| !prompts.is_empty());
    read.ok_or_else(|| "its `prompt` or `input` cannot be read".into())
}

fn ids(list: &Json) -> Option<Prompt> {
    let ids = list.as_list()?.iter().map(Json::as_u32).collect::<Option<Vec<_>>>()?;
    (!ids.is_empty()).then_some(Prompt::Ids(ids))
}

fn message(message: &Json) -> Result<ChatMessage, String> {
    let content = message.get("content").map(Json::to_value);
    let calls: Vec<_> = message
        .get("tool_calls")
        .and_then(Json::as_list)
        .unwrap_or_default()
        .iter()
        .map(Json::to_value)
        .collect();
    let text = |field| message.get(field).and_then(Json::as_text);
    let fields = MessageFields {
        role: text("role"),
        content: content.as_ref(),
        tool_calls: &calls,
        tool_call_id: text("tool_call_id"),
    };
    fields.read("a message").map_err(|wrong| wrong.to_string())
}

fn form(request: &Json) -> Result<AnswerForm, String> {
    let field = |name| request.get(name).map(Json::to_value);
    let fields = FormFields {
        response_format: field("response_format"),
        tools: field("tools"),
        tool_choice: field("tool_choice"),
        parallel_tool_calls: field("parallel_tool_calls"),
    };
    AnswerForm::read(&fields).map_err(|wrong| wrong.to_string())
}

fn sampling(request: &Json) -> Result<Sampling, String> {
    let number =
        |key, default| Ok::<_, String>(read(request, key, Json::as_f64)?.unwrap_or(default));
    let top_k = read(request, "top_k", Json::as_i64)?.unwrap_or(0).max(0);
    Ok(Sampling {
        temperature: number("temperature", 1.0)?,
        top_p: number("top_p", 1.0)?,
        min_p: number("min_p", 0.0)?,
        presence_penalty: number("presence_penalty", 0.0)?,
        frequency_penalty: number("frequency_penalty", 0.0)?,
        top_k: u32::try_from(top_k).map_err(|_| "its `top_k` is too large")?,
        logit_bias: logit_bias(request)?,
        grammar: None,
        top_logprobs: top_logprobs(request)?,
    })
}

/// Of a chat `logprobs` says whether and `top_logprobs` how many, of a completion `logprobs` says both.
fn top_logprobs(request: &Json) -> Result<Option<u8>, String> {
    let wrong = || "its `logprobs` cannot be read".to_owned();
    let count = |count: &Json| count.as_u32().and_then(|count| u8::try_from(count).ok());
    match request.get("logprobs") {
        None | Some(Json::Bool(false)) => Ok(None),
        Some(Json::Bool(true)) => match request.get("top_logprobs") {
            None => Ok(Some(0)),
            Some(top) => count(top).map(Some).ok_or_else(wrong),
        },
        Some(top) => count(top).map(Some).ok_or_else(wrong),
    }
}

fn logit_bias(request: &Json) -> Result<Vec<(TokenId, f64)>, String> {
    let wrong = || "its `logit_bias` cannot be read".to_owned();
    let entries = match request.get("logit_bias") {
        None => return Ok(Vec::new()),
        Some(Json::Object(entries)) => entries,
        Some(_) => return Err(wrong()),
    };
    let mut by_id = BTreeMap::new();
    for (key, bias) in entries {
        by_id.insert(key.parse().map_err(|_| wrong())?, bias.as_f64().ok_or_else(wrong)?);
    }
    Ok(by_id.into_iter().collect())
}

fn stop(request: &Json) -> Result<Vec<String>, String> {
    let stop = request.get("stop").map(Json::to_value);
    message::stops(stop.as_ref()).map_err(|wrong| wrong.to_string())
}

//! A request on its way to becoming a job: checked, tokenized and priced.

use std::sync::Arc;

use assay_ledger::{AccountId, Quote};
use assay_model::{AnswerForm, CallStyle, ChatMessage, sampler};
use assay_protocol::{Bytes32, JobId, Sampling, TokenId, embedding::joined};
use assay_verifier::Rules;
use uuid::Uuid;

use super::{
    Question,
    delivery::ServeError,
    policy::{Policy, Risk, Terms},
    quote::{quote, quote_inputs},
};
use crate::{app::App, catalog::HostedModel, scheduler::Party, verification::rules::rules};

/// Tokens of one request to embed: its frame stays far below what a node takes.
const EMBED_TOKENS_MAX: usize = 65_536;
/// A text of more bytes for each token of the context is too long, whatever its tokens are; it is not counted.
const PROMPT_BYTES_PER_TOKEN_MAX: usize = 128;
/// What a node that is worth asking needs for a token of a text.
const EMBED_MS_PER_TOKEN: u64 = 2;

/// A request that the edge has understood.
#[derive(Clone, Debug)]
pub struct ChatJob {
    pub model: Arc<HostedModel>,
    /// At least one.
    pub prompts: Vec<Prompt>,
    /// Answers to each prompt, at least one: each is a job of its own.
    pub choices: u32,
    /// What the answer's id begins with.
    pub id_prefix: &'static str,
    /// Whether the text begins with the prompt's.
    pub echo: bool,
    pub sampling: Sampling,
    /// OpenAI's `seed`: the same one gives the same answer.
    pub seed: Option<i64>,
    /// Output tokens at most.
    pub max_tokens: Option<u32>,
    /// At most four, none empty.
    pub stop: Vec<String>,
    /// What the answer's text is held to.
    pub form: AnswerForm,
    pub terms: Terms,
    /// The client's own randomness, so that the gateway cannot choose the seed alone.
    pub nonce: Option<String>,
    /// Whether the answer goes out as it comes.
    pub streamed: bool,
    /// Whether the answer is kept under a key: then nothing is charged before it is.
    pub keyed: bool,
    /// SHA-256 of the canonical form of the request, for its receipt.
    pub request: Bytes32,
}

/// What is to be gone on from.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompt {
    /// A conversation, which the model's chat template renders.
    Chat(Vec<ChatMessage>),
    /// The text itself.
    Text(String),
    /// Its ids.
    Ids(Vec<TokenId>),
    /// Texts or ids that are to be embedded, all of them in one job.
    ToEmbed(Vec<Prompt>),
}

/// What a job's settlement waits for, once its answer is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// Nothing.
    No,
    /// The other choices, which the client gets with it. A client that leaves pays all the same.
    Siblings,
    /// That the answer is kept. Whoever keeps it always says how that went.
    Kept,
}

/// A job: everything about it that never changes.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: JobId,
    /// Who asks.
    pub(super) account: AccountId,
    /// Who that may be besides: nobody related answers.
    pub(super) client: Party,
    pub(super) model: Arc<HostedModel>,
    /// Of texts to embed all, as they are hashed.
    pub(super) prompt: Vec<TokenId>,
    /// What is to be embedded; nothing where an answer is to be written.
    pub(super) inputs: Option<Vec<Vec<TokenId>>>,
    pub(super) max_tokens: u32,
    pub(super) sampling: Sampling,
    pub(super) seed: Bytes32,
    /// Whether the seed is the client's own.
    pub(super) client_seed: bool,
    pub(super) nonce: Option<String>,
    /// SHA-256 of the canonical form of the request.
    pub(super) request: Bytes32,
    /// Enters the hash chains of its answers.
    pub(super) salt: Bytes32,
    pub(super) stop: Vec<String>,
    /// How the answer spells calls of functions; none where it may have none.
    pub(super) calls: Option<CallStyle>,
    pub(super) risk: Risk,
    pub(super) policy: Policy,
    pub(super) quote: Quote,
    pub(super) streamed: bool,
    /// What the text begins with, before the answer's.
    pub(super) echo: String,
    pub(super) waits: Waits,
    /// Jobs of one request are worked on a few at once: how many times that takes, at most.
    pub(super) turns: u32,
    /// What the whole answer is called: by the first of its jobs.
    pub(super) answer_id: String,
}

impl ChatJob {
    /// Choices of all prompts: as many jobs.
    pub(super) fn jobs(&self) -> usize {
        self.prompts.len() * self.choices as usize
    }
}

impl Job {
    /// Renders and tokenizes the prompts and bounds the cost; a job for each choice.
    pub(super) fn prepare(
        app: &App,
        account: AccountId,
        client: Party,
        request: ChatJob,
    ) -> Result<Vec<Self>, ServeError> {
        let grammar = request.form.grammar(&request.model.text).map_err(ServeError::Form)?;
        let sampling = Sampling { grammar, ..request.sampling };
        let request = ChatJob { sampling, ..request };
        let mut jobs: Vec<Self> = Vec::with_capacity(request.jobs());
        for asked in &request.prompts {
            let inputs = match asked {
                Prompt::ToEmbed(texts) => Some(inputs(&request.model, texts, &request.form)?),
                _ => None,
            };
            let prompt = match &inputs {
                Some(inputs) => joined(inputs),
                None => prompt_ids(&request.model, asked, &request.form)?,
            };
            let echo = match request.echo {
                true => prompt_text(&request.model, asked),
                false => String::new(),
            };
            for _ in 0..request.choices {
                let id = JobId(Uuid::now_v7());
                let answer_id = match jobs.first() {
                    Some(first) => first.answer_id.clone(),
                    None => format!("{}{id}", request.id_prefix),
                };
                let choice = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
                let (prompt, inputs, echo) = (prompt.clone(), inputs.clone(), echo.clone());
                let of = Choice { id, choice, answer_id, prompt, inputs, echo };
                jobs.push(Self::of(app, account, client.clone(), &request, of)?);
            }
        }
        Ok(jobs)
    }

    fn of(
        app: &App,
        account: AccountId,
        client: Party,
        request: &ChatJob,
        choice: Choice,
    ) -> Result<Self, ServeError> {
        let Choice { id, choice, answer_id, prompt, inputs, echo } = choice;
        let ChatJob { model, nonce, terms, keyed, streamed, .. } = request;
        let policy = terms.policy();
        let turns = request.jobs().div_ceil(app.config.serving.choices_at_once.max(1));
        let (max_tokens, quote) = match &inputs {
            Some(inputs) => (0, quote_inputs(inputs, model.price, &policy)?),
            None => quote(
                u32::try_from(prompt.len()).unwrap_or(u32::MAX),
                request.max_tokens.unwrap_or(app.config.serving.max_tokens_default),
                model.text.manifest.context_length,
                model.price,
                &policy,
            )?,
        };
        let seed = match request.seed {
            // Nothing is drawn.
            _ if inputs.is_some() => Bytes32([0; 32]),
            Some(seed) => sampler::client_seed(seed, choice, &prompt),
            None => {
                // Without the client's nonce the seed is the gateway's choice, a new one each time.
                let nonce = nonce.as_ref().map_or_else(|| id.to_string(), String::clone);
                sampler::gateway_seed(app.keys.k_seed(), Some(&nonce), choice, &prompt)
            }
        };
        Ok(Self {
            id,
            account,
            client,
            model: model.clone(),
            prompt,
            inputs,
            max_tokens,
            sampling: request.sampling.clone(),
            seed,
            client_seed: request.seed.is_some(),
            nonce: nonce.clone(),
            request: request.request,
            salt: Bytes32(rand::random()),
            stop: request.stop.clone(),
            calls: request.form.call_style(&model.text),
            risk: terms.risk,
            policy,
            quote,
            streamed: *streamed,
            echo,
            waits: match (keyed, streamed) {
                (true, _) => Waits::Kept,
                (false, false) if request.jobs() > 1 => Waits::Siblings,
                (false, _) => Waits::No,
            },
            turns: u32::try_from(turns).unwrap_or(u32::MAX),
            answer_id,
        })
    }

    pub(super) fn prompt_tokens(&self) -> u32 {
        let count = match &self.inputs {
            Some(inputs) => inputs.iter().map(Vec::len).sum(),
            None => self.prompt.len(),
        };
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// How long nodes may read before they say anything, besides what any answer's first token takes.
    pub(super) fn reading_ms(&self) -> u64 {
        let tokens = self.inputs.as_ref().map_or(0, |_| self.prompt_tokens());
        u64::from(tokens) * EMBED_MS_PER_TOKEN
    }

    /// What nodes and scorers see of it.
    pub(super) fn question(&self) -> Question<'_> {
        Question {
            job: self.id,
            model: &self.model,
            prompt: &self.prompt,
            sampling: &self.sampling,
            seed: self.seed,
            salt: self.salt,
        }
    }

    /// What its answers are held to.
    pub(super) fn rules(&self) -> Rules {
        let temperature = self.sampling.temperature;
        rules(&self.model, None, self.max_tokens, temperature, self.policy.spot_checks)
    }
}

/// Which of a request's jobs it is.
struct Choice {
    id: JobId,
    /// Its number among all choices, from 0.
    choice: u32,
    answer_id: String,
    prompt: Vec<TokenId>,
    inputs: Option<Vec<Vec<TokenId>>>,
    echo: String,
}

fn prompt_ids(
    model: &HostedModel,
    asked: &Prompt,
    form: &AnswerForm,
) -> Result<Vec<TokenId>, ServeError> {
    let refused = |error: assay_model::ModelError| ServeError::Template(error.to_string());
    let context = model.text.manifest.context_length;
    let countable = |text: &str| match text.len() {
        bytes if bytes / PROMPT_BYTES_PER_TOKEN_MAX > context as usize => {
            Err(ServeError::PromptTooLarge { bytes, context })
        }
        _ => Ok(()),
    };
    match asked {
        Prompt::Chat(messages) => {
            let rendered = model.text.render_with(messages, &form.tools()).map_err(refused)?;
            countable(&rendered)?;
            model.text.encode(&rendered).map_err(refused)
        }
        Prompt::Text(text) => {
            countable(text)?;
            match model.text.encode_raw(text).map_err(refused)? {
                ids if ids.is_empty() => Err(ServeError::PromptEmpty),
                ids => Ok(ids),
            }
        }
        Prompt::Ids(ids) => Ok(ids.clone()),
        // They are not gone on from; see `inputs`.
        Prompt::ToEmbed(_) => Ok(Vec::new()),
    }
}

/// The ids of texts that are to be embedded, each within the model's context.
fn inputs(
    model: &HostedModel,
    texts: &[Prompt],
    form: &AnswerForm,
) -> Result<Vec<Vec<TokenId>>, ServeError> {
    let max = model.text.manifest.context_length;
    let mut inputs = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let ids = match text {
            Prompt::Text(text) if text.is_empty() => Vec::new(),
            text => prompt_ids(model, text, form)?,
        };
        let tokens = ids.len();
        if tokens == 0 {
            return Err(ServeError::InputEmpty { index });
        }
        if tokens > max as usize {
            return Err(ServeError::InputTooLong { index, tokens, max });
        }
        inputs.push(ids);
    }
    match inputs.iter().map(Vec::len).sum() {
        tokens if tokens > EMBED_TOKENS_MAX => {
            Err(ServeError::InputsTooLong { tokens, max: EMBED_TOKENS_MAX })
        }
        _ => Ok(inputs),
    }
}

/// A prompt as its client knows it.
fn prompt_text(model: &HostedModel, asked: &Prompt) -> String {
    match asked {
        Prompt::Chat(_) | Prompt::ToEmbed(_) => String::new(),
        Prompt::Text(text) => text.clone(),
        Prompt::Ids(ids) => model.text.decode(ids),
    }
}

//! A request on its way to becoming a job: checked, tokenized and priced.

use std::sync::Arc;

use assay_ledger::{AccountId, Quote};
use assay_model::{ChatMessage, sampler};
use assay_protocol::{Bytes32, JobId, Sampling, TokenId};
use assay_verifier::Rules;
use uuid::Uuid;

use super::{
    Question,
    delivery::ServeError,
    policy::{Policy, Risk, Terms},
    quote::quote,
};
use crate::{app::App, catalog::HostedModel, scheduler::Party, verification::rules::rules};

/// A chat request that the edge has understood.
#[derive(Clone, Debug)]
pub struct ChatJob {
    pub model: Arc<HostedModel>,
    pub messages: Vec<ChatMessage>,
    pub sampling: Sampling,
    /// OpenAI's `seed`: the same one gives the same answer.
    pub seed: Option<i64>,
    /// Output tokens at most.
    pub max_tokens: Option<u32>,
    /// At most four, none empty.
    pub stop: Vec<String>,
    pub terms: Terms,
    /// The client's own randomness, so that the gateway cannot choose the seed alone.
    pub nonce: Option<String>,
    /// Whether the answer goes out as it comes.
    pub streamed: bool,
    /// SHA-256 of the canonical form of the request, for its receipt.
    pub request: Bytes32,
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
    pub(super) prompt: Vec<TokenId>,
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
    pub(super) risk: Risk,
    pub(super) policy: Policy,
    pub(super) quote: Quote,
    pub(super) streamed: bool,
}

impl Job {
    /// Renders and tokenizes the prompt and bounds the cost.
    pub(super) fn prepare(
        app: &App,
        account: AccountId,
        client: Party,
        request: ChatJob,
    ) -> Result<Self, ServeError> {
        let ChatJob { model, messages, sampling, seed, max_tokens, stop, terms, .. } = request;
        let ChatJob { nonce, streamed, request, .. } = request;
        let refused = |error: assay_model::ModelError| ServeError::Template(error.to_string());
        let prompt = model.text.encode(&model.text.render(&messages).map_err(refused)?);
        let prompt = prompt.map_err(refused)?;
        let policy = terms.policy();
        let (max_tokens, quote) = quote(
            u32::try_from(prompt.len()).unwrap_or(u32::MAX),
            max_tokens.unwrap_or(app.config.serving.max_tokens_default),
            model.text.manifest.context_length,
            model.price,
            &policy,
        )?;
        let id = JobId(Uuid::now_v7());
        let client_seed = seed.is_some();
        let seed = match seed {
            Some(seed) => sampler::client_seed(seed, 0, &prompt),
            None => {
                // Without the client's nonce the seed is the gateway's choice, a new one each time.
                let nonce = nonce.as_ref().map_or_else(|| id.to_string(), String::clone);
                sampler::gateway_seed(app.keys.k_seed(), Some(&nonce), 0, &prompt)
            }
        };
        Ok(Self {
            id,
            account,
            client,
            model,
            prompt,
            max_tokens,
            sampling,
            seed,
            client_seed,
            nonce,
            request,
            salt: Bytes32(rand::random()),
            stop,
            risk: terms.risk,
            policy,
            quote,
            streamed,
        })
    }

    pub(super) fn prompt_tokens(&self) -> u32 {
        u32::try_from(self.prompt.len()).unwrap_or(u32::MAX)
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

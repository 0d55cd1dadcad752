//! One node's part in a round: asked, writing, complete or lost.

use std::time::{Duration, Instant};

use assay_ledger::AccountId;
use assay_protocol::{
    CancelReason, Finish, JobId, NodeId, Outcome, TokenId, TokenLogprobs, ToldToken,
};

use crate::{nodes::NodeHandle, scheduler::Trust};

/// A node's answer in the making.
#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) handle: NodeHandle,
    pub(crate) owner: AccountId,
    /// As it was when the node was asked.
    pub(crate) trust: Trust,
    pub(crate) stage: Stage,
    /// The model confirms another token too, where this one parted from the client's answer.
    pub(crate) apart: bool,
    /// The whole answer so far, the prefix that was handed over included.
    pub(crate) ids: Vec<TokenId>,
    /// The raw logit that it reported with each token of its own.
    logits: Vec<f32>,
    /// What else it told of them, if the job asks for it.
    logprobs: Vec<TokenLogprobs>,
    /// Of texts that it was to embed; once they are whole.
    pub(crate) vectors: Option<Vec<f32>>,
    prefix_tokens: usize,
    since: Instant,
    first_token: Option<Instant>,
    last_news: Instant,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stage {
    /// The offer is out.
    Offered,
    /// Accepted; it starts when the set is complete.
    Accepted,
    Writing,
    Complete(Finish),
    /// The model contradicts the token at this position, its own or one that it was handed.
    Refuted {
        at: usize,
    },
    /// Out of the job, with the reason that its operator reads.
    Lost(Outcome, String),
}

impl Branch {
    pub(crate) fn offered(
        handle: NodeHandle,
        owner: AccountId,
        trust: Trust,
        now: Instant,
    ) -> Self {
        Self {
            handle,
            owner,
            trust,
            apart: false,
            stage: Stage::Offered,
            ids: Vec::new(),
            logits: Vec::new(),
            logprobs: Vec::new(),
            vectors: None,
            prefix_tokens: 0,
            since: now,
            first_token: None,
            last_news: now,
        }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.handle.id()
    }

    /// The work was handed over, with the tokens that are agreed already.
    pub(crate) fn start(&mut self, prefix: &[TokenId], now: Instant) {
        self.stage = Stage::Writing;
        self.ids = prefix.to_vec();
        self.logits.clear();
        self.logprobs.clear();
        self.prefix_tokens = prefix.len();
        self.since = now;
        self.last_news = now;
    }

    pub(crate) fn tokens(
        &mut self,
        ids: &[TokenId],
        logits: &[f32],
        logprobs: Vec<TokenLogprobs>,
        now: Instant,
    ) {
        self.ids.extend_from_slice(ids);
        self.logits.extend_from_slice(logits);
        self.logprobs.extend(logprobs);
        self.first_token.get_or_insert(now);
        self.last_news = now;
    }

    pub(crate) fn complete(&mut self, finish: Finish, count: u32, now: Instant) {
        self.ids.truncate(count as usize);
        let own = self.ids.len().saturating_sub(self.prefix_tokens);
        self.logits.truncate(own);
        self.logprobs.truncate(own);
        self.stage = Stage::Complete(finish);
        self.last_news = now;
    }

    pub(crate) fn embedded(&mut self, vectors: Vec<f32>, now: Instant) {
        self.vectors = Some(vectors);
        self.stage = Stage::Complete(Finish::Embedded);
        self.last_news = now;
    }

    pub(crate) fn lose(&mut self, outcome: Outcome, reason: impl Into<String>) {
        self.stage = Stage::Lost(outcome, reason.into());
    }

    /// The model contradicts the token at `at`: nothing from there on counts, and the node is called off.
    pub(crate) fn refute(&mut self, at: usize, job: JobId) {
        if self.stage == Stage::Writing {
            let _ = self.handle.cancel(job, CancelReason::NotNeeded);
        }
        self.ids.truncate(at + 1);
        self.stage = Stage::Refuted { at };
    }

    /// Its whole answer as far as it counts: a stop string, or a client that left, cuts it.
    pub(crate) fn whole(&self, cut: Option<usize>) -> Option<(&[TokenId], Finish)> {
        let Stage::Complete(finish) = self.stage else { return None };
        match cut {
            Some(at) if self.ids.len() >= at => Some((&self.ids[..at], Finish::Told)),
            _ => Some((&self.ids, finish)),
        }
    }

    /// The logits of its own tokens among the first `count` of its answer.
    pub(crate) fn own_logits(&self, count: usize) -> &[f32] {
        let own = count.saturating_sub(self.prefix_tokens);
        &self.logits[..own.min(self.logits.len())]
    }

    /// What it told of these tokens, likewise.
    pub(crate) fn own_logprobs(&self, count: usize) -> &[TokenLogprobs] {
        let own = count.saturating_sub(self.prefix_tokens);
        &self.logprobs[..own.min(self.logprobs.len())]
    }

    /// What it told of the token at this output position.
    pub(crate) fn told_at(&self, position: usize) -> Option<ToldToken> {
        let own = position.checked_sub(self.prefix_tokens)?;
        let (logit, logprobs) = (*self.logits.get(own)?, self.logprobs.get(own)?.clone());
        Some(ToldToken { logit, logprobs })
    }

    /// Whether it writes or has written an answer.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.stage, Stage::Writing | Stage::Complete(_))
    }

    /// Whether it is one of those who make the client's answer.
    pub(crate) fn counts(&self) -> bool {
        self.is_live() && !self.apart
    }

    /// Whether what it said counts, although it may have left.
    pub(crate) fn has_say(&self) -> bool {
        !self.apart && !self.is_violator() && !matches!(self.stage, Stage::Refuted { .. })
    }

    /// Whether it has no part in the job any more.
    pub(crate) fn is_out(&self) -> bool {
        matches!(self.stage, Stage::Lost(..) | Stage::Refuted { .. })
    }

    /// Whether it was cut for breaking the protocol: nothing that it said counts.
    pub(crate) fn is_violator(&self) -> bool {
        matches!(self.stage, Stage::Lost(Outcome::Violation, _))
    }

    /// Tokens that it was handed.
    pub(crate) fn prefix_tokens(&self) -> usize {
        self.prefix_tokens
    }

    /// Tokens that it wrote itself.
    pub(crate) fn own_tokens(&self) -> u32 {
        u32::try_from(self.ids.len().saturating_sub(self.prefix_tokens)).unwrap_or(u32::MAX)
    }

    /// Milliseconds from its start to its last news.
    pub(crate) fn elapsed_ms(&self) -> i64 {
        i64::try_from((self.last_news - self.since).as_millis()).unwrap_or(i64::MAX)
    }

    /// Milliseconds from its start to its first token, if there was one.
    pub(crate) fn first_token_ms(&self) -> Option<u64> {
        self.first_token
            .map(|first| u64::try_from((first - self.since).as_millis()).unwrap_or(u64::MAX))
    }

    /// When it has to have said something new.
    pub(crate) fn deadline(&self, waits: &Waits) -> Option<Instant> {
        match self.stage {
            Stage::Offered => Some(self.since + waits.offer),
            Stage::Writing if self.first_token.is_none() => Some(self.since + waits.first_token),
            Stage::Writing => Some(self.last_news + waits.stall),
            Stage::Accepted | Stage::Complete(_) | Stage::Refuted { .. } | Stage::Lost(..) => None,
        }
    }

    /// Milliseconds to the first token, and from there per token, as measured here.
    pub(crate) fn speed(&self) -> Option<(f64, Option<f64>)> {
        let first = self.first_token?;
        let first_ms = (first - self.since).as_secs_f64() * 1e3;
        let more = self.own_tokens().saturating_sub(1);
        let per_token = (self.last_news - first).as_secs_f64() * 1e3 / f64::from(more.max(1));
        Some((first_ms, (more > 0).then_some(per_token)))
    }
}

/// How long a node may take at each stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waits {
    pub(crate) offer: Duration,
    pub(crate) first_token: Duration,
    pub(crate) stall: Duration,
}

//! An answer as its node writes it: every id counted, hashed and bounded before anyone sees it.

use assay_protocol::{
    AnswerChain, Attestation, Bytes32, Bytes64, Finish, GenerateStart, JobId, LogitsHash, Sampling,
    TokenId, TokenLogprobs, VERSION, limits,
};

use assay_verifier::receipt::Signed;

use super::{ModelFacts, SessionIdentity, Violation};

#[derive(Debug)]
pub(super) struct Writing {
    round: u8,
    model: ModelFacts,
    sampling: Sampling,
    /// The hash of its grammar.
    grammar: Option<Bytes32>,
    seed: Bytes32,
    max_tokens: u32,
    from: AnswerChain,
    chain: AnswerChain,
    logits_hash: LogitsHash,
    ids: Vec<TokenId>,
    logits: Vec<f32>,
    /// As many, if the job asks for them, otherwise none.
    logprobs: Vec<TokenLogprobs>,
    next_seq: u32,
    /// Chain and logits hash at each multiple of 64 that was passed and is not signed yet.
    unsigned: Vec<(u32, Bytes32, Bytes32)>,
    told: bool,
}

impl Writing {
    pub(super) fn new(round: u8, model: ModelFacts, start: &GenerateStart) -> Self {
        let from = AnswerChain::start(start.job, start.salt, &start.prompt).extended(&start.prefix);
        Self {
            round,
            model,
            sampling: Sampling { grammar: None, ..start.sampling.clone() },
            grammar: start.sampling.grammar_hash(),
            seed: start.seed,
            max_tokens: start.max_tokens,
            chain: from.clone(),
            from,
            logits_hash: LogitsHash::default(),
            ids: Vec::new(),
            logits: Vec::new(),
            logprobs: Vec::new(),
            next_seq: 0,
            unsigned: Vec::new(),
            told: false,
        }
    }

    pub(super) fn round(&self) -> u8 {
        self.round
    }

    pub(super) fn may_be_told(&mut self) {
        self.told = true;
    }

    pub(super) fn chunk(
        &mut self,
        seq: u32,
        ids: &[TokenId],
        logits: &[f32],
        logprobs: &[TokenLogprobs],
    ) -> Result<(), Violation> {
        if seq != self.next_seq {
            return Err(Violation::BadSequence);
        }
        if ids.len() != logits.len() || ids.is_empty() || ids.len() > limits::CHUNK_TOKENS_MAX {
            return Err(Violation::WrongChunk);
        }
        if ids.len() > (self.max_tokens - self.chain.len()) as usize {
            return Err(Violation::TooManyTokens);
        }
        if ids.iter().any(|id| *id >= self.model.vocab_size) {
            return Err(Violation::IdOutOfRange);
        }
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(Violation::NotFinite);
        }
        let top = self.sampling.top_logprobs;
        let mut possible = logits.iter().zip(logprobs).map(|(logit, told)| {
            told.is_possible(*logit, top.unwrap_or_default(), self.model.vocab_size)
        });
        if logprobs.len() != top.map_or(0, |_| ids.len()) || !possible.all(|possible| possible) {
            return Err(Violation::WrongLogprobs);
        }
        self.next_seq += 1;
        for (at, (id, logit)) in ids.iter().zip(logits).enumerate() {
            self.chain.push(*id);
            self.logits_hash.push(*logit);
            self.logits_hash.push_logprobs(logprobs.get(at));
            if self.chain.len().is_multiple_of(limits::SIGN_EVERY_TOKENS) {
                let mark = (self.chain.len(), self.chain.hash(), self.logits_hash.hash());
                self.unsigned.push(mark);
            }
        }
        self.ids.extend_from_slice(ids);
        self.logits.extend_from_slice(logits);
        self.logprobs.extend_from_slice(logprobs);
        Ok(())
    }

    pub(super) fn signed(
        &mut self,
        identity: &SessionIdentity,
        job: JobId,
        to: u32,
        signature: Bytes64,
    ) -> Result<Signed, Violation> {
        let index = self.unsigned.iter().position(|(at, ..)| *at == to);
        let (to, h_to, logits_hash) = self.unsigned.remove(index.ok_or(Violation::WrongCount)?);
        self.check(identity, job, to, h_to, logits_hash, None, signature)
    }

    pub(super) fn complete(
        &mut self,
        identity: &SessionIdentity,
        job: JobId,
        finish: Finish,
        count: u32,
        signature: Bytes64,
    ) -> Result<Signed, Violation> {
        let told = finish == Finish::Told;
        if told && !self.told {
            return Err(Violation::NotTold);
        }
        let whole = count == self.chain.len();
        let own = count.checked_sub(self.from.len()).ok_or(Violation::WrongCount)? as usize;
        if own > self.ids.len() || (!whole && !told) {
            return Err(Violation::WrongCount);
        }
        if self.unsigned.iter().any(|(at, ..)| *at <= count) {
            return Err(Violation::Unsigned);
        }
        let chain = self.from.clone().extended(&self.ids[..own]);
        let mut logits_hash = LogitsHash::default();
        for (at, logit) in self.logits[..own].iter().enumerate() {
            logits_hash.push(*logit);
            logits_hash.push_logprobs(self.logprobs.get(at));
        }
        self.check(identity, job, count, chain.hash(), logits_hash.hash(), Some(finish), signature)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one signed statement")]
    fn check(
        &self,
        identity: &SessionIdentity,
        job: JobId,
        to: u32,
        h_to: Bytes32,
        logits_hash: Bytes32,
        finish: Option<Finish>,
        signature: Bytes64,
    ) -> Result<Signed, Violation> {
        let statement = Attestation {
            version: VERSION,
            gateway: &identity.gateway,
            node: identity.node,
            epoch: identity.epoch,
            job,
            round: self.round,
            manifest_hash: self.model.manifest_hash,
            sampling: &self.sampling,
            grammar: self.grammar,
            seed: self.seed,
            from: self.from.len(),
            to,
            h_from: self.from.hash(),
            h_to,
            logits_hash,
            finish,
        };
        if !statement.verify(identity.public_key, signature) {
            return Err(Violation::BadSignature);
        }
        Ok(Signed {
            key: identity.public_key,
            version: statement.version,
            epoch: statement.epoch,
            from: statement.from,
            to,
            h_from: statement.h_from,
            h_to,
            logits_hash,
            finish,
            signature,
        })
    }
}

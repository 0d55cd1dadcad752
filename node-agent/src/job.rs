//! One answer on its way to the gateway: cut into chunks, chained, signed, and ended where the model or
//! the gateway ends it. Time comes in as an argument; nothing here touches a socket or an engine.

use std::time::{Duration, Instant};

use assay_engine::Drawn;
use assay_protocol::{
    AnswerChain, Attestation, Bytes32, Bytes64, Finish, FromNodeFrame, GenerateStart, JobId,
    JobOffer, LogitsHash, Sampling, TokenId, TokenLogprobs,
    limits::{CHUNK_TOKENS_MAX, CHUNK_WAIT_MS, FRAMES_PER_JOB_PER_SECOND_MAX, SIGN_EVERY_TOKENS},
};

use crate::{Identity, worker::StopSignal};

/// Between two chunks, so that a fast model stays under the frames that a gateway takes: chunks use
/// three quarters of them, signatures fit into the rest.
const CHUNK_GAP: Duration =
    Duration::from_micros(1_000_000 * 4 / (3 * FRAMES_PER_JOB_PER_SECOND_MAX as u64));
/// A told end is confirmed when the engine has stopped, or after this long: well within the second
/// that a cancel allows.
const STOP_WAIT: Duration = Duration::from_millis(250);

/// Who signs, and in which session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signer<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) version: u16,
    pub(crate) epoch: u64,
}

/// A running `generate` job.
#[derive(Debug)]
pub(crate) struct Answer {
    job: JobId,
    round: u8,
    manifest_hash: Bytes32,
    sampling: Sampling,
    /// The hash of its grammar.
    grammar: Option<Bytes32>,
    seed: Bytes32,
    max_tokens: u32,
    stop: StopSignal,
    /// The chain over the prefix: what this node answers for begins after it.
    handed_over: AnswerChain,
    /// Own tokens, without the prefix, and their logits.
    ids: Vec<TokenId>,
    logits: Vec<f32>,
    /// As many as tokens if the job asks for them, otherwise none.
    logprobs: Vec<TokenLogprobs>,
    /// How many own tokens were sent, in how many chunks, and what they hash to.
    sent: usize,
    chunks: u32,
    chain: AnswerChain,
    logits_hash: LogitsHash,
    last_chunk: Option<Instant>,
    /// Since when the first unsent token waits.
    waiting_since: Option<Instant>,
    /// Why the engine ended.
    ended: Option<Finish>,
    /// Where the gateway ends the answer, in output tokens.
    told: Option<u32>,
    /// When a told end is confirmed although the engine has not stopped.
    settle_at: Option<Instant>,
}

/// A signed end: the frame to send and the tokens that count.
#[derive(Debug, PartialEq)]
pub(crate) struct Completed {
    pub(crate) frame: FromNodeFrame,
    pub(crate) tokens: u32,
}

impl Answer {
    pub(crate) fn new(offer: &JobOffer, start: &GenerateStart, stop: StopSignal) -> Self {
        let handed_over =
            AnswerChain::start(start.job, start.salt, &start.prompt).extended(&start.prefix);
        Self {
            job: start.job,
            round: offer.round,
            manifest_hash: offer.manifest_hash,
            sampling: Sampling { grammar: None, ..start.sampling.clone() },
            grammar: start.sampling.grammar_hash(),
            seed: start.seed,
            max_tokens: start.max_tokens,
            stop,
            chain: handed_over.clone(),
            handed_over,
            ids: Vec::new(),
            logits: Vec::new(),
            logprobs: Vec::new(),
            sent: 0,
            chunks: 0,
            logits_hash: LogitsHash::default(),
            last_chunk: None,
            waiting_since: None,
            ended: None,
            told: None,
            settle_at: None,
        }
    }

    /// The engine wrote a token.
    pub(crate) fn token(&mut self, drawn: Drawn, now: Instant) {
        self.ids.push(drawn.id);
        self.logits.push(drawn.logit);
        self.logprobs.extend(drawn.logprobs);
        self.waiting_since.get_or_insert(now);
    }

    /// The engine stopped.
    pub(crate) fn ended(&mut self, finish: Finish) {
        self.ended = Some(finish);
    }

    /// The gateway wants `at` output tokens and no more.
    ///
    /// # Errors
    /// A sentence, when the answer cannot end there.
    pub(crate) fn finish_at(&mut self, at: u32) -> Result<(), String> {
        let (from, most) = (self.from(), self.max_tokens);
        if !(from..=most).contains(&at) {
            return Err(format!("an answer of {from} to {most} tokens was told to end at {at}"));
        }
        self.end_at(at);
        Ok(())
    }

    /// The gateway wants nothing more: what was sent is the answer.
    pub(crate) fn cancel(&mut self) {
        self.end_at(self.sent_to());
    }

    /// Sends what is due; gives the signed end once the answer is whole.
    pub(crate) fn pump(
        &mut self,
        signer: Signer<'_>,
        now: Instant,
        out: &mut Vec<FromNodeFrame>,
    ) -> Option<Completed> {
        while self.chunk_due().is_some_and(|due| due <= now) {
            self.send_chunk(signer, now, out);
        }
        let finish = self.whole(now)?;
        Some(self.complete(signer, finish))
    }

    /// When [`Self::pump`] has something to do next, as far as time decides it.
    pub(crate) fn due(&self) -> Option<Instant> {
        [self.chunk_due(), self.settle_at].into_iter().flatten().min()
    }

    fn end_at(&mut self, at: u32) {
        let at = self.told.map_or(at, |earlier| earlier.min(at));
        self.told = Some(at);
        self.stop.stop_at(at);
    }

    /// Output tokens that were handed over.
    fn from(&self) -> u32 {
        self.handed_over.len()
    }

    /// Output tokens that the gateway has, those handed over included.
    fn sent_to(&self) -> u32 {
        self.from() + count(self.sent)
    }

    /// Own tokens that will never be more: all that there are once the engine ended, or those that
    /// the gateway still wants.
    fn last_own(&self) -> Option<usize> {
        let told = self.told.map(|at| (at - self.from()) as usize);
        match (told, self.ended) {
            (Some(told), Some(_)) => Some(told.min(self.ids.len())),
            (Some(told), None) => Some(told),
            (None, Some(_)) => Some(self.ids.len()),
            (None, None) => None,
        }
    }

    /// When the next chunk goes out; nothing while there is nothing to send.
    fn chunk_due(&self) -> Option<Instant> {
        let last = self.last_own().unwrap_or(usize::MAX);
        let waiting = self.ids.len().min(last).saturating_sub(self.sent);
        let since = self.waiting_since.filter(|_| waiting > 0)?;
        let full = waiting >= CHUNK_TOKENS_MAX || self.sent + waiting == last;
        let due = if full { since } else { since + Duration::from_millis(CHUNK_WAIT_MS) };
        Some(due.max(self.last_chunk.map_or(due, |sent| sent + CHUNK_GAP)))
    }

    fn send_chunk(&mut self, signer: Signer<'_>, now: Instant, out: &mut Vec<FromNodeFrame>) {
        let last = self.last_own().unwrap_or(usize::MAX).min(self.ids.len());
        let piece = self.sent..last.min(self.sent + CHUNK_TOKENS_MAX);
        let mut signed = None;
        for own in piece.clone() {
            self.chain.push(self.ids[own]);
            self.logits_hash.push(self.logits[own]);
            self.logits_hash.push_logprobs(self.logprobs.get(own));
            if self.chain.len().is_multiple_of(SIGN_EVERY_TOKENS) {
                let (chain, logits_hash) = (&self.chain, &self.logits_hash);
                let signature = self.sign(signer, chain, logits_hash, None);
                signed = Some((self.chain.len(), signature));
            }
        }
        self.sent = piece.end;
        out.push(FromNodeFrame::Chunk {
            job: self.job,
            seq: self.chunks,
            ids: self.ids[piece.clone()].to_vec(),
            logits: self.logits[piece.clone()].to_vec(),
            logprobs: self.logprobs.get(piece).unwrap_or_default().to_vec(),
        });
        self.chunks += 1;
        self.last_chunk = Some(now);
        self.waiting_since = (self.sent < self.ids.len()).then_some(now);
        if let Some((to, signature)) = signed {
            out.push(FromNodeFrame::Signed { job: self.job, to, signature });
        }
    }

    /// Why the answer is whole, if it is: everything that counts is sent and the engine has stopped,
    /// or has had the time to.
    fn whole(&mut self, now: Instant) -> Option<Finish> {
        if self.sent < self.last_own()? {
            return None;
        }
        match (self.told, self.ended) {
            (Some(at), ended) if self.sent_to() >= at => {
                let settle_at = *self.settle_at.get_or_insert(now + STOP_WAIT);
                (ended.is_some() || settle_at <= now).then_some(Finish::Told)
            }
            (_, ended) => ended,
        }
    }

    fn complete(&self, signer: Signer<'_>, finish: Finish) -> Completed {
        let to = self.told.map_or(self.sent_to(), |at| at.min(self.sent_to()));
        let signature = if to == self.sent_to() {
            self.sign(signer, &self.chain, &self.logits_hash, Some(finish))
        } else {
            let own = (to - self.from()) as usize;
            let mut logits_hash = LogitsHash::default();
            for (at, logit) in self.logits[..own].iter().enumerate() {
                logits_hash.push(*logit);
                logits_hash.push_logprobs(self.logprobs.get(at));
            }
            let chain = self.handed_over.clone().extended(&self.ids[..own]);
            self.sign(signer, &chain, &logits_hash, Some(finish))
        };
        let frame = FromNodeFrame::Complete { job: self.job, finish, count: to, signature };
        Completed { frame, tokens: to }
    }

    fn sign(
        &self,
        Signer { identity, version, epoch }: Signer<'_>,
        chain: &AnswerChain,
        logits_hash: &LogitsHash,
        finish: Option<Finish>,
    ) -> Bytes64 {
        Attestation {
            version,
            gateway: &identity.gateway_id,
            node: identity.node,
            epoch,
            job: self.job,
            round: self.round,
            manifest_hash: self.manifest_hash,
            sampling: &self.sampling,
            grammar: self.grammar,
            seed: self.seed,
            from: self.from(),
            to: chain.len(),
            h_from: self.handed_over.hash(),
            h_to: chain.hash(),
            logits_hash: logits_hash.hash(),
            finish,
        }
        .sign(&identity.key)
    }
}

/// Whoever forgets an answer also stops it.
impl Drop for Answer {
    fn drop(&mut self) {
        self.stop.stop_at(0);
    }
}

/// Answers are bounded by `max_tokens`, a `u32`.
fn count(tokens: usize) -> u32 {
    u32::try_from(tokens).expect("an answer within its max_tokens")
}

#[cfg(test)]
#[path = "job_tests.rs"]
mod tests;

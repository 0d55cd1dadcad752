//! One answer as a node owes it to the gateway: numbered chunks, a signature at each 64th token and at the
//! end.

use assay_protocol::{
    AnswerChain, Attestation, Bytes64, Finish, FromNodeFrame, GenerateStart, JobOffer, LogitsHash,
    TokenId, TokenLogprobs, VERSION, limits,
};

use super::Identity;

#[derive(Debug)]
pub(super) struct Writing {
    offer: JobOffer,
    start: GenerateStart,
    epoch: u64,
    ids: Vec<TokenId>,
    logits: Vec<f32>,
    logprobs: Vec<TokenLogprobs>,
    chunks: u32,
}

impl Writing {
    pub(super) fn new(offer: JobOffer, start: GenerateStart, epoch: u64) -> Self {
        Self {
            offer,
            start,
            epoch,
            ids: Vec::new(),
            logits: Vec::new(),
            logprobs: Vec::new(),
            chunks: 0,
        }
    }

    /// Output tokens that the gateway has, the prefix included.
    pub(super) fn sent(&self) -> u32 {
        count(self.start.prefix.len() + self.ids.len())
    }

    /// The frames for more tokens.
    pub(super) fn chunk(
        &mut self,
        who: &Identity,
        ids: &[TokenId],
        logits: &[f32],
        logprobs: &[TokenLogprobs],
    ) -> Vec<FromNodeFrame> {
        let (job, seq) = (self.start.job, self.chunks);
        self.chunks += 1;
        let before = self.sent();
        self.ids.extend_from_slice(ids);
        self.logits.extend_from_slice(logits);
        self.logprobs.extend_from_slice(logprobs);
        let chunk = FromNodeFrame::Chunk {
            job,
            seq,
            ids: ids.to_vec(),
            logits: logits.to_vec(),
            logprobs: logprobs.to_vec(),
        };
        let marks = (before + 1..=self.sent()).filter(|at| at % limits::SIGN_EVERY_TOKENS == 0);
        let signed = marks.map(|to| {
            let signature = self.sign(who, to, None);
            FromNodeFrame::Signed { job, to, signature }
        });
        std::iter::once(chunk).chain(signed).collect()
    }

    /// The frame that ends the answer after `count` output tokens.
    pub(super) fn complete(&self, who: &Identity, finish: Finish, count: u32) -> FromNodeFrame {
        let signature = self.sign(who, count, Some(finish));
        FromNodeFrame::Complete { job: self.start.job, finish, count, signature }
    }

    fn sign(&self, who: &Identity, to: u32, finish: Option<Finish>) -> Bytes64 {
        let start = &self.start;
        let from = AnswerChain::start(start.job, start.salt, &start.prompt).extended(&start.prefix);
        let own = (to - from.len()) as usize;
        let mut logits_hash = LogitsHash::default();
        for (at, logit) in self.logits[..own].iter().enumerate() {
            logits_hash.push(*logit);
            logits_hash.push_logprobs(self.logprobs.get(at));
        }
        Attestation {
            version: VERSION,
            gateway: &who.gateway_id,
            node: who.node,
            epoch: self.epoch,
            job: start.job,
            round: self.offer.round,
            manifest_hash: self.offer.manifest_hash,
            sampling: &start.sampling,
            grammar: start.sampling.grammar_hash(),
            seed: start.seed,
            from: from.len(),
            to,
            h_from: from.hash(),
            h_to: from.extended(&self.ids[..own]).hash(),
            logits_hash: logits_hash.hash(),
            finish,
        }
        .sign(&who.key)
    }
}

fn count(tokens: usize) -> u32 {
    u32::try_from(tokens).expect("an answer within its max_tokens")
}

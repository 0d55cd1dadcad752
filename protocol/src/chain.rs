//! The hash chain of an answer: one link per token, so that equal answers have equal hashes however
//! they were cut into chunks, and a node that continues another's answer starts from its last link.

use sha2::{Digest, Sha256};

use crate::{Bytes32, JobId, TokenId, TokenLogprobs};

/// `h_0 = SHA-256(tag ‖ job ‖ salt ‖ prompt length ‖ prompt ids)`, `h_i = SHA-256(h_{i−1} ‖ le32 id_i)`.
///
/// The salt keeps a node's signature from revealing a prompt that can be guessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerChain {
    hash: Bytes32,
    len: u32,
}

impl AnswerChain {
    /// The link before the first output token.
    pub fn start(job: JobId, salt: Bytes32, prompt: &[TokenId]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"assay/answer/1\0");
        hasher.update(job.0.as_bytes());
        hasher.update(salt.0);
        hasher.update((prompt.len() as u64).to_le_bytes());
        for id in prompt {
            hasher.update(id.to_le_bytes());
        }
        Self { hash: Bytes32(hasher.finalize().into()), len: 0 }
    }

    /// Adds one output token.
    pub fn push(&mut self, id: TokenId) {
        let mut hasher = Sha256::new();
        hasher.update(self.hash.0);
        hasher.update(id.to_le_bytes());
        self.hash = Bytes32(hasher.finalize().into());
        self.len += 1;
    }

    /// The chain after these tokens too.
    pub fn extended(mut self, ids: &[TokenId]) -> Self {
        for id in ids {
            self.push(*id);
        }
        self
    }

    /// The last link.
    pub fn hash(&self) -> Bytes32 {
        self.hash
    }

    /// How many output tokens it covers.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// True before the first output token.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// A running hash over the raw logits that a node reports, one `f32` (little-endian bits) a token.
#[derive(Clone, Debug)]
pub struct LogitsHash(Sha256);

impl Default for LogitsHash {
    fn default() -> Self {
        Self(Sha256::new_with_prefix(b"assay/logits/1\0"))
    }
}

impl LogitsHash {
    /// Adds the logit of the next token.
    pub fn push(&mut self, logit: f32) {
        self.0.update(logit.to_bits().to_le_bytes());
    }

    /// Adds what else was told of that token, if anything was: the sum's bits, then each alternative's id and bits.
    pub fn push_logprobs(&mut self, told: Option<&TokenLogprobs>) {
        let Some(TokenLogprobs { log_sum_exp, top }) = told else { return };
        self.0.update(log_sum_exp.to_bits().to_le_bytes());
        for (id, logit) in top {
            self.0.update(id.to_le_bytes());
            self.0.update(logit.to_bits().to_le_bytes());
        }
    }

    /// The hash so far.
    pub fn hash(&self) -> Bytes32 {
        Bytes32(self.0.clone().finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_answer_hashes_alike_however_it_was_cut() {
        let start = AnswerChain::start(JobId(Uuid::nil()), Bytes32([7; 32]), &[1, 2, 3]);
        let whole = start.clone().extended(&[4, 5, 6]);
        let pieces = start.clone().extended(&[4]).extended(&[]).extended(&[5, 6]);
        assert_eq!(whole, pieces);
        assert_eq!(whole.len(), 3);
        assert_ne!(whole.hash(), start.extended(&[4, 6, 5]).hash());
    }

    #[test]
    fn job_salt_and_prompt_all_enter_the_first_link() {
        let of = |job: u128, salt: u8, prompt: &[TokenId]| {
            AnswerChain::start(JobId(Uuid::from_u128(job)), Bytes32([salt; 32]), prompt).hash()
        };
        let base = of(1, 1, &[1, 2]);
        assert_ne!(base, of(2, 1, &[1, 2]));
        assert_ne!(base, of(1, 2, &[1, 2]));
        assert_ne!(base, of(1, 1, &[1]));
    }
}

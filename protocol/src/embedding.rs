//! Texts to vectors: what a node is handed, and what it signs of what it hands back.
//!
//! The signature is an [`Attestation`] like any answer's, of an answer without tokens: its chain has the first link only,
//! over all inputs, and its other hash is over the vectors.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    AnswerChain, Attestation, Bytes32, Finish, JobId, JobOffer, NodeId, Sampling, TokenId, VERSION,
};

/// Stands between two inputs where they are hashed as one prompt. No vocabulary has it.
const BETWEEN: TokenId = TokenId::MAX;

/// Turn each of these into a vector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EmbedStart {
    pub job: JobId,
    /// Ids of each text, none of them empty.
    pub inputs: Vec<Vec<TokenId>>,
    /// Enters the hash chain's first link.
    pub salt: Bytes32,
}

impl EmbedStart {
    /// Tokens of all inputs.
    pub fn tokens(&self) -> usize {
        self.inputs.iter().map(Vec::len).sum()
    }

    /// The link that stands for the inputs.
    pub fn link(&self) -> Bytes32 {
        AnswerChain::start(self.job, self.salt, &joined(&self.inputs)).hash()
    }
}

/// All inputs as one prompt, so that they hash as one: a token that no vocabulary has is between them.
pub fn joined(inputs: &[Vec<TokenId>]) -> Vec<TokenId> {
    inputs.join(&BETWEEN)
}

/// How many inputs a [`joined`] prompt holds.
pub fn count_joined(prompt: &[TokenId]) -> usize {
    1 + prompt.iter().filter(|id| **id == BETWEEN).count()
}

/// Of vectors, one `f32` (little-endian bits) a component, one input after the other.
pub fn vectors_hash(components: &[f32]) -> Bytes32 {
    let mut hash = Sha256::new_with_prefix(b"assay/vectors/1\0");
    components.iter().for_each(|component| hash.update(component.to_bits().to_le_bytes()));
    Bytes32(hash.finalize().into())
}

/// Who embeds, in which session: what of a signature is not the job's.
#[derive(Clone, Copy, Debug)]
pub struct Embedder<'a> {
    pub gateway: &'a str,
    pub node: NodeId,
    pub epoch: u64,
}

/// What a node signs of its vectors: `sampling` is nobody's choice here and always the default.
pub fn attestation<'a>(
    who: Embedder<'a>,
    offer: &JobOffer,
    start: &EmbedStart,
    sampling: &'a Sampling,
    components: &[f32],
) -> Attestation<'a> {
    let link = start.link();
    Attestation {
        version: VERSION,
        gateway: who.gateway,
        node: who.node,
        epoch: who.epoch,
        job: start.job,
        round: offer.round,
        manifest_hash: offer.manifest_hash,
        sampling,
        grammar: None,
        seed: Bytes32([0; 32]),
        from: 0,
        to: 0,
        h_from: link,
        h_to: link,
        logits_hash: vectors_hash(components),
        finish: Some(Finish::Embedded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_that_differ_only_in_where_they_part_hash_differently() {
        let whole = joined(&[vec![1, 2, 3]]);
        let parted = joined(&[vec![1], vec![2, 3]]);
        assert_ne!(whole, parted);
        assert_ne!(parted, joined(&[vec![1, 2], vec![3]]));
        assert_eq!((count_joined(&whole), count_joined(&parted)), (1, 2));
    }

    #[test]
    fn every_bit_of_a_vector_enters_its_hash() {
        let of = vectors_hash;
        assert_ne!(of(&[0.5, 0.25]), of(&[0.25, 0.5]));
        assert_ne!(of(&[0.0]), of(&[-0.0]));
        assert_ne!(of(&[0.5]), of(&[0.5, 0.0]));
    }
}

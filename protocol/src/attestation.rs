//! What a node signs about its answer, at every 64th token and at its end.

use crate::{Bytes32, Bytes64, Finish, JobId, NodeId, Sampling, identity};

/// Everything that a node's signature binds. Both sides build it from what they know; only the
/// signature travels. A node answers for the tokens from its own `from` on, never for the prefix
/// that it was handed.
#[derive(Clone, Debug, PartialEq)]
pub struct Attestation<'a> {
    pub version: u16,
    pub gateway: &'a str,
    pub node: NodeId,
    pub epoch: u64,
    pub job: JobId,
    pub round: u8,
    pub manifest_hash: Bytes32,
    /// Without its grammar, for which the hash stands.
    pub sampling: &'a Sampling,
    /// SHA-256 of the grammar that the answer was held to.
    pub grammar: Option<Bytes32>,
    pub seed: Bytes32,
    /// Output tokens that were handed over with the start.
    pub from: u32,
    /// Output tokens that are covered, those handed over included.
    pub to: u32,
    pub h_from: Bytes32,
    pub h_to: Bytes32,
    pub logits_hash: Bytes32,
    /// Why the answer ends here; none at a checkpoint.
    pub finish: Option<Finish>,
}

impl Attestation<'_> {
    /// The bytes that are signed: a tag, then each field with its length before it.
    pub fn statement(&self) -> Vec<u8> {
        let mut sampling = self.sampling.canonical_bytes();
        sampling.extend(self.grammar.iter().flat_map(|hash| hash.0));
        identity::statement(
            b"assay/answer-signature/1",
            &[
                &self.version.to_be_bytes(),
                self.gateway.as_bytes(),
                self.node.0.as_bytes(),
                &self.epoch.to_be_bytes(),
                self.job.0.as_bytes(),
                &[self.round],
                &self.manifest_hash.0,
                &sampling,
                &self.seed.0,
                &self.from.to_be_bytes(),
                &self.to.to_be_bytes(),
                &self.h_from.0,
                &self.h_to.0,
                &self.logits_hash.0,
                self.finish.map_or("", Finish::as_str).as_bytes(),
            ],
        )
    }

    /// Signs as the node.
    pub fn sign(&self, key: &ed25519_dalek::SigningKey) -> Bytes64 {
        identity::sign(key, &self.statement())
    }

    /// Checks as the gateway, against the key stored at enrolment.
    pub fn verify(&self, public_key: Bytes32, signature: Bytes64) -> bool {
        identity::verify(public_key, &self.statement(), signature)
    }
}

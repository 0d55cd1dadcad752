//! Vectors as their node sends them: every component counted and bounded before anyone sees it.

use assay_protocol::{
    Bytes64, EmbedStart, JobOffer, Sampling,
    embedding::{Embedder, attestation},
    limits,
};
use assay_verifier::receipt::Signed;

use super::{ModelFacts, SessionIdentity, Violation};

#[derive(Debug)]
pub(super) struct Embedding {
    offer: JobOffer,
    start: EmbedStart,
    /// Components of all vectors.
    expected: usize,
    components: Vec<f32>,
    next_seq: u32,
}

impl Embedding {
    pub(super) fn new(offer: &JobOffer, model: ModelFacts, start: &EmbedStart) -> Self {
        // The gateway's word counts, not the offer's that came back with a node.
        let offer = JobOffer { manifest_hash: model.manifest_hash, ..offer.clone() };
        let expected = start.inputs.len() * model.dimensions as usize;
        Self { offer, start: start.clone(), expected, components: Vec::new(), next_seq: 0 }
    }

    pub(super) fn round(&self) -> u8 {
        self.offer.round
    }

    pub(super) fn take(&mut self, seq: u32, components: &[f32]) -> Result<(), Violation> {
        if seq != self.next_seq {
            return Err(Violation::BadSequence);
        }
        let room = self.expected - self.components.len();
        let most = limits::COMPONENTS_PER_FRAME_MAX.min(room);
        if components.is_empty() || components.len() > most {
            return Err(Violation::WrongVectors);
        }
        if components.iter().any(|component| !component.is_finite()) {
            return Err(Violation::NotFinite);
        }
        self.next_seq += 1;
        self.components.extend_from_slice(components);
        Ok(())
    }

    /// All vectors, if they are whole and signed.
    pub(super) fn end(
        &mut self,
        identity: &SessionIdentity,
        signature: Bytes64,
    ) -> Result<(Vec<f32>, Signed), Violation> {
        if self.components.len() != self.expected {
            return Err(Violation::WrongVectors);
        }
        let SessionIdentity { gateway, node, epoch, public_key } = identity;
        let who = Embedder { gateway, node: *node, epoch: *epoch };
        let sampling = Sampling::default();
        let statement = attestation(who, &self.offer, &self.start, &sampling, &self.components);
        if !statement.verify(*public_key, signature) {
            return Err(Violation::BadSignature);
        }
        let signed = Signed {
            key: *public_key,
            version: statement.version,
            epoch: statement.epoch,
            from: statement.from,
            to: statement.to,
            h_from: statement.h_from,
            h_to: statement.h_to,
            logits_hash: statement.logits_hash,
            finish: statement.finish,
            signature,
        };
        Ok((std::mem::take(&mut self.components), signed))
    }
}

#[cfg(test)]
mod tests {
    use assay_protocol::{Bytes32, JobId, JobKind, NodeId};
    use ed25519_dalek::SigningKey;
    use uuid::Uuid;

    use super::*;

    const COMPONENTS: [f32; 4] = [0.6, 0.8, 1.0, 0.0];

    fn identity(key: &SigningKey) -> SessionIdentity {
        SessionIdentity {
            gateway: "gw".into(),
            node: NodeId(Uuid::from_u128(1)),
            epoch: 4,
            public_key: Bytes32(key.verifying_key().to_bytes()),
        }
    }

    /// Two inputs of a model with two dimensions.
    fn job() -> (JobOffer, EmbedStart, Embedding) {
        let job = JobId(Uuid::from_u128(2));
        let start = EmbedStart { job, inputs: vec![vec![1], vec![2, 3]], salt: Bytes32([2; 32]) };
        let manifest_hash = Bytes32([3; 32]);
        let offer = JobOffer {
            job,
            round: 1,
            model: "m".into(),
            manifest_hash,
            kind: JobKind::Embed,
            prompt_tokens: 3,
            max_tokens: 0,
            deadline_ms: 1_000,
        };
        let model = ModelFacts { manifest_hash, vocab_size: 100, dimensions: 2 };
        let embedding = Embedding::new(&offer, model, &start);
        (offer, start, embedding)
    }

    #[test]
    fn vectors_count_when_they_are_whole_and_signed_as_they_are() {
        let key = SigningKey::from_bytes(&[9; 32]);
        let who = identity(&key);
        let sign = |components: &[f32]| {
            let (offer, start, _) = job();
            let signer = Embedder { gateway: &who.gateway, node: who.node, epoch: who.epoch };
            attestation(signer, &offer, &start, &Sampling::default(), components).sign(&key)
        };
        let (_, _, mut embedding) = job();
        assert_eq!(embedding.take(0, &COMPONENTS[..3]), Ok(()));
        assert_eq!(embedding.end(&who, sign(&COMPONENTS)).err(), Some(Violation::WrongVectors));
        assert_eq!(embedding.take(1, &COMPONENTS[3..]), Ok(()));
        let other = sign(&[0.8, 0.6, 1.0, 0.0]);
        assert_eq!(embedding.end(&who, other).err(), Some(Violation::BadSignature));
        let (components, signed) = embedding.end(&who, sign(&COMPONENTS)).unwrap();
        assert_eq!((components.as_slice(), signed.to), (&COMPONENTS[..], 0));
    }

    #[test]
    fn every_rule_broken_once() {
        for (seq, components, violation) in [
            (1, &COMPONENTS[..], Violation::BadSequence),
            (0, &[][..], Violation::WrongVectors),
            (0, &[0.0; 5][..], Violation::WrongVectors),
            (0, &[f32::NAN][..], Violation::NotFinite),
        ] {
            assert_eq!(job().2.take(seq, components), Err(violation));
        }
    }
}

//! Vectors on their way to the gateway: cut into frames, and signed as a whole.

use assay_protocol::{
    EmbedStart, FromNodeFrame, JobOffer, Sampling,
    embedding::{Embedder, attestation},
    limits::COMPONENTS_PER_FRAME_MAX,
};

use crate::job::Signer;

/// A running `embed` job.
#[derive(Debug)]
pub(crate) struct Embedding {
    offer: JobOffer,
    start: EmbedStart,
}

impl Embedding {
    pub(crate) fn new(offer: &JobOffer, start: &EmbedStart) -> Self {
        Self { offer: offer.clone(), start: start.clone() }
    }

    /// Tokens that it read.
    pub(crate) fn tokens(&self) -> u32 {
        u32::try_from(self.start.tokens()).unwrap_or(u32::MAX)
    }

    /// All that the gateway gets of these vectors.
    pub(crate) fn frames(&self, signer: Signer<'_>, components: &[f32]) -> Vec<FromNodeFrame> {
        let job = self.start.job;
        let identity = signer.identity;
        let who =
            Embedder { gateway: &identity.gateway_id, node: identity.node, epoch: signer.epoch };
        let sampling = Sampling::default();
        let statement = attestation(who, &self.offer, &self.start, &sampling, components);
        let signature = statement.sign(&identity.key);
        let pieces = (0..).zip(components.chunks(COMPONENTS_PER_FRAME_MAX));
        let frames = pieces.map(|(seq, piece)| FromNodeFrame::Vectors {
            job,
            seq,
            components: piece.to_vec(),
        });
        frames.chain([FromNodeFrame::Embedded { job, signature }]).collect()
    }
}

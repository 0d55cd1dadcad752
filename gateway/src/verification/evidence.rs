//! What an outcome rests on, as operators and admins read it.

use assay_protocol::{Finish, NodeId, TokenId};
use assay_verifier::{Fault, FaultKind};
use serde::Serialize;
use utoipa::ToSchema;

/// What was looked at and found. What says nothing about this part is null; of a job that was cut off nothing is there.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct PartEvidence {
    /// Milliseconds from the start to the first token; null before there was one …
    pub first_token_ms: Option<u64>,
    /// … and to the last word.
    pub elapsed_ms: Option<u64>,
    /// Other owners who gave the very same answer.
    pub equal_owners: Option<usize>,
    /// Answers that were judged together, this one among them.
    pub answers_judged: Option<usize>,
    pub tokens: Option<usize>,
    /// How it ended.
    #[schema(value_type = Option<String>)]
    pub finish: Option<Finish>,
    /// Output positions, from 0, that the model was asked about by lot; null when it was not asked.
    pub positions_drawn: Option<Vec<u32>>,
    /// In logits: the worst position of all, …
    pub largest_margin: Option<f64>,
    /// … and how far off a token may be.
    pub margin_allowed: Option<f64>,
    /// How far all of it together is from what the model draws.
    pub sigma2: Option<f64>,
    pub sigma2_allowed: Option<f64>,
    /// How far the reported logits are from the model's, on average.
    pub logit_difference: Option<f64>,
    pub logit_difference_allowed: Option<f64>,
    /// The same of the log probabilities that were told, at worst.
    pub logprob_difference: Option<f64>,
    /// The first token that the model contradicts.
    pub first_fault: Option<FirstFault>,
    /// Vectors of an embedding; null for a text.
    pub vectors: Option<usize>,
    /// How far a component of them is from the model's, at worst; null when the model was not asked.
    pub vector_difference: Option<f64>,
    pub vector_difference_allowed: Option<f64>,
    /// The trusted node that asked the model.
    #[schema(value_type = Option<String>)]
    pub scorer: Option<NodeId>,
}

/// A token that the model contradicts.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct FirstFault {
    /// Output position, from 0.
    pub position: u32,
    /// The token that was sent.
    #[schema(value_type = u32)]
    pub claimed: TokenId,
    /// The one that the model draws there.
    #[schema(value_type = u32)]
    pub own: TokenId,
    /// In logits; a huge number where the sampling would never draw it.
    pub margin: f64,
    /// `spot` (another token) or `end` (it ends where the model goes on, or goes on where it ends).
    #[schema(value_type = String)]
    pub kind: FaultKind,
}

impl PartEvidence {
    /// As it is stored.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("plain fields are JSON")
    }
}

impl From<Fault> for FirstFault {
    fn from(Fault { position, claimed, own, margin, kind }: Fault) -> Self {
        Self { position, claimed, own, margin, kind }
    }
}

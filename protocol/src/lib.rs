//! The wire between gateway and node: frames, identities, the hash chain of an answer and what a node
//! signs. Both sides deploy apart, so this crate knows the wire only: no price, no customer, no runtime.

#[macro_use]
mod words;

pub mod attestation;
pub mod bytes;
pub mod chain;
pub mod embedding;
pub mod frames;
pub mod identity;
pub mod ids;
pub mod limits;
pub mod logprobs;
pub mod sampling;
pub mod standing;

pub use attestation::Attestation;
pub use bytes::{Bytes32, Bytes64};
pub use chain::{AnswerChain, LogitsHash};
pub use embedding::{EmbedStart, vectors_hash};
pub use frames::{
    CancelReason, CloseCode, FailCode, Finish, FromNode, FromNodeFrame, GenerateStart, Hardware,
    Hello, JobKind, JobOffer, Outcome, PositionScore, RefuseCode, ScoreStart, ServedModel, Start,
    ToNode,
};
pub use ids::{JobId, NodeId};
pub use logprobs::{TOP_LOGPROBS_MAX, TokenLogprobs, ToldToken};
pub use sampling::{GRAMMAR_BYTES_MAX, Sampling};
pub use standing::{NodeStanding, NodeState, StandingCode};

/// The version of the wire that this crate speaks.
pub const VERSION: u16 = 1;

/// A token's number in its model's vocabulary.
pub type TokenId = u32;

//! What checking a receipt finds: what is wrong with it, in a sentence, or what is good and what stays open.

use assay_protocol::{Bytes32, NodeId};

use super::Receipt;
use crate::{
    log::{NoteError, ProofError, SignedCheckpoint},
    wire::WireError,
};

/// What was found good.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    pub receipt: Receipt,
    /// The gateway's name, under which its key is pinned.
    pub gateway: String,
    pub checkpoint: SignedCheckpoint,
    /// Nodes whose signature is over exactly this answer.
    pub signers: Vec<NodeId>,
    /// What to know besides.
    pub notes: Vec<Note>,
}

/// What a receipt leaves open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    #[error("no pinned witness signed the checkpoint: a fork of the log is not excluded")]
    ForkNotExcluded,
    #[error(
        "node {0} is not among the pinned keys: that it is a node of its own is the gateway's word"
    )]
    NodeNotPinned(NodeId),
    #[error("node {0} signed an answer that goes on, or differs, where this one ends")]
    SignedOther(NodeId),
    #[error(
        "node {node} signed exactly this answer and was not paid; the gateway's word for it: `{outcome}`"
    )]
    Unpaid { node: NodeId, outcome: String },
    #[error("no node signed exactly this answer: a stop string cut it out of what they signed")]
    CutOut,
    #[error("the seed is the gateway's own choice: it could have tried several")]
    SeedOfGateway,
    #[error(
        "the receipt names a nonce that the request does not: unless a header had it, it is the gateway's own choice"
    )]
    NonceNotAsked,
    #[error(
        "the answer was charged as one of risk `{0}`, for which the request does not ask: unless a header did (--risk), the key or the gateway chose it"
    )]
    RiskNotAsked(String),
    #[error("nobody but the gateway can compute the seed from your nonce")]
    SeedOfNonce,
    #[error("the answer was not checked against the model, and no audit of it can be drawn")]
    NeverAudited,
    #[error("the client left before the answer was whole")]
    CutOff,
    #[error("there was no answer, and nothing was charged")]
    NoAnswer,
    #[error("no request was given: whether the receipt is of yours was not checked")]
    NoRequest,
    #[error("no response was given: whether the receipt is of yours was not checked")]
    NoResponse,
}

/// What is wrong, in a sentence.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("the receipt cannot be read: {0}")]
    Form(#[from] WireError),
    #[error("the receipt is of gateway {0}, whose key is not pinned, or did not count at its time")]
    Gateway(String),
    #[error("the gateway's signature does not fit the receipt")]
    Signature,
    #[error("{0}")]
    Checkpoint(#[from] NoteError),
    #[error("the receipt is not in the log: {0}")]
    Log(#[from] ProofError),
    #[error("the receipt is of another request than this one")]
    Request,
    #[error(
        "the request asks for another {0} than the receipt says; what a header asked for, --risk and --nonce tell"
    )]
    Asked(&'static str),
    #[error("the receipt says that nodes agreed, and {0} of them signed the answer and passed")]
    Agreement(usize),
    #[error("the response's {0} is not what the receipt says")]
    Response(&'static str),
    #[error("the receipt says that the answer did not succeed, and {0}")]
    Unfinished(&'static str),
    #[error("node {0} signs with another key than the pinned one")]
    NodeKey(NodeId),
    #[error("the signature of node {0} does not fit the receipt")]
    NodeSignature(NodeId),
    #[error("node {0} was paid without having signed anything")]
    PaidUnsigned(NodeId),
    #[error("no node signed this answer")]
    AnswerUnsigned,
    #[error("node {node} was paid although its outcome is `{outcome}`")]
    PaidUndeserved { node: NodeId, outcome: String },
    #[error("node {0} has two parts in one round")]
    NodeTwice(NodeId),
    #[error("nodes {0} and {1} did the same work and were paid differently")]
    PaidUnequally(NodeId, NodeId),
    #[error("the payout does not add up: {0}")]
    Money(&'static str),
    #[error("the receipt contradicts itself: {0}")]
    Contradiction(&'static str),
    #[error("the model folder has manifest {found}; the receipt's answer is of {claimed}")]
    Manifest { found: Bytes32, claimed: Bytes32 },
    #[error("the evidence is not of this answer: {0}")]
    Evidence(&'static str),
    #[error(
        "the evidence says another margin than the model does at token {position}: {claimed}, not {found}"
    )]
    EvidenceMargin { position: usize, claimed: f64, found: f64 },
    #[error("the folder's limits.json is not the one that the gateway judged by")]
    Limits,
    #[error("the request cannot be replayed: {0}")]
    NotReplayable(String),
    #[error("the prompt of this request is not the one that the nodes were given")]
    Prompt,
    #[error("the sampling parameter {0} is not the one that was asked for")]
    Sampling(&'static str),
    #[error("the seed does not follow from the request")]
    Seed,
    #[error("the answer's tokens are not those that the nodes signed")]
    Output,
    #[error("the answer's tokens do not spell the response's content")]
    Text,
    #[error("the answer's end is not what the receipt says: {0}")]
    End(&'static str),
    #[error(
        "the model contradicts token {position}: it would have taken another one by {margin} logits, \
         and {limit} is allowed"
    )]
    Model { position: usize, margin: f64, limit: f64 },
    #[error(
        "the response tells log probabilities of {found} tokens, and the answer has {expected}"
    )]
    LogprobCount { found: usize, expected: usize },
    #[error(
        "a log probability of the token at position {position} is told as {told:.6} and is {found:.6}: {limit} \
         apart is allowed"
    )]
    Logprob { position: usize, told: f64, found: f64, limit: f64 },
    #[error("vector {index} is {difference:.2e} from the model's own, and {limit:.0e} is allowed")]
    Vector { index: usize, difference: f64, limit: f64 },
}

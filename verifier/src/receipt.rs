//! A receipt: what a gateway says about one answer, signed, so that whoever holds it can check the answer without
//! trusting the gateway. Signed bytes travel verbatim; [`Receipt`] is what they mean.

mod asked;
pub mod bound;
pub mod bundle;
pub mod canonical;
pub mod check;
pub mod finding;
mod form;
pub mod replay;
pub mod saved;

use assay_protocol::{Bytes32, Bytes64, Finish, JobId, NodeId, Sampling, identity};
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};

pub use bound::{Headers, Request, Response};
pub use bundle::Bundle;
pub use check::check;
pub use finding::{Checked, Note, Refusal};
pub use replay::{Replay, replay};
pub use saved::Saved;

use crate::{
    log::{Entry, entry::AnswerEntry},
    wire::WireError,
};

/// A receipt is read up to this length; one of three nodes without a bias list has about 900 bytes.
pub const RECEIPT_BYTES_MAX: usize = 64 * 1024;
/// What a gateway's signature over a receipt begins with.
const TAG: &[u8] = b"assay/receipt/1";

/// What a gateway says about one answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// The first eight bytes of the SHA-256 of the gateway's key: what its id shows.
    pub gateway: [u8; 8],
    pub job: JobId,
    /// Unix milliseconds, when the job ended.
    pub time_ms: u64,
    pub state: State,
    pub policy: Policy,
    pub seed_from: SeedFrom,
    /// The client's own randomness, as it sent it.
    pub nonce: Option<String>,
    /// Enters every hash of prompt and answer, so that none of them reveals what can be guessed.
    pub salt: Bytes32,
    /// Of the canonical request, salted.
    pub request: Bytes32,
    /// Of what the client was sent, salted; absent when there is no answer.
    pub response: Option<Bytes32>,
    /// The model's identity.
    pub manifest_hash: Bytes32,
    /// SHA-256 of the file of limits that the gateway judged by; absent where it took the floors.
    pub limits_hash: Option<Bytes32>,
    /// Of the sampler `gmax-v1`, without a grammar.
    pub sampling: Sampling,
    /// SHA-256 of the grammar that the answer was held to: the request says which.
    pub grammar: Option<Bytes32>,
    pub seed: Bytes32,
    pub prompt_tokens: u32,
    pub max_tokens: u32,
    pub completion_tokens: u32,
    /// The salted hash of the prompt's ids: the first link of every node's chain.
    pub prompt_link: Bytes32,
    /// The salted hash of prompt and answer: the link after the answer's last id.
    pub answer_link: Bytes32,
    pub verdict: Option<Verdict>,
    pub audit: Audit,
    pub money: Money,
    /// Every node that had a part, in the order in which the gateway judged them.
    pub parts: Vec<Part>,
}

/// How the job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Succeeded,
    Failed,
    /// The client left.
    Cancelled,
}

/// How much assurance was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Low,
    Standard,
    High,
}

impl Policy {
    /// The word in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Standard => "standard",
            Self::High => "high",
        }
    }
}

/// Whose randomness the seed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeedFrom {
    /// The request's `seed`: anybody can compute it.
    Client,
    /// The client's nonce, hashed with the gateway's secret.
    Nonce,
    /// The gateway's secret and the job's id.
    Gateway,
}

/// Why the answer counts as good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The word of a [`crate::Rule`].
    pub rule: String,
    /// The set of nodes that gave the answer, from 1.
    pub round: u8,
    pub nodes_asked: u32,
    pub finish: Finish,
    /// Positions that a scorer checked; 0 when agreement alone decided.
    pub positions_checked: u32,
    /// In 1e-9 logits.
    pub largest_margin_nano: Option<u64>,
    /// σ̂² of R2, in 1e-9.
    pub sigma2_nano: Option<u64>,
}

/// How an audit of this answer is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audit {
    pub epoch: u64,
    /// What the epoch's secret hashes to; zeros when there is no epoch.
    pub commitment: Bytes32,
    /// The chance, in millionths.
    pub q_ppm: u32,
}

/// Where the hold went, in 1e-9 credit: `cost = fee + pays + reserve`, `held = cost + returned`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Money {
    pub held: u64,
    pub cost: u64,
    pub fee: u64,
    pub reserve: u64,
    pub returned: u64,
}

/// One node's part.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub node: NodeId,
    /// The class that the gateway gave it, such as `cpu-fp32`; empty when none was.
    pub class: String,
    pub round: u8,
    /// The word of an [`assay_protocol::Outcome`].
    pub outcome: String,
    /// In 1e-9 credit.
    pub pay: u64,
    /// What it signed last, if it signed anything.
    pub signed: Option<Signed>,
}

/// What a node signed about its answer, as far as the receipt does not say it elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Signed {
    /// What the node signs with.
    pub key: Bytes32,
    /// Of the wire between gateway and node.
    pub version: u16,
    /// Of the node's session.
    pub epoch: u64,
    /// Output tokens that it was handed.
    pub from: u32,
    /// Output tokens that it answers for end here.
    pub to: u32,
    /// The link at `from`.
    pub h_from: Bytes32,
    /// The link at `to`: the answer's own link when the node signs this answer.
    pub h_to: Bytes32,
    pub logits_hash: Bytes32,
    pub finish: Option<Finish>,
    pub signature: Bytes64,
}

/// The bytes that a gateway signed, and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedReceipt {
    pub bytes: Vec<u8>,
    pub signature: Bytes64,
}

impl Receipt {
    /// The bytes that are signed.
    pub fn encode(&self) -> Vec<u8> {
        form::encode(self)
    }

    /// Reads a receipt; what it reads is written the same again.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        form::decode(bytes)
    }

    /// Whether it is of vectors, which have no tokens.
    pub fn is_embedding(&self) -> bool {
        self.verdict.as_ref().is_some_and(|verdict| verdict.finish == Finish::Embedded)
    }

    /// What stands for it in the log, if its signed bytes have this hash.
    pub fn entry(&self, hash: Bytes32) -> Entry {
        let Audit { epoch, q_ppm, .. } = self.audit;
        let (job, link) = (self.job, self.answer_link);
        Entry::Answer(AnswerEntry { job, receipt: hash, link, epoch, q_ppm })
    }

    /// Signs as the gateway.
    pub fn sign(&self, key: &SigningKey) -> SignedReceipt {
        let bytes = self.encode();
        let signature = identity::sign(key, &statement(&bytes));
        SignedReceipt { bytes, signature }
    }
}

impl SignedReceipt {
    /// Whether the gateway with this key signed exactly these bytes.
    pub fn is_by(&self, key: Bytes32) -> bool {
        identity::verify(key, &statement(&self.bytes), self.signature)
    }

    /// What stands for the receipt in the log.
    pub fn hash(&self) -> Bytes32 {
        Bytes32(Sha256::digest(&self.bytes).into())
    }
}

/// The eight bytes by which a gateway's id names its key.
pub fn key_id(key: Bytes32) -> [u8; 8] {
    let digest = Sha256::digest(key.0);
    let mut id = [0; 8];
    id.copy_from_slice(&digest[..8]);
    id
}

/// A gateway's id as it is written: `gw-` and sixteen digits.
pub fn gateway_name(id: [u8; 8]) -> String {
    let digits: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("gw-{digits}")
}

fn statement(bytes: &[u8]) -> Vec<u8> {
    identity::statement(TAG, &[bytes])
}

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

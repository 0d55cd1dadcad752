//! Every frame, one closed enum per direction, as tagged JSON.
//!
//! ```text
//! gateway                         node
//!   challenge ──────────────────▶
//!             ◀────────────────── login
//!   welcome   ──────────────────▶
//!             ◀────────────────── hello
//!   state     ──────────────────▶                (and whenever it changes)
//!   offer     ──────────────────▶
//!             ◀────────────────── accept | refuse
//!   start     ──────────────────▶
//!             ◀────────────────── chunk … signed … | scored … | vectors … embedded
//!   finish | cancel ────────────▶                (a stop string, a client that left)
//!             ◀────────────────── complete | failed
//!   outcome   ──────────────────▶                (why paid or not)
//!             ◀────────────────── heartbeat, draining
//! ```

use serde::{Deserialize, Serialize};

use crate::{
    Bytes32, Bytes64, EmbedStart, JobId, NodeId, NodeStanding, Sampling, TokenId, TokenLogprobs,
};

/// What a gateway says to a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToNode {
    /// First frame of a connection: sign this within ten seconds.
    Challenge { gateway: String, nonce: Bytes32, versions: Vec<u16> },
    /// The log-in was good. Every frame of this session carries `epoch`.
    Welcome { version: u16, epoch: u64, heartbeat_ms: u64 },
    /// Where the node stands, and why.
    State(NodeStanding),
    /// Would you do this job? Answer within 500 ms; refusing is free.
    Offer(JobOffer),
    /// Do it. Leaving from here on is a fault.
    Start(Start),
    /// End the answer after `at` output tokens (a stop string was met there), sign and complete.
    Finish { job: JobId, at: u32 },
    /// Stop within a second, sign what you sent and complete; the answer is no longer wanted.
    Cancel { job: JobId, reason: CancelReason },
    /// How the job ended for this node; `reason` is a sentence for its operator.
    Outcome { job: JobId, outcome: Outcome, reason: String },
    /// The gateway ends the session. Without `retry_after_ms`, do not come back unchanged.
    Close { code: CloseCode, reason: String, retry_after_ms: Option<u64> },
}

/// What a node says to a gateway, with the session that it says it in. A gateway drops frames of an
/// older session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FromNode {
    pub epoch: u64,
    pub frame: FromNodeFrame,
}

/// The frames of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromNodeFrame {
    /// Answers the challenge; sent with epoch 0.
    Login {
        node: NodeId,
        version: u16,
        signature: Bytes64,
    },
    /// What this node serves. Sent once, after the welcome.
    Hello(Hello),
    Accept {
        job: JobId,
    },
    Refuse {
        job: JobId,
        code: RefuseCode,
    },
    /// The next output ids and the raw logit of each; `seq` counts from 0 without gaps.
    Chunk {
        job: JobId,
        seq: u32,
        ids: Vec<TokenId>,
        logits: Vec<f32>,
        /// One for each token, when the job asks for them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        logprobs: Vec<TokenLogprobs>,
    },
    /// A signature over the first `to` output tokens, at each multiple of 64.
    Signed {
        job: JobId,
        to: u32,
        signature: Bytes64,
    },
    /// The answer is whole: `count` output tokens, the prefix included.
    Complete {
        job: JobId,
        finish: Finish,
        count: u32,
        signature: Bytes64,
    },
    /// Positions of a scored answer in order; `last` ends the list.
    Scored {
        job: JobId,
        positions: Vec<PositionScore>,
        /// One for each position, when the job asks for them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        logprobs: Vec<TokenLogprobs>,
        last: bool,
    },
    /// The next components of the vectors, one input after the other; `seq` counts from 0 without gaps.
    Vectors {
        job: JobId,
        seq: u32,
        components: Vec<f32>,
    },
    /// Every input has its vector; the signature covers all of them.
    Embedded {
        job: JobId,
        signature: Bytes64,
    },
    /// This node cannot go on with the job.
    Failed {
        job: JobId,
        code: FailCode,
    },
    /// A sign of life; `jobs` is how many run.
    Heartbeat {
        jobs: u32,
    },
    /// No more offers, please: the node finishes what it has and leaves.
    Draining {},
}

/// A question to a node, with nothing in it worth harvesting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOffer {
    pub job: JobId,
    /// 1 for the first set of nodes, at most 3.
    pub round: u8,
    pub model: String,
    pub manifest_hash: Bytes32,
    pub kind: JobKind,
    pub prompt_tokens: u32,
    pub max_tokens: u32,
    /// From now until the gateway gives the job up.
    pub deadline_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Write an answer.
    Generate,
    /// Run the model once over somebody's answer; trusted nodes only.
    Score,
    /// Turn texts into vectors; of a trusted node they are the truth that others' are held to.
    Embed,
}

/// The work itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Start {
    Generate(GenerateStart),
    Score(ScoreStart),
    Embed(EmbedStart),
}

/// Write an answer to `prompt` that begins with `prefix`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GenerateStart {
    pub job: JobId,
    pub prompt: Vec<TokenId>,
    /// Output tokens that are already agreed; the node goes on after them and does not repeat them.
    pub prefix: Vec<TokenId>,
    /// Output tokens at most, the prefix included.
    pub max_tokens: u32,
    pub sampling: Sampling,
    pub seed: Bytes32,
    /// Enters the first link of the hash chain.
    pub salt: Bytes32,
}

/// Feed `prompt` and `output` once and say, for every output position, what the model wanted there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScoreStart {
    pub job: JobId,
    pub prompt: Vec<TokenId>,
    pub output: Vec<TokenId>,
    pub sampling: Sampling,
    pub seed: Bytes32,
}

/// What the model says about one output position.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PositionScore {
    /// The token that the sampler draws here from the scorer's own logits.
    pub own: TokenId,
    /// How far the claimed token falls short of that draw, in logits; 0 when they are the same and
    /// [`PositionScore::OUTSIDE`] when the claimed token could not have been drawn at all.
    pub margin: f64,
    /// The raw logit of the claimed token.
    pub logit: f32,
    /// `Σ p²` at temperature 1: near 1 where the model is certain, so the position teaches little.
    pub sum_p2: f64,
}

impl PositionScore {
    /// The margin of a token that every mask excludes.
    pub const OUTSIDE: f64 = 1e9;
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The last token is an end token of the model.
    Stop,
    /// The answer holds `max_tokens` tokens.
    Length,
    /// The gateway said where: a stop string, or a cancel.
    Told,
    /// It is vectors, one for each input.
    Embedded,
}

impl Finish {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::Told => "told",
            Self::Embedded => "embedded",
        }
    }
}

/// What a node has to offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    pub agent_version: String,
    pub models: Vec<ServedModel>,
    pub hardware: Hardware,
}

/// One model on one runtime. Classes are assigned by the gateway from its own measurements, never
/// from this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedModel {
    pub id: String,
    pub manifest_hash: Bytes32,
    pub runtime: String,
    pub execution_provider: String,
    pub precision: String,
    pub context_length: u32,
    /// Jobs at once.
    pub slots: u32,
}

/// For people to read; nothing is decided from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hardware {
    pub cpu: String,
    pub cores: u32,
    pub accelerator: Option<String>,
}

/// Why a node does not want a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefuseCode {
    Busy,
    Draining,
    ModelNotServed,
    TooLong,
}

/// Why a node cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailCode {
    Runtime,
    BadStart,
    /// The answer's grammar does not compile, or became too expensive on the way.
    Grammar,
}

/// Why a job is called off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// The client left.
    ClientLeft,
    /// The set was filled without this node, or the job ended without it.
    NotNeeded,
    /// The node took too long.
    TooSlow,
    /// The gateway is shutting down.
    Shutdown,
}

/// How a job ended for one node: the stable code behind "why was I (not) paid?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Equal to another owner's answer, and not refuted: paid.
    Agreed,
    /// Differed, but the model confirms it: paid.
    Vindicated,
    /// Passed the spot checks and the end check: paid.
    Passed,
    /// Proven, asked alone, and not drawn for a check: paid.
    Trusted,
    /// The model contradicts a token: not paid.
    FailedSpotCheck,
    /// The answer stops where the model goes on, or goes on where it stops: not paid.
    FailedEndCheck,
    /// No single token, but the answer as a whole is too far from what the model gives: not paid.
    FailedWholeAnswer,
    /// The reported logits are not the model's, whatever the tokens are: not paid.
    FailedLogits,
    /// The log probabilities that it told are not the model's: not paid.
    FailedLogprobs,
    /// The answer breaks a rule that needs no model (ids, counts, finish): not paid.
    FailedStructure,
    /// Accepted, then left, stalled or failed: not paid.
    Left,
    /// Broke the protocol: not paid, disconnected.
    Violation,
    /// Nobody could judge it (no second answer, no scorer): not paid, not blamed.
    Unverified,
    /// Called off before anything that could be paid: not paid, not blamed.
    Cancelled,
}

words! { Outcome:
    /// The word on the wire and in the store.
    Agreed => "agreed",
    Vindicated => "vindicated",
    Passed => "passed",
    Trusted => "trusted",
    FailedSpotCheck => "failed_spot_check",
    FailedEndCheck => "failed_end_check",
    FailedWholeAnswer => "failed_whole_answer",
    FailedLogits => "failed_logits",
    FailedLogprobs => "failed_logprobs",
    FailedStructure => "failed_structure",
    Left => "left",
    Violation => "violation",
    Unverified => "unverified",
    Cancelled => "cancelled",
}

impl Outcome {
    /// Whether the model itself speaks against the answer.
    pub fn is_refuted(self) -> bool {
        matches!(
            self,
            Self::FailedSpotCheck
                | Self::FailedEndCheck
                | Self::FailedWholeAnswer
                | Self::FailedLogits
                | Self::FailedLogprobs
        )
    }

    /// Whether this node shares the pay.
    pub fn is_paid(self) -> bool {
        matches!(self, Self::Agreed | Self::Vindicated | Self::Passed | Self::Trusted)
    }
}

/// Why the gateway ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseCode {
    BadLogin,
    UnknownNode,
    VersionNotSpoken,
    Violation,
    Replaced,
    Banned,
    Silent,
    Shutdown,
}

//! What the rest of the gateway holds of a node: a way to give it work and to hear of it.
//!
//! Whoever places a job speaks to a [`NodeHandle`], not to a socket, so that a node may one day be
//! connected to another gateway.

use std::sync::Arc;

use assay_protocol::{
    CancelReason, CloseCode, FailCode, Finish, JobId, JobOffer, NodeId, NodeStanding, Outcome,
    RefuseCode, Start, TokenId, TokenLogprobs,
};
use tokio::sync::mpsc;

use super::{
    conduct::{ModelFacts, Scored, Violation},
    held::Held,
};

/// Commands that may wait for one session; more means that its socket is stuck.
const COMMANDS_QUEUED_MAX: usize = 256;
/// News that may wait for one job: more than a whole answer in chunks from each of its nodes.
const NEWS_QUEUED_MAX: usize = 4_096;

/// Where the owner of a job hears from all its nodes.
pub type NewsDesk = mpsc::Sender<NodeNews>;

/// Opens a desk for one job.
pub fn news_desk() -> (NewsDesk, mpsc::Receiver<NodeNews>) {
    mpsc::channel(NEWS_QUEUED_MAX)
}

/// What one node did about one job.
#[derive(Debug)]
pub struct NodeNews {
    pub node: NodeId,
    pub job: JobId,
    pub news: JobNews,
}

/// What a node's frames mean for the owner of a job.
#[derive(Debug, PartialEq)]
pub enum JobNews {
    Accepted,
    Refused(RefuseCode),
    /// New output ids, in order.
    Tokens {
        ids: Vec<TokenId>,
        logits: Vec<f32>,
        /// One for each, if the job asks for them.
        logprobs: Vec<TokenLogprobs>,
    },
    /// The answer is whole and its signature good: its first `count` output ids count.
    Complete {
        finish: Finish,
        count: u32,
    },
    /// All vectors, and their signature is good.
    Embedded(Vec<f32>),
    /// All positions of a scored answer.
    Scored(Scored),
    Failed(FailCode),
    /// The session is over; nothing more comes.
    Lost(LostReason),
}

/// Why a session ended in the middle of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LostReason {
    #[error("the connection broke")]
    Disconnected,
    #[error("no frame came for too long")]
    Silent,
    #[error("a newer session of the same node took over")]
    Replaced,
    #[error("the node {0}")]
    Violation(Violation),
    #[error("the node was banned")]
    Banned,
    #[error("the gateway is shutting down")]
    Shutdown,
}

/// The session cannot take the command: it is over, or its queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node's session is gone")]
pub struct SessionGone;

/// What a session can be asked to do.
#[derive(Debug)]
pub(super) enum Command {
    Offer { offer: JobOffer, model: ModelFacts, desk: NewsDesk },
    Start(Start),
    Finish { job: JobId, at: u32 },
    Cancel { job: JobId, reason: CancelReason },
    Withdraw { job: JobId },
    Outcome { job: JobId, outcome: Outcome, reason: String },
    State(NodeStanding),
    Close { code: CloseCode, reason: String },
}

/// A connected node.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    id: NodeId,
    held: Arc<Held>,
    commands: mpsc::Sender<Command>,
}

impl NodeHandle {
    pub(super) fn new(id: NodeId, held: Arc<Held>) -> (Self, mpsc::Receiver<Command>) {
        let (commands, inbox) = mpsc::channel(COMMANDS_QUEUED_MAX);
        (Self { id, held, commands }, inbox)
    }

    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Jobs that it holds right now.
    pub(super) fn held(&self) -> &Arc<Held> {
        &self.held
    }

    /// Asks whether the node wants the job; the answer, and all that follows, comes to `desk`. It has a place less from
    /// now on.
    pub fn offer(
        &self,
        offer: JobOffer,
        model: ModelFacts,
        desk: NewsDesk,
    ) -> Result<(), SessionGone> {
        let job = offer.job;
        let is_new = self.held.begin(&offer);
        let sent = self.send(Command::Offer { offer, model, desk });
        if sent.is_err() && is_new {
            self.held.end(job);
        }
        sent
    }

    /// Hands over the work of an accepted offer.
    pub fn start(&self, start: Start) -> Result<(), SessionGone> {
        self.send(Command::Start(start))
    }

    /// Ends the answer after `at` output tokens.
    pub fn finish(&self, job: JobId, at: u32) -> Result<(), SessionGone> {
        self.send(Command::Finish { job, at })
    }

    /// Calls a started job off; the node still signs what it sent.
    pub fn cancel(&self, job: JobId, reason: CancelReason) -> Result<(), SessionGone> {
        self.send(Command::Cancel { job, reason })
    }

    /// Takes an offer back, or forgets a job whatever its stage; no news of it comes any more.
    pub fn withdraw(&self, job: JobId) -> Result<(), SessionGone> {
        self.send(Command::Withdraw { job })
    }

    /// Tells the node's operator how the job ended.
    pub fn outcome(&self, job: JobId, outcome: Outcome, reason: String) {
        // A node that has left reads it in the operator's API.
        let _ = self.send(Command::Outcome { job, outcome, reason });
    }

    pub(super) fn state(&self, standing: NodeStanding) -> Result<(), SessionGone> {
        self.send(Command::State(standing))
    }

    pub(super) fn close(&self, code: CloseCode, reason: String) -> Result<(), SessionGone> {
        self.send(Command::Close { code, reason })
    }

    fn send(&self, command: Command) -> Result<(), SessionGone> {
        self.commands.try_send(command).map_err(|_| SessionGone)
    }
}

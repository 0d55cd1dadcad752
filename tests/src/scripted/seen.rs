//! What a scripted node has heard and done, for stories to wait on.

use assay_protocol::{CancelReason, CloseCode, NodeStanding, NodeState, Outcome};

use super::End;

/// Everything so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub state: Option<NodeState>,
    /// Every place where it was told it stands, in order.
    pub standings: Vec<NodeStanding>,
    /// Answers begun for the gateway's self-test; nothing else here counts those.
    pub self_tests: u32,
    pub offers: u32,
    pub starts: u32,
    /// Output tokens that came with the last start.
    pub prefix_tokens: u32,
    /// Output tokens that were sent, over all jobs.
    pub tokens_sent: u32,
    /// Jobs that were signed to their end.
    pub completed: u32,
    pub scored: u32,
    /// Finish and cancel frames, in order.
    pub told: Vec<Told>,
    pub outcomes: Vec<(Outcome, String)>,
    /// The gateway's reason to close.
    pub closed: Option<(CloseCode, String)>,
    /// Why the session is over.
    pub end: Option<End>,
}

/// An order to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Finish { at: u32 },
    Cancel(CancelReason),
}

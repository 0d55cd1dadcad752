//! What a node knows of a job when it decides how to behave.

use std::sync::Arc;

use assay_protocol::{Bytes64, GenerateStart, NodeState};
use rand::{SeedableRng, rngs::StdRng};

use crate::Model;

/// A job that was given to a node.
#[derive(Clone, Debug)]
pub struct Job {
    pub start: GenerateStart,
    /// What an honest node runs.
    pub model: Arc<Model>,
    /// Answers that this session began before.
    pub nth: u32,
    /// Where the gateway says that the node stands.
    pub state: Option<NodeState>,
    /// Under the answer before this one.
    pub last_signature: Option<Bytes64>,
    /// Seeds [`Job::dice`]: the node's own.
    pub dice: u64,
}

impl Job {
    /// Output tokens that it may still write.
    pub fn room(&self) -> usize {
        self.start.max_tokens as usize - self.start.prefix.len()
    }

    /// The node's own randomness, from its beginning.
    pub fn dice(&self) -> StdRng {
        StdRng::seed_from_u64(self.dice)
    }
}

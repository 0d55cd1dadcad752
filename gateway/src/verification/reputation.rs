//! What is known of each node's honesty, per model: loaded at start, moved by verified checks only.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use assay_protocol::NodeId;
use assay_verifier::{Finding, reputation::Evidence};

use crate::db::EvidenceDelta;

/// The evidence of all nodes. The store gets each change with the job that caused it.
#[derive(Debug, Default)]
pub struct ReputationBook(Mutex<HashMap<(NodeId, String), Evidence>>);

impl ReputationBook {
    /// Starts from what the store holds.
    pub fn new(rows: impl IntoIterator<Item = (NodeId, String, Evidence)>) -> Self {
        let entries = rows.into_iter().map(|(node, model, evidence)| ((node, model), evidence));
        Self(Mutex::new(entries.collect()))
    }

    /// What is known; a new node has no evidence for or against it.
    pub fn evidence(&self, node: NodeId, model: &str) -> Evidence {
        self.lock().get(&(node, model.to_owned())).copied().unwrap_or_default()
    }

    /// The lower bound of the node's share of good answers, 0 to 1.
    pub fn correctness(&self, node: NodeId, model: &str) -> f64 {
        self.evidence(node, model).correctness()
    }

    /// Adds the result of one check; the store gets it with the job.
    pub fn record(&self, node: NodeId, model: &str, check: Check) {
        let mut entries = self.lock();
        let evidence = entries.entry((node, model.to_owned())).or_default();
        match check {
            Check::Passed { weight } => evidence.record_pass(weight),
            Check::Failed => evidence.record_failure(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(NodeId, String), Evidence>> {
        // Nothing panics while it holds the lock; if it did, the map would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A verified check of one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Check {
    /// `weight` is what the answer could teach: near 0 when every token was certain anyway, 1 at most.
    Passed {
        weight: f64,
    },
    Failed,
}

impl Check {
    /// What a verdict's finding means for the evidence.
    pub fn of(finding: Finding) -> Self {
        match finding {
            Finding::Passed { weight } => Self::Passed { weight },
            Finding::Failed { .. } => Self::Failed,
        }
    }

    /// What the store adds for it.
    pub fn delta(self) -> EvidenceDelta {
        match self {
            Self::Passed { weight } => EvidenceDelta::passed(weight),
            Self::Failed => EvidenceDelta::failed(),
        }
    }
}

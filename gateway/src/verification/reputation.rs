//! What is known of each node's honesty, per model: loaded at start, moved by verified checks only.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use assay_protocol::NodeId;
use assay_verifier::{
    Consequence, Finding, Record, record::CHECKS_DUE_AFTER_FAILURE, reputation::Evidence,
};

use crate::{db::EvidenceDelta, scheduler::Trust};

/// The records of all nodes. The store gets each change with the job that caused it.
#[derive(Debug, Default)]
pub struct ReputationBook(Mutex<HashMap<(NodeId, String), Record>>);

impl ReputationBook {
    /// Starts from what the store holds.
    pub fn new(rows: impl IntoIterator<Item = (NodeId, String, Record)>) -> Self {
        let entries = rows.into_iter().map(|(node, model, record)| ((node, model), record));
        Self(Mutex::new(entries.collect()))
    }

    /// What is known; a new node has nothing for or against it.
    pub fn record(&self, node: NodeId, model: &str) -> Record {
        self.lock().get(&(node, model.to_owned())).copied().unwrap_or_default()
    }

    /// The sums of its checks.
    pub fn evidence(&self, node: NodeId, model: &str) -> Evidence {
        self.record(node, model).evidence
    }

    /// The lower bound of the node's share of good answers, 0 to 1.
    pub fn correctness(&self, node: NodeId, model: &str) -> f64 {
        self.evidence(node, model).correctness()
    }

    /// Whether it may serve alone, and stand for a pair.
    pub fn is_proven(&self, node: NodeId, model: &str) -> bool {
        self.record(node, model).is_proven()
    }

    /// How far the node is trusted with a model.
    pub fn trust(&self, node: NodeId, model: &str) -> Trust {
        let record = self.record(node, model);
        Trust { correctness: record.evidence.correctness(), proven: record.is_proven() }
    }

    /// Adds the result of one check, and says what follows; the store gets it with the job.
    pub fn learn(&self, node: NodeId, model: &str, check: Check) -> Consequence {
        let mut entries = self.lock();
        let record = entries.entry((node, model.to_owned())).or_default();
        match check {
            Check::Passed { weight } => record.apply(Finding::Passed { weight }),
            Check::Failed { proven } => record.apply(Finding::Failed { proven }),
            Check::Spared => {
                record.evidence.record_failure();
                record.checks_due = CHECKS_DUE_AFTER_FAILURE;
                Consequence::None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(NodeId, String), Record>> {
        // Nothing panics while it holds the lock; if it did, the map would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A verified check of one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Check {
    /// `weight` is what the answer could teach: near 0 when every token was certain anyway, 1 at most.
    Passed { weight: f64 },
    /// `proven`: a second scorer found the same, or no model is needed to see it.
    Failed { proven: bool },
    /// Failed while the whole class did: it costs trust, but leads to no ban.
    Spared,
}

impl Check {
    /// What a verdict's finding means for the record.
    pub fn of(finding: Finding) -> Self {
        match finding {
            Finding::Passed { weight } => Self::Passed { weight },
            Finding::Failed { proven } => Self::Failed { proven },
        }
    }

    /// What the store adds for it.
    pub fn delta(self) -> EvidenceDelta {
        match self {
            Self::Passed { weight } => EvidenceDelta::passed(weight),
            Self::Failed { proven } => EvidenceDelta::failed(proven),
            Self::Spared => EvidenceDelta::spared(),
        }
    }
}

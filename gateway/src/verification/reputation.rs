//! What is known of each node's honesty, per model: as the store has it at the start, when the node logs in and after each
//! of its checks, so that what another gateway found out counts here too.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use assay_protocol::NodeId;
use assay_verifier::{
    Consequence, Finding, Record, record::CHECKS_DUE_AFTER_FAILURE, reputation::Evidence,
};

use crate::{
    db::{EvidenceDelta, reputation::Known},
    scheduler::Trust,
};

/// The records of all nodes. The store gets each change with the job that caused it.
#[derive(Debug, Default)]
pub struct ReputationBook(Mutex<HashMap<(NodeId, String), Entry>>);

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    record: Record,
    /// See [`Known::checks`].
    checks: i64,
}

impl ReputationBook {
    /// Starts from what the store holds.
    pub fn new(rows: impl IntoIterator<Item = Known>) -> Self {
        let book = Self::default();
        book.know(rows);
        book
    }

    /// Takes over what the store holds, as far as it is not older than what is known.
    pub fn know(&self, rows: impl IntoIterator<Item = Known>) {
        let mut entries = self.lock();
        for Known { node, model, record, checks } in rows {
            let entry = entries.entry((node, model)).or_default();
            if checks >= entry.checks {
                *entry = Entry { record, checks };
            }
        }
    }

    /// What is known; a new node has nothing for or against it.
    pub fn record(&self, node: NodeId, model: &str) -> Record {
        self.lock().get(&(node, model.to_owned())).copied().unwrap_or_default().record
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

    /// What follows from a check that is in the record already.
    pub fn consequence(&self, node: NodeId, model: &str, check: Check) -> Consequence {
        match check {
            Check::Failed { .. } => self.record(node, model).consequence(),
            Check::Passed { .. } | Check::Spared => Consequence::None,
        }
    }

    /// Adds the result of one check that the store has and cannot be asked about now, and says what follows.
    pub fn learn(&self, node: NodeId, model: &str, check: Check) -> Consequence {
        let mut entries = self.lock();
        let Entry { record, checks } = entries.entry((node, model.to_owned())).or_default();
        *checks += i64::from(check.delta().teaches());
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

    fn lock(&self) -> MutexGuard<'_, HashMap<(NodeId, String), Entry>> {
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NODE: NodeId = NodeId(Uuid::from_u128(1));

    fn known(checks: i64, passes: f64) -> Known {
        let record = Record { evidence: Evidence { passes, failures: 0.0 }, ..Record::default() };
        Known { node: NODE, model: "m".into(), record, checks }
    }

    #[test]
    fn what_another_gateway_found_out_counts_and_what_is_older_does_not() {
        let book = ReputationBook::new([known(2, 2.0)]);
        book.know([known(5, 4.9)]);
        assert_eq!(book.evidence(NODE, "m").passes, 4.9);
        book.know([known(4, 3.9)]);
        assert_eq!(book.evidence(NODE, "m").passes, 4.9, "it was read before and came late");
    }

    #[test]
    fn a_check_that_the_store_tells_of_later_counts_once() {
        let book = ReputationBook::default();
        let failed = Check::Failed { proven: false };
        assert_eq!(book.learn(NODE, "m", failed), Consequence::None);
        let stored = Known { record: book.record(NODE, "m"), ..known(1, 0.0) };
        book.know([stored]);
        assert_eq!(book.evidence(NODE, "m").failures, 1.0);
        assert_eq!(book.consequence(NODE, "m", failed), Consequence::None);
        assert_eq!(book.learn(NODE, "m", failed), Consequence::Quarantine);
        assert_eq!(book.consequence(NODE, "m", failed), Consequence::Quarantine);
        let passed = Check::Passed { weight: 1.0 };
        assert_eq!(book.consequence(NODE, "m", passed), Consequence::None);
    }
}

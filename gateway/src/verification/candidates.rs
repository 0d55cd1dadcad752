//! The nodes that could take a job now, as the scheduler sees them.

use std::collections::BTreeSet;

use assay_ledger::AccountId;
use assay_protocol::{Bytes32, NodeId};

use crate::{
    app::App,
    nodes::{NodeHandle, ServedBy},
    scheduler::{Candidate, Party, Trust},
};

/// A snapshot of the workers for one model.
#[derive(Debug)]
pub struct Pool {
    served_by: Vec<ServedBy>,
    candidates: Vec<Candidate>,
}

/// Takes the snapshot.
pub fn candidates(app: &App, model: &str, manifest_hash: Bytes32) -> Pool {
    let served_by = app.nodes.serving(model, manifest_hash, false);
    let candidates = served_by.iter().map(|served| candidate(app, model, served)).collect();
    Pool { served_by, candidates }
}

impl Pool {
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Owners, related to nobody of these, whose nodes have no free slot right now.
    pub fn busy_owners(&self, taken: &[Party]) -> usize {
        let owners: BTreeSet<AccountId> = self
            .candidates
            .iter()
            .filter(|candidate| {
                candidate.slots_free == 0 && !candidate.party.is_related_to_any(taken)
            })
            .map(|candidate| candidate.party.account)
            .collect();
        owners.len()
    }

    /// The way to a chosen node, whose it is, and how far it is trusted.
    pub fn find(&self, node: NodeId) -> Option<(NodeHandle, Party, Trust)> {
        let served = self.served_by.iter().find(|served| served.snapshot.node == node)?;
        let candidate = self.candidates.iter().find(|candidate| candidate.node == node)?;
        Some((served.snapshot.handle.clone(), candidate.party.clone(), candidate.trust))
    }
}

fn candidate(app: &App, model: &str, served: &ServedBy) -> Candidate {
    let node = &served.snapshot;
    Candidate {
        node: node.node,
        party: node.party.clone(),
        trust: app.reputation.trust(node.node, model),
        reliability: node.performance.reliability,
        jobs: node.jobs,
        slots_free: served.slots_free,
        first_token_ms: node.performance.first_token_ms,
        ms_per_token: node.performance.ms_per_token,
    }
}

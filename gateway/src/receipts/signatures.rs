//! What each node signed about each running job, until the job's receipt takes it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use assay_protocol::{Bytes32, JobId, NodeId};
use assay_verifier::receipt::{Audit, Signed};

/// Rounds times nodes of one job; more is no job of ours.
const SIGNED_PER_JOB_MAX: usize = 64;

/// The last statement of each node in each round of each job that runs.
#[derive(Debug, Default)]
pub struct Signatures(Mutex<HashMap<JobId, Notes>>);

/// All that is kept of one job.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    pub(crate) signed: Vec<Kept>,
    /// How its last audit was drawn, and the link of the answer that it was drawn for.
    pub(crate) audit: Option<(Audit, Bytes32)>,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) node: NodeId,
    pub(crate) round: u8,
    pub(crate) signed: Signed,
}

impl Signatures {
    /// From now on, what is signed about this job is kept.
    pub(crate) fn open(&self, job: JobId) {
        self.lock().insert(job, Notes::default());
    }

    /// Keeps a statement whose signature holds, in place of an earlier one; nothing for a job that has ended.
    pub(crate) fn keep(&self, job: JobId, node: NodeId, round: u8, signed: Signed) {
        let mut jobs = self.lock();
        let Some(Notes { signed: kept, .. }) = jobs.get_mut(&job) else { return };
        match kept.iter().position(|kept| kept.node == node && kept.round == round) {
            Some(index) => kept[index].signed = signed,
            None if kept.len() < SIGNED_PER_JOB_MAX => kept.push(Kept { node, round, signed }),
            None => {}
        }
    }

    /// Keeps how an audit is drawn for the answer with this last link.
    pub(crate) fn drawn(&self, job: JobId, audit: Audit, link: Bytes32) {
        if let Some(notes) = self.lock().get_mut(&job) {
            notes.audit = Some((audit, link));
        }
    }

    /// All that was kept of a job, which ends with this.
    pub(crate) fn take(&self, job: JobId) -> Notes {
        self.lock().remove(&job).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<JobId, Notes>> {
        // Nothing panics while it holds the lock; if it did, the map would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

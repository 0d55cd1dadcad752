//! What would be settled of each running job if this gateway stopped now: noted by the jobs, written
//! together.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use assay_protocol::JobId;

use crate::db::{self, Checkpoint, CheckpointSettlement, Db};

/// Checkpoints in one command of the ledger's writer.
const CHECKPOINTS_PER_COMMAND: usize = 256;

/// Notes that are not written yet: one for each job at most.
#[derive(Debug, Default)]
pub struct Checkpoints(Mutex<HashMap<JobId, CheckpointSettlement>>);

impl Checkpoints {
    /// Whether a note of so many tokens says more of this job than the one that waits to be written.
    pub fn is_due(&self, job: JobId, tokens: u32) -> bool {
        self.noted().get(&job).is_none_or(|noted| noted.completion_tokens < tokens)
    }

    /// Takes a note.
    pub fn note(&self, job: JobId, settlement: CheckpointSettlement) {
        self.noted().insert(job, settlement);
    }

    /// Forgets a job that has ended.
    pub fn forget(&self, job: JobId) {
        self.noted().remove(&job);
    }

    pub(super) async fn write(&self, db: &Db) {
        let noted = std::mem::take(&mut *self.noted());
        let noted = noted.into_iter().map(|(job, settlement)| Checkpoint { job, settlement });
        let noted: Vec<Checkpoint> = noted.collect();
        for some in noted.chunks(CHECKPOINTS_PER_COMMAND) {
            if let Err(error) = db::leases::checkpoint(db, some.to_vec()).await {
                // The next note says more than this one.
                tracing::warn!(%error, jobs = some.len(), "checkpoints were not written");
            }
        }
    }

    fn noted(&self) -> MutexGuard<'_, HashMap<JobId, CheckpointSettlement>> {
        self.0.lock().expect("nobody panics while holding it")
    }
}

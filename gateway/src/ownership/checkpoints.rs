//! What would be settled of each running job if this gateway stopped now, and who would be told of it: noted by the jobs,
//! written together.

use std::{
    collections::HashMap,
    mem,
    sync::{Mutex, MutexGuard},
};

use assay_ledger::Nano;
use assay_protocol::JobId;

use crate::db::{self, Checkpoint, CheckpointAsked, CheckpointSettlement, Db};

/// Checkpoints in one command of the ledger's writer.
const CHECKPOINTS_PER_COMMAND: usize = 256;

/// One note for each running job that was given to nodes.
#[derive(Debug, Default)]
pub struct Checkpoints(Mutex<HashMap<JobId, Note>>);

#[derive(Debug)]
struct Note {
    settlement: CheckpointSettlement,
    is_written: bool,
}

impl Checkpoints {
    /// Whether a note of so many tokens says more of this job than the one that waits to be written.
    pub fn is_due(&self, job: JobId, tokens: u32) -> bool {
        let says_less = |note: &Note| note.is_written || note.settlement.completion_tokens < tokens;
        self.notes().get(&job).is_none_or(says_less)
    }

    /// Takes a note of what was delivered.
    pub fn note(&self, job: JobId, delivered: CheckpointSettlement) {
        let mut notes = self.notes();
        let before = notes.get_mut(&job).map(|note| mem::take(&mut note.settlement.asked));
        let settlement = CheckpointSettlement { asked: before.unwrap_or_default(), ..delivered };
        notes.insert(job, Note { settlement, is_written: false });
    }

    /// Takes a note of a node that got the work of a job with this hold.
    pub fn asked(&self, job: JobId, held: Nano, asked: CheckpointAsked) {
        let mut notes = self.notes();
        let note = notes.entry(job).or_insert_with(|| Note {
            settlement: CheckpointSettlement::nothing(held),
            is_written: false,
        });
        note.settlement.asked.push(asked);
        note.is_written = false;
    }

    /// Forgets a job that has ended.
    pub fn forget(&self, job: JobId) {
        self.notes().remove(&job);
    }

    pub(super) async fn write(&self, db: &Db) {
        for some in self.unwritten().chunks(CHECKPOINTS_PER_COMMAND) {
            if let Err(error) = db::leases::checkpoint(db, some.to_vec()).await {
                tracing::warn!(%error, jobs = some.len(), "checkpoints were not written");
                let mut notes = self.notes();
                for Checkpoint { job, .. } in some {
                    if let Some(note) = notes.get_mut(job) {
                        note.is_written = false;
                    }
                }
            }
        }
    }

    /// They count as written from now on.
    fn unwritten(&self) -> Vec<Checkpoint> {
        let mut notes = self.notes();
        let waiting = notes.iter_mut().filter(|(_, note)| !note.is_written);
        let taken = waiting.map(|(job, note)| {
            note.is_written = true;
            Checkpoint { job: *job, settlement: note.settlement.clone() }
        });
        taken.collect()
    }

    fn notes(&self) -> MutexGuard<'_, HashMap<JobId, Note>> {
        self.0.lock().expect("nobody panics while holding it")
    }
}

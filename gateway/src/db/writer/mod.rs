//! The one task of a gateway that writes money. It takes what queued while it committed (it never waits
//! for more), decides all of it in memory over rows that it has locked, writes in bulk, commits once and
//! answers everyone. A command that is refused hurts nobody else.

mod batch;
pub(super) mod rows;
mod task;

use assay_ledger::Command;
use tokio::sync::{mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Db, DbError,
    admin_log::Line,
    bulk::Bulk,
    engine::bounded,
    jobs::{JobEnd, NewJob},
    leases::Checkpoint,
};

pub(super) use batch::{Batch, EndedJob};
pub(super) use task::WriterTask;

/// Commands that are committed together at most.
const BATCH_MAX: usize = 1_024;
/// Journals that one commit may write; fewer than there are numbers in a block.
const BATCH_JOURNALS_MAX: usize = 8 * BATCH_MAX;
/// Commands that may wait for the next commit; who comes later waits for room.
const QUEUE_MAX: usize = 4 * BATCH_MAX;

/// What may be asked of the writer.
#[derive(Clone, Debug)]
pub(super) enum Request {
    /// Moves money that belongs to no job.
    Post { command: Command, note: String, at_ms: i64 },
    /// The same for an admin, whose log has a line about it.
    Act { command: Command, note: String, line: Line },
    /// Holds the highest cost of each of these jobs, with the rows of the jobs: of all or of none.
    Open(Vec<NewJob>),
    /// Ends a job: its hold, its row, the parts of its nodes.
    End(Box<JobEnd>),
    /// Notes how jobs would be settled if this gateway stopped now.
    Checkpoint(Vec<Checkpoint>),
}

impl Request {
    /// Journals that it may write.
    fn journals(&self) -> usize {
        match self {
            Self::Open(jobs) => jobs.len(),
            Self::Post { .. } | Self::Act { .. } | Self::End(_) => 1,
            Self::Checkpoint(_) => 0,
        }
    }
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Posted {
    /// The very same was asked before, so that nothing moved now.
    pub(super) repeated: bool,
}

type Answer = Result<Posted, DbError>;

/// A request on its way.
#[derive(Debug)]
struct Queued {
    request: Request,
    answer: oneshot::Sender<Answer>,
}

/// The way to the task.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Queued>,
    ending: CancellationToken,
    task: TaskTracker,
}

/// Every statement of the writer that is about many rows.
pub(super) fn bulks() -> impl Iterator<Item = &'static &'static Bulk> {
    rows::BULKS.iter()
}

impl Db {
    /// Has the writer do it, and waits until it is committed or refused.
    ///
    /// # Errors
    /// After `Busy` and `Unavailable` it may have been done all the same, or be done later: ask again, it
    /// is done once.
    pub(super) async fn write(&self, request: Request) -> Answer {
        bounded(self.writer.ask(request)).await
    }
}

impl Writer {
    async fn ask(&self, request: Request) -> Answer {
        let (answer, answered) = oneshot::channel();
        // Both fail only when the store is closed.
        let closed = || DbError::Unavailable(sqlx::Error::PoolClosed);
        self.queue.send(Queued { request, answer }).await.map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }

    /// Takes nothing more, and waits until what is queued is committed.
    pub(super) async fn end(&self) {
        self.ending.cancel();
        self.task.wait().await;
    }
}

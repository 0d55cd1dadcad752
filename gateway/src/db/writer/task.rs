//! The writer's loop: takes what queued, commits it, answers.

use std::{
    ops::Range,
    panic::AssertUnwindSafe,
    time::{Duration, SystemTime},
};

use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Answer, BATCH_JOURNALS_MAX, BATCH_MAX, QUEUE_MAX, Queued, Request, Writer, batch::Batch, rows,
};
use crate::db::{
    DbError,
    crash::{self, Moment},
    engine::{Store, bounded},
};

/// How often a batch that gave way to another gateway's is run again.
const RETRIES_MAX: u32 = 8;
/// The first wait before that; it doubles.
const RETRY_WAIT: Duration = Duration::from_millis(2);

/// Numbers for journals are not used for longer than this: the sealer forgets blocks after a day.
const NUMBERS_LAST: Duration = Duration::from_secs(3_600);

/// See the head of this file.
#[derive(Debug)]
pub(in crate::db) struct WriterTask {
    store: Store,
    queue: mpsc::Receiver<Queued>,
    ending: CancellationToken,
    /// Numbers for journals that this task has left. They ascend as it commits, which the sealer counts on.
    journal_ids: Range<i64>,
    /// By the clock on the wall, which goes on while a machine sleeps.
    ids_taken: SystemTime,
}

impl WriterTask {
    /// Starts the task; it ends with [`Writer::end`], or when the last handle is gone.
    pub(in crate::db) fn start(store: Store) -> Writer {
        let (queue, requests) = mpsc::channel(QUEUE_MAX);
        let (ending, task) = (CancellationToken::new(), TaskTracker::new());
        let (journal_ids, ids_taken) = (0..0, SystemTime::UNIX_EPOCH);
        let writer =
            Self { store, queue: requests, ending: ending.clone(), journal_ids, ids_taken };
        task.spawn(writer.run());
        task.close();
        Writer { queue, ending, task }
    }

    async fn run(mut self) {
        let mut queued = Vec::with_capacity(BATCH_MAX);
        loop {
            let ending = self.ending.clone();
            let taken = tokio::select! {
                taken = self.queue.recv_many(&mut queued, BATCH_MAX) => taken,
                () = ending.cancelled(), if !self.queue.is_closed() => {
                    self.queue.close();
                    continue;
                }
            };
            if taken == 0 {
                return;
            }
            self.commit(std::mem::take(&mut queued)).await;
        }
    }

    /// Commits all of them together. Where that cannot be, each half for itself, so that only what cannot
    /// be done is not done.
    async fn commit(&mut self, queued: Vec<Queued>) {
        let mut batches = vec![queued];
        while let Some(mut batch) = batches.pop() {
            let journals: usize = batch.iter().map(|queued| queued.request.journals()).sum();
            if journals > BATCH_JOURNALS_MAX && batch.len() > 1 {
                let second = batch.split_off(batch.len() / 2);
                batches.extend([second, batch]);
                continue;
            }
            match self.attempt(&batch).await {
                Ok(answers) => answer(batch, answers),
                Err(error) if error.is_temporary() || batch.len() == 1 => {
                    tracing::warn!(%error, commands = batch.len(), "money could not be written");
                    let answers = batch.iter().map(|_| Err(error.again())).collect();
                    answer(batch, answers);
                }
                Err(error) => {
                    tracing::error!(%error, commands = batch.len(), "a batch failed: halved");
                    let second = batch.split_off(batch.len() / 2);
                    batches.extend([second, batch]);
                }
            }
        }
    }

    async fn attempt(&mut self, batch: &[Queued]) -> Result<Vec<Answer>, DbError> {
        let requests: Vec<&Request> = batch.iter().map(|queued| &queued.request).collect();
        let mut wait = RETRY_WAIT;
        for _ in 0..RETRIES_MAX {
            // A bug in one command must end neither this task nor the others' commands.
            let once = AssertUnwindSafe(bounded(self.once(&requests))).catch_unwind();
            let done = once.await.unwrap_or_else(|_| {
                Err(DbError::Wrong("a command broke a rule that must always hold".into()))
            });
            if done.is_err() {
                // Nobody knows whether it was committed: its numbers must not come after later ones.
                self.journal_ids = 0..0;
            }
            match done {
                Err(DbError::GaveWay) => tokio::time::sleep(wait).await,
                done => return done,
            }
            wait *= 2;
        }
        Err(DbError::Busy)
    }

    async fn once(&mut self, requests: &[&Request]) -> Result<Vec<Answer>, DbError> {
        let needed: usize = requests.iter().map(|request| request.journals()).sum();
        let needed = i64::try_from(needed).unwrap_or(i64::MAX);
        let fresh = self.ids_taken.elapsed().is_ok_and(|age| age < NUMBERS_LAST);
        if !fresh || self.journal_ids.end - self.journal_ids.start < needed {
            self.ids_taken = SystemTime::now();
            self.journal_ids = self.store.take_journal_block().await?;
        }
        let mut tx = self.store.begin_money().await?;
        let mut batch = Batch::of(rows::load(&mut tx, requests).await?);
        let answers: Vec<Answer> = requests.iter().map(|request| batch.decide(request)).collect();
        if batch.is_empty() {
            return Ok(answers);
        }
        rows::write(&mut tx, &batch, &mut self.journal_ids).await?;
        crash::point(&batch, Moment::Before);
        tx.commit().await?;
        crash::point(&batch, Moment::After);
        Ok(answers)
    }
}

fn answer(batch: Vec<Queued>, answers: Vec<Answer>) {
    for (queued, answer) in batch.into_iter().zip(answers) {
        // Whoever does not wait any more asks again, or not.
        let _ = queued.answer.send(answer);
    }
}

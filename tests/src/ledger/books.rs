//! A database with clients that have credit, whose workers are killed; and the comparison of its books with what
//! they were told.

use std::{
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use assay_gateway::{
    audit::audit,
    db::{Db, JobRow, JobState, accounts, jobs},
    ownership::{Lease, reap},
};
use assay_ledger::Nano;
use assay_protocol::JobId;
use tempfile::TempDir;

use super::{
    again,
    crowd::{CREDIT, Crowd, cost_of},
    history::{History, Known},
};
use crate::{binaries::binary, process::Process, wait::wait_until};

pub const CLIENTS: i64 = 20;
pub const NODES: i64 = 6;
/// The signal of `kill -9`.
const SIGKILL: i32 = 9;

/// See the head of this file.
#[derive(Debug)]
pub struct Books {
    url: String,
    /// What all jobs have cost so far, by what each process was told and what the ledger says of the rest.
    spent: i64,
    folder: TempDir,
}

/// A process at work on them.
#[derive(Debug)]
pub struct Worker {
    pub gateway: String,
    process: Process,
    history: PathBuf,
}

impl Books {
    /// New ones, in an empty database.
    pub async fn fresh(url: Option<String>) -> Self {
        let folder = tempfile::tempdir().expect("a folder for books");
        let file = || format!("sqlite:{}", folder.path().join("assay.db").display());
        let url = url.unwrap_or_else(file);
        let db = Db::open(&url).await.expect("an empty database");
        db.migrate().await.expect("the migrations run");
        Crowd::with_credit(&db, CLIENTS, NODES).await.expect("clients get credit");
        db.close().await;
        Self { url, spent: 0, folder }
    }

    /// Starts a worker for a gateway of this name; `crash_at` is where it kills itself, if it is to.
    pub fn start(&self, gateway: &str, seed: u64, crash_at: Option<&str>) -> Worker {
        let history = self.folder.path().join(format!("{gateway}.history"));
        // The one of the run before.
        let _ = std::fs::remove_file(&history);
        let mut command = Command::new(binary("ledger-worker"));
        command.args(["--url", &self.url, "--gateway", gateway, "--seed", &seed.to_string()]);
        command.arg("--history").arg(&history);
        command.env_remove("ASSAY_CRASH_AT");
        if let Some(point) = crash_at {
            command.env("ASSAY_CRASH_AT", point);
        }
        let log = self.folder.path().join(format!("{gateway}.log"));
        let process = Process::start("ledger-worker", &log, &mut command);
        Worker { gateway: gateway.to_owned(), process, history }
    }

    /// What comes after a kill: the next run of that gateway ends what the last one left open.
    ///
    /// # Panics
    /// Where the books say anything else than the workers were told.
    pub async fn recover(&mut self, worker: &Worker) {
        let db = Db::open(&self.url).await.expect("the database is whole");
        let gateway = &worker.gateway;
        let lease = again(async || Lease::take(&db, gateway).await).await;
        lease.expect("the next run takes a lease");
        let reaped = again(async || reap(&db, gateway).await).await;
        reaped.expect("the jobs of the last run are ended");
        let history = History::read(&worker.history);
        for (id, known) in &history.0 {
            let job = again(async || jobs::find(&db, *id).await).await.expect("jobs can be read");
            self.spent += agreed(*id, known, job.as_ref());
        }
        db.close().await;
    }

    /// # Panics
    /// When the books are not clean, a hold is left open, or the clients' credit is not what the jobs left of it.
    pub async fn are_clean(&self) {
        let db = Db::open(&self.url).await.expect("the database is whole");
        let report = audit(&db).await.expect("the books can be read");
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.holds_open, 0, "{report}");
        let mut left = 0;
        for (account, _) in &Crowd::known(CLIENTS, NODES).accounts.clients {
            let balance = accounts::balance(&db, *account).await.expect("a client's balance");
            assert_eq!(balance.held, Nano::ZERO, "{account:?}");
            left += balance.available.0;
        }
        assert_eq!(left, CREDIT.0 * CLIENTS - self.spent, "nothing lost, nothing twice: {report}");
        db.close().await;
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Worker {
    /// Waits until it was told of so many ends.
    pub async fn has_ended(&mut self, jobs: usize) {
        wait_until("the worker ends jobs", async || {
            assert!(self.process.ended().is_none(), "it ended:\n{}", self.process.log_tail());
            (History::read(&self.history).ends() >= jobs).then_some(())
        })
        .await;
    }

    /// # Panics
    /// When it has ended before: then it is not the kill that is tested.
    pub fn kill_nine(&mut self) {
        assert!(self.process.ended().is_none(), "it ended:\n{}", self.process.log_tail());
        self.process.kill_nine();
    }

    /// Waits until it has killed itself; how long that took.
    pub async fn killed_itself(&mut self) {
        let began = Instant::now();
        let status = self.process.end().await;
        let log = self.process.log_tail();
        assert_eq!(status.signal(), Some(SIGKILL), "after {:?}: {status}\n{log}", began.elapsed());
    }
}

/// What a job cost, after a look whether the ledger says what its process was told.
fn agreed(id: JobId, known: &Known, job: Option<&JobRow>) -> i64 {
    let Some(job) = job else {
        assert!(!known.opened, "{id} was acknowledged and is lost: {known:?}");
        return 0;
    };
    let cut_off = job.reason.contains("the gateway stopped");
    assert_ne!(job.state, JobState::Running, "{id} is stuck: {known:?}");
    assert!(!(known.ended && cut_off), "{id} ended, and was ended again: {known:?} {job:?}");
    if !cut_off {
        assert_eq!(known.ending, Some(job.cost.0), "{id} ended otherwise: {job:?}");
        return job.cost.0;
    }
    // A note that was asked for and not acknowledged may be there, or not.
    let tokens = job.completion_tokens;
    let noted = [known.noted, known.noting].contains(&tokens);
    assert!(noted, "{id} was delivered otherwise: {known:?} {job:?}");
    assert_eq!(job.cost, cost_of(tokens), "{id} must cost what was delivered: {known:?}");
    job.cost.0
}

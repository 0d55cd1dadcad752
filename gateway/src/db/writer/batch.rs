//! Decides the commands of a batch, one after the other, over the rows that were loaded for them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use assay_ledger::{AccountId, Balances, Command, Digest, HoldId, Posting, Rejected, apply};

use super::{Answer, Posted, Request};
use crate::db::{
    DbError,
    jobs::{JobEnd, NewJob, hold_of},
};

/// What a batch touches, as it is in the store.
#[derive(Debug, Default)]
pub(in crate::db) struct Loaded {
    pub(super) balances: Balances,
    pub(super) jobs: BTreeMap<HoldId, StoredJob>,
}

/// What the end of a job looks at.
#[derive(Clone, Debug)]
pub(super) struct StoredJob {
    pub(super) model: String,
    pub(super) end_digest: Option<Digest>,
}

/// A journal to write.
#[derive(Debug)]
pub(super) struct NewJournal<'a> {
    pub(super) posting: Posting,
    pub(super) note: &'a str,
    pub(super) at_ms: i64,
}

/// An ended job to write.
#[derive(Debug)]
pub(in crate::db) struct EndedJob<'a> {
    pub(in crate::db) end: &'a JobEnd,
    pub(in crate::db) digest: Digest,
    pub(in crate::db) model: String,
}

/// A batch in the making: the rows as they will be, and what is to be written besides.
#[derive(Debug, Default)]
pub(in crate::db) struct Batch<'a> {
    pub(super) rows: Loaded,
    pub(super) journals: Vec<NewJournal<'a>>,
    pub(super) accounts: BTreeSet<AccountId>,
    pub(super) holds_begun: Vec<HoldId>,
    pub(super) holds_ended: Vec<HoldId>,
    pub(super) opened: Vec<&'a NewJob>,
    pub(super) ended: Vec<EndedJob<'a>>,
}

impl<'a> Batch<'a> {
    pub(in crate::db) fn of(rows: Loaded) -> Self {
        Self { rows, ..Self::default() }
    }

    /// Whether nothing is to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.journals.is_empty()
    }

    /// Does what is asked, or says why not; then nothing has moved.
    pub(in crate::db) fn decide(&mut self, request: &'a Request) -> Answer {
        match request {
            Request::Post { command, note, at_ms } => self.post(command, note, *at_ms),
            Request::Open(job) => self.open(job),
            Request::End(end) => self.end(end),
        }
    }

    fn open(&mut self, job: &'a NewJob) -> Answer {
        let hold = hold_of(job.id);
        let command = Command::Hold { hold, account: job.account, amount: job.hold };
        let posted = self.post(&command, "", job.created_ms)?;
        if !posted.repeated {
            let row = StoredJob { model: job.model.clone(), end_digest: None };
            self.rows.jobs.insert(hold, row);
            self.opened.push(job);
        }
        Ok(posted)
    }

    fn end(&mut self, end: &'a JobEnd) -> Answer {
        end.check()?;
        let (hold, digest) = (hold_of(end.id), end.digest());
        let missing = || DbError::NotFound(format!("job {}", end.id));
        let job = self.rows.jobs.get(&hold).ok_or_else(missing)?;
        match job.end_digest {
            Some(first) if first == digest => return Ok(Posted { repeated: true }),
            Some(_) => return Err(DbError::Conflict(format!("job {} ended otherwise", end.id))),
            None => {}
        }
        let held = self.rows.balances.holds.get(&hold).ok_or_else(missing)?.amount;
        if !end.charge.accounts_for(held) {
            return Err(Rejected::NotAccountedFor { held }.into());
        }
        let command = match end.charge.is_nothing() {
            true => Command::Void { hold },
            false => Command::Settle { hold, settlement: end.charge.clone() },
        };
        let model = job.model.clone();
        let posted = self.post(&command, "", end.ended_ms)?;
        assert!(!posted.repeated, "job {} runs, so its hold cannot have ended", end.id);
        let row = StoredJob { model: model.clone(), end_digest: Some(digest) };
        self.rows.jobs.insert(hold, row);
        self.ended.push(EndedJob { end, digest, model });
        Ok(posted)
    }

    fn post(&mut self, command: &Command, note: &'a str, at_ms: i64) -> Answer {
        let posting = apply(&mut self.rows.balances, command)?;
        let repeated = posting.repeated;
        if !repeated {
            let moved = posting.entries.iter().map(|entry| entry.account);
            self.accounts.extend(moved.filter(|account| !account.is_system()));
            match command {
                Command::Hold { hold, .. } => self.holds_begun.push(*hold),
                Command::Settle { hold, .. }
                | Command::Void { hold }
                | Command::SendOut { hold } => {
                    self.holds_ended.push(*hold);
                }
                Command::Grant { .. } | Command::TopUp { .. } => {}
            }
            self.journals.push(NewJournal { posting, note, at_ms });
        }
        Ok(Posted { repeated })
    }
}

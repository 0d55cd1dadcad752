//! Decides the commands of a batch, one after the other, over the rows that were loaded for them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use assay_ledger::{AccountId, Balances, Command, Digest, HoldId, Nano, Posting, Rejected, apply};

use super::{Answer, Posted, Request};
use crate::db::{
    DbError, KeyId,
    admin_log::Line,
    jobs::{JobEnd, NewJob, hold_of},
    leases::{Checkpoint, LeaseId},
};

/// A key's day.
const DAY_MS: i64 = 86_400_000;

/// What a batch touches, as it is in the store.
#[derive(Debug, Default)]
pub(in crate::db) struct Loaded {
    pub(super) balances: Balances,
    pub(super) holds_open: BTreeMap<AccountId, i64>,
    pub(super) jobs: BTreeMap<HoldId, StoredJob>,
    /// Of those that jobs are to be opened under.
    pub(super) leases_held: BTreeSet<LeaseId>,
    pub(super) budgets: BTreeMap<KeyId, Option<Nano>>,
    pub(super) key_days: BTreeMap<(KeyId, i64), KeyDay>,
}

/// What the end of a job looks at.
#[derive(Clone, Debug)]
pub(super) struct StoredJob {
    pub(super) model: String,
    pub(super) key_day: (KeyId, i64),
    pub(super) prompt_tokens: u32,
    pub(super) end_digest: Option<Digest>,
}

/// What a key did on a day.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KeyDay {
    pub(super) jobs: i64,
    pub(super) held: Nano,
    pub(super) spent: Nano,
    pub(super) prompt_tokens: i64,
    pub(super) completion_tokens: i64,
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
    pub(super) checkpoints: BTreeMap<HoldId, &'a Checkpoint>,
    pub(super) days: BTreeSet<(KeyId, i64)>,
    /// What admins did.
    pub(super) lines: Vec<&'a Line>,
}

/// The day of a moment, for a key's budget.
pub(super) fn day_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(DAY_MS)
}

impl<'a> Batch<'a> {
    pub(in crate::db) fn of(rows: Loaded) -> Self {
        Self { rows, ..Self::default() }
    }

    /// Whether nothing is to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.journals.is_empty() && self.checkpoints.is_empty()
    }

    /// What is committed with it, in words: the names of crash points.
    #[cfg(all(feature = "crash-points", debug_assertions))]
    pub(in crate::db) fn commits(&self) -> impl Iterator<Item = &'static str> {
        let releases = |ended: &EndedJob<'_>| ended.end.charge.is_nothing();
        let settles = |ended: &EndedJob<'_>| !releases(ended);
        let all = [
            ("hold", !self.opened.is_empty()),
            ("checkpoint", !self.checkpoints.is_empty()),
            ("settle", self.ended.iter().any(settles)),
            ("release", self.ended.iter().any(releases)),
        ];
        all.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name)
    }

    /// Does what is asked, or says why not; then nothing has moved.
    pub(in crate::db) fn decide(&mut self, request: &'a Request) -> Answer {
        match request {
            Request::Post { command, note, at_ms } => self.post(command, note, *at_ms),
            Request::Act { command, note, line } => self.act(command, note, line),
            Request::Open(jobs) => self.open_all(jobs),
            Request::End(end) => self.end(end),
            Request::Checkpoint(checkpoints) => Ok(self.checkpoint(checkpoints)),
        }
    }

    fn act(&mut self, command: &Command, note: &'a str, line: &'a Line) -> Answer {
        let posted = self.post(command, note, line.actor.at_ms)?;
        if !posted.repeated {
            self.lines.push(line);
        }
        Ok(posted)
    }

    /// All of them or none: what all need together is looked at before any is opened.
    fn open_all(&mut self, jobs: &'a [NewJob]) -> Answer {
        let is_new = |job: &&NewJob| !self.rows.balances.holds.contains_key(&hold_of(job.id));
        let new: Vec<&NewJob> = jobs.iter().filter(is_new).collect();
        if let Some(first) = new.first() {
            self.check_limits(first, &new)?;
        }
        let mut posted = Posted { repeated: true };
        for (at, job) in jobs.iter().enumerate() {
            let one = self.open(job);
            assert!(at == 0 || one.is_ok(), "the jobs of one request are opened together");
            posted.repeated &= one?.repeated;
        }
        Ok(posted)
    }

    fn open(&mut self, job: &'a NewJob) -> Answer {
        let hold = hold_of(job.id);
        let command = Command::Hold { hold, account: job.account, amount: job.hold };
        let posted = self.post(&command, "", job.created_ms)?;
        if !posted.repeated {
            let key_day = (job.key, day_of(job.created_ms));
            let (model, prompt_tokens) = (job.model.clone(), job.prompt_tokens);
            let row = StoredJob { model, key_day, prompt_tokens, end_digest: None };
            self.rows.jobs.insert(hold, row);
            let day = self.day(key_day);
            day.jobs += 1;
            day.held = Nano(day.held.0.saturating_add(job.hold.0));
            self.opened.push(job);
        }
        Ok(posted)
    }

    /// Whose jobs they would be, and bounds on what one account or key may have running. What a single one lacks in
    /// credit the rules of money say.
    fn check_limits(&self, job: &NewJob, all: &[&NewJob]) -> Result<(), DbError> {
        let one = |other: &&NewJob| (other.account, other.key) == (job.account, job.key);
        let needed = Nano::checked_sum(all.iter().map(|job| job.hold));
        let (Some(needed), true) = (needed, all.iter().all(one)) else {
            return Err(DbError::Wrong("jobs that are opened together are one client's".into()));
        };
        if job.lease.is_some_and(|lease| !self.rows.leases_held.contains(&lease)) {
            return Err(DbError::LeaseLost);
        }
        let open = self.rows.holds_open.get(&job.account).copied().unwrap_or_default();
        let more = i64::try_from(all.len()).unwrap_or(i64::MAX);
        if open.saturating_add(more) > i64::from(job.holds_open_max) {
            return Err(DbError::TooManyHolds { max: job.holds_open_max });
        }
        if let Some(budget) = self.rows.budgets.get(&job.key).copied().flatten() {
            let day = (job.key, day_of(job.created_ms));
            let day = self.rows.key_days.get(&day).copied().unwrap_or_default();
            let left = Nano(budget.0.saturating_sub(day.held.0).saturating_sub(day.spent.0).max(0));
            if needed > left {
                return Err(DbError::OverBudget { left, needed });
            }
        }
        let account = self.rows.balances.accounts.get(&job.account);
        match account.map(|account| account.available) {
            Some(available) if all.len() > 1 && available < needed => {
                Err(Rejected::InsufficientCredit { available, needed }.into())
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, end: &'a JobEnd) -> Answer {
        end.check()?;
        let (hold, digest) = (hold_of(end.id), end.digest());
        let missing = || DbError::NotFound(format!("job {}", end.id));
        let job = self.rows.jobs.get(&hold).ok_or_else(missing)?.clone();
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
        let posted = self.post(&command, "", end.ended_ms)?;
        assert!(!posted.repeated, "job {} runs, so its hold cannot have ended", end.id);
        let day = self.day(job.key_day);
        day.held = Nano(day.held.0.saturating_sub(held.0).max(0));
        day.spent = Nano(day.spent.0.saturating_add(end.charge.cost.0));
        day.prompt_tokens += i64::from(job.prompt_tokens);
        day.completion_tokens += i64::from(end.completion_tokens);
        let model = job.model.clone();
        self.rows.jobs.insert(hold, StoredJob { end_digest: Some(digest), ..job });
        self.ended.push(EndedJob { end, digest, model });
        self.checkpoints.remove(&hold);
        Ok(posted)
    }

    /// Only jobs that run have one.
    fn checkpoint(&mut self, checkpoints: &'a [Checkpoint]) -> Posted {
        for checkpoint in checkpoints {
            let hold = hold_of(checkpoint.job);
            if self.rows.jobs.get(&hold).is_some_and(|job| job.end_digest.is_none()) {
                self.checkpoints.insert(hold, checkpoint);
            }
        }
        Posted { repeated: false }
    }

    fn post(&mut self, command: &Command, note: &'a str, at_ms: i64) -> Answer {
        let posting = apply(&mut self.rows.balances, command)?;
        let repeated = posting.repeated;
        if !repeated {
            let moved = posting.entries.iter().map(|entry| entry.account);
            self.accounts.extend(moved.filter(|account| !account.is_system()));
            match command {
                Command::Hold { hold, account, .. } => {
                    self.holds_begun.push(*hold);
                    self.count_hold(*account, 1);
                }
                Command::Settle { hold, .. }
                | Command::Void { hold }
                | Command::SendOut { hold } => {
                    self.holds_ended.push(*hold);
                    if let Some(owner) = self.rows.balances.holds.get(hold).map(|hold| hold.account)
                    {
                        self.count_hold(owner, -1);
                    }
                }
                Command::Grant { .. }
                | Command::TopUp { .. }
                | Command::Correct { .. }
                | Command::Forfeit { .. } => {}
            }
            self.journals.push(NewJournal { posting, note, at_ms });
        }
        Ok(Posted { repeated })
    }

    /// A free model's hold moves nothing, and counts all the same.
    fn count_hold(&mut self, account: AccountId, by: i64) {
        *self.rows.holds_open.entry(account).or_default() += by;
        self.accounts.insert(account);
    }

    fn day(&mut self, key_day: (KeyId, i64)) -> &mut KeyDay {
        self.days.insert(key_day);
        self.rows.key_days.entry(key_day).or_default()
    }
}

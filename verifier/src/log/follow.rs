//! Follows a log from outside: every entry is read, the tree is grown again, and the draws are repeated.

use std::collections::{BTreeMap, BTreeSet};

use assay_protocol::{Bytes32, JobId};

use super::{
    Entry, Hash,
    draw::{commitment, is_drawn},
    entry::{AnswerEntry, AuditResult},
    merkle::{Tree, leaf_hash},
};

/// What an auditor knows of a log after reading it from its first entry.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    tree: Tree,
    answered: BTreeSet<JobId>,
    /// Answers of the batch that is not sealed yet.
    unsealed: Vec<AnswerEntry>,
    /// Sealed answers of each epoch whose secret is not out.
    sealed: BTreeMap<u64, Vec<Sealed>>,
    /// What each epoch committed to …
    epochs: BTreeMap<u64, Bytes32>,
    /// … and its secret, once it is out.
    secrets: BTreeMap<u64, Bytes32>,
    /// Audits that were drawn, with the time of the seal over their answer.
    due: BTreeMap<JobId, u64>,
    done: BTreeMap<JobId, AuditResult>,
    ledger: Option<(u64, Bytes32)>,
    summary: Summary,
    /// Of the last seal.
    time_ms: u64,
}

#[derive(Clone, Debug)]
struct Sealed {
    answer: AnswerEntry,
    time_ms: u64,
}

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub answers: u64,
    pub audits: u64,
    pub seals: u64,
    pub epochs_closed: u64,
    pub ledger_heads: u64,
    /// Draws that were repeated …
    pub draws: u64,
    /// … of which so many fell on an audit.
    pub drawn: u64,
}

/// Audits that were drawn and are not done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Their time is over.
    pub skipped: Vec<LogFault>,
    /// How many may still come.
    pub open: u64,
}

/// What is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogFault {
    #[error("entry {0} cannot be read")]
    Unreadable(u64),
    #[error("entry {0} seals another tree than the one before it")]
    WrongSeal(u64),
    #[error("entry {index} opens epoch {epoch} a second time")]
    EpochTwice { index: u64, epoch: u64 },
    #[error("entry {index} closes epoch {epoch} with a secret that is not the one committed to")]
    WrongSecret { index: u64, epoch: u64 },
    #[error("entry {index} is an answer of epoch {epoch}, which was never opened")]
    NoEpoch { index: u64, epoch: u64 },
    #[error("entry {index} is an answer of epoch {epoch}, whose secret was already known")]
    AfterClose { index: u64, epoch: u64 },
    #[error("job {0} has two receipts")]
    AnswerTwice(JobId),
    #[error("the audit of job {0} was drawn and never done")]
    AuditSkipped(JobId),
    #[error("entry {index} shortens the sealed journals from {before} to {after}")]
    JournalsShrank { index: u64, before: u64, after: u64 },
    #[error("entry {index} gives another head for the same {journals} journals")]
    JournalsForked { index: u64, journals: u64 },
}

impl Follower {
    /// The size and root of what was read.
    pub fn head(&self) -> (u64, Hash) {
        (self.tree.size(), self.tree.root())
    }

    /// The tree, for proofs.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Reads the next entry. The tree grows by it in any case.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), LogFault> {
        let index = self.tree.size();
        let entry = Entry::decode(bytes).map_err(|_| LogFault::Unreadable(index));
        let before = matches!(entry, Ok(Entry::Seal { .. })).then(|| self.tree.root());
        self.tree.push(leaf_hash(bytes));
        match entry? {
            Entry::Answer(answer) => self.answer(index, answer),
            Entry::Audit(audit) => {
                self.summary.audits += 1;
                self.done.entry(audit.job).or_insert(audit.result);
                Ok(())
            }
            Entry::EpochOpened { epoch, commitment, .. } => {
                match self.epochs.insert(epoch, commitment) {
                    Some(_) => Err(LogFault::EpochTwice { index, epoch }),
                    None => Ok(()),
                }
            }
            Entry::EpochClosed { epoch, secret } => self.close(index, epoch, secret),
            Entry::LedgerHead { journals, head, .. } => self.ledger_head(index, journals, head),
            Entry::Seal { root, time_ms } => {
                self.seal(time_ms);
                if before == Some(root) { Ok(()) } else { Err(LogFault::WrongSeal(index)) }
            }
        }
    }

    /// Audits that were drawn and are not done: those whose answer was sealed more than `grace_ms` before the last
    /// seal were skipped, the others may still come.
    pub fn audits_missing(&self, grace_ms: u64) -> Missing {
        let is_done = |job: &JobId| {
            matches!(self.done.get(job), Some(AuditResult::Passed | AuditResult::Failed))
        };
        let missing = self.due.iter().filter(|(job, _)| !is_done(job));
        let (skipped, open): (Vec<_>, Vec<_>) = missing
            .partition(|(_, sealed_ms)| self.time_ms.saturating_sub(**sealed_ms) >= grace_ms);
        Missing {
            skipped: skipped.into_iter().map(|(job, _)| LogFault::AuditSkipped(*job)).collect(),
            open: open.len() as u64,
        }
    }

    fn answer(&mut self, index: u64, answer: AnswerEntry) -> Result<(), LogFault> {
        self.summary.answers += 1;
        let AnswerEntry { job, epoch, q_ppm, .. } = answer;
        let is_first = self.answered.insert(job);
        if q_ppm > 0 {
            self.unsealed.push(answer);
        }
        match () {
            () if !is_first => Err(LogFault::AnswerTwice(job)),
            () if q_ppm == 0 => Ok(()),
            () if !self.epochs.contains_key(&epoch) => Err(LogFault::NoEpoch { index, epoch }),
            () if self.secrets.contains_key(&epoch) => Err(LogFault::AfterClose { index, epoch }),
            () => Ok(()),
        }
    }

    fn seal(&mut self, time_ms: u64) {
        self.summary.seals += 1;
        self.time_ms = self.time_ms.max(time_ms);
        for answer in std::mem::take(&mut self.unsealed) {
            let sealed = Sealed { answer, time_ms };
            match self.secrets.get(&sealed.answer.epoch).copied() {
                Some(secret) => self.draw(secret, sealed),
                None => self.sealed.entry(sealed.answer.epoch).or_default().push(sealed),
            }
        }
    }

    /// Repeats the draws of an epoch.
    fn close(&mut self, index: u64, epoch: u64, secret: Bytes32) -> Result<(), LogFault> {
        self.summary.epochs_closed += 1;
        if self.epochs.get(&epoch) != Some(&commitment(secret)) {
            return Err(LogFault::WrongSecret { index, epoch });
        }
        self.secrets.insert(epoch, secret);
        let sealed = self.sealed.remove(&epoch).unwrap_or_default();
        sealed.into_iter().for_each(|sealed| self.draw(secret, sealed));
        Ok(())
    }

    fn draw(&mut self, secret: Bytes32, Sealed { answer, time_ms }: Sealed) {
        self.summary.draws += 1;
        if is_drawn(secret, answer.job, answer.link, answer.q_ppm) {
            self.summary.drawn += 1;
            self.due.insert(answer.job, time_ms);
        }
    }

    fn ledger_head(&mut self, index: u64, journals: u64, head: Bytes32) -> Result<(), LogFault> {
        self.summary.ledger_heads += 1;
        let before = self.ledger.replace((journals, head));
        match before {
            Some((before, _)) if journals < before => {
                Err(LogFault::JournalsShrank { index, before, after: journals })
            }
            Some((before, known)) if journals == before && known != head => {
                Err(LogFault::JournalsForked { index, journals })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;

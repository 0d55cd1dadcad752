//! Follows a log from outside: every entry is read, the tree is grown again, and the draws are repeated.

mod fault;
mod receipt;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use assay_protocol::{Bytes32, JobId};

use super::{
    Entry, Hash,
    draw::{Draw, commitment, is_drawn},
    entry::{AnswerEntry, AuditResult, DrawEntry, LedgerHead},
    merkle::{Tree, leaf_hash},
};

pub use fault::LogFault;
pub use receipt::Told;

/// What an auditor knows of a log after reading it from its first entry.
#[derive(Clone, Debug, Default)]
pub struct Follower {
    tree: Tree,
    /// The gateway's, if its signatures over heads of the ledger are to be checked.
    key: Option<Bytes32>,
    answered: BTreeSet<JobId>,
    /// Draws of the batch that is not sealed yet.
    unsealed: Vec<DrawEntry>,
    /// All draws so far.
    drawn_for: BTreeMap<Round, DrawEntry>,
    /// Sealed draws of each epoch whose secret is not out.
    sealed: BTreeMap<u64, Vec<Sealed>>,
    /// When each epoch starts …
    starts_ms: BTreeMap<u64, u64>,
    /// … what it committed to …
    epochs: BTreeMap<u64, Bytes32>,
    /// … unless no seal covers that yet …
    fresh: BTreeSet<u64>,
    /// … and its secret, once it is out.
    secrets: BTreeMap<u64, Bytes32>,
    /// Audits that were drawn, with the time of the seal over their answer.
    due: BTreeMap<Round, u64>,
    /// What the log says of each audit, and what that rests on.
    done: BTreeMap<Round, (AuditResult, Bytes32)>,
    ledger: Option<LedgerHead>,
    summary: Summary,
    /// Of the last seal.
    time_ms: u64,
}

#[derive(Clone, Debug)]
struct Sealed {
    round: Round,
    draw: Draw,
    time_ms: u64,
}

/// A job, and which set of nodes answered it.
type Round = (JobId, u8);

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub answers: u64,
    /// Of these: scored, failed, or never to be audited; their receipts say which.
    pub undrawn: u64,
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
    /// Draws that nobody can repeat yet, as their epoch's secret is not out.
    pub undisclosed: u64,
}

impl Follower {
    /// Checks heads of the ledger against this key, too.
    pub fn of_gateway(key: Bytes32) -> Self {
        Self { key: Some(key), ..Self::default() }
    }

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
            Entry::Answer(answer) => self.answer(&answer),
            Entry::Draw(draw) => self.draws(index, draw),
            Entry::Audit(audit) => {
                self.summary.audits += 1;
                self.done.entry((audit.job, audit.round)).or_insert((audit.result, audit.evidence));
                Ok(())
            }
            Entry::EpochOpened { epoch, starts_ms, commitment } => {
                self.starts_ms.entry(epoch).or_insert(starts_ms);
                self.fresh.insert(epoch);
                match self.epochs.insert(epoch, commitment) {
                    Some(_) => Err(LogFault::EpochTwice { index, epoch }),
                    None => Ok(()),
                }
            }
            Entry::EpochClosed { epoch, secret } => self.close(index, epoch, secret),
            Entry::LedgerHead(head) => self.ledger_head(index, head),
            Entry::Seal { root, time_ms } => {
                let is_later = time_ms >= self.time_ms;
                self.seal(time_ms);
                match before {
                    Some(before) if before != root => Err(LogFault::WrongSeal(index)),
                    _ if !is_later => Err(LogFault::TimeBackwards { index }),
                    _ => Ok(()),
                }
            }
        }
    }

    /// What is not there at this time, which is the last seal's at least: audits whose answer was sealed more than
    /// `grace_ms` ago were skipped, and secrets of epochs that ended more than that ago are withheld; others may still
    /// come.
    pub fn missing(&self, now_ms: u64, grace_ms: u64) -> Missing {
        let now_ms = now_ms.max(self.time_ms);
        let is_late = |since_ms: u64| now_ms.saturating_sub(since_ms) >= grace_ms;
        let is_done = |round: &Round| {
            self.done.get(round).is_some_and(|(result, _)| *result != AuditResult::Dropped)
        };
        let missing = self.due.iter().filter(|(round, _)| !is_done(round));
        let (late, open): (Vec<_>, Vec<_>) =
            missing.partition(|(_, sealed_ms)| is_late(**sealed_ms));
        let mut skipped: Vec<LogFault> =
            late.into_iter().map(|(round, _)| self.fault_of(round)).collect();
        let mut undisclosed = 0;
        for (epoch, draws) in &self.sealed {
            let draws = draws.len() as u64;
            undisclosed += draws;
            let next_starts_ms = self.starts_ms.range(epoch + 1..).next().map(|(_, start)| *start);
            if next_starts_ms.is_some_and(is_late) {
                skipped.push(LogFault::SecretWithheld { epoch: *epoch, draws });
            }
        }
        Missing { skipped, open: open.len() as u64, undisclosed }
    }

    fn fault_of(&self, round: &Round) -> LogFault {
        match self.done.get(round) {
            Some((AuditResult::Dropped, _)) => LogFault::AuditDropped(round.0),
            _ => LogFault::AuditSkipped(round.0),
        }
    }

    fn answer(&mut self, answer: &AnswerEntry) -> Result<(), LogFault> {
        self.summary.answers += 1;
        self.summary.undrawn += u64::from(answer.q_ppm == 0);
        let AnswerEntry { job, link, epoch, q_ppm, .. } = *answer;
        let first = (job, 0);
        let fits = |draw: &DrawEntry| (draw.link, draw.epoch, draw.q_ppm) == (link, epoch, q_ppm);
        let mut draws = self.drawn_for.range(first..=(job, u8::MAX)).map(|(_, draw)| draw);
        let drawn = q_ppm == 0 || draws.any(fits);
        match () {
            () if !self.answered.insert(job) => Err(LogFault::AnswerTwice(job)),
            () if !drawn => Err(LogFault::NeverDrawn(job)),
            () => Ok(()),
        }
    }

    fn draws(&mut self, index: u64, draw: DrawEntry) -> Result<(), LogFault> {
        let DrawEntry { job, round, epoch, .. } = draw;
        if self.drawn_for.contains_key(&(job, round)) {
            return Err(LogFault::DrawnTwice { index, job, round });
        }
        self.drawn_for.insert((job, round), draw.clone());
        self.unsealed.push(draw);
        match () {
            () if !self.epochs.contains_key(&epoch) => Err(LogFault::NoEpoch { index, epoch }),
            () if self.fresh.contains(&epoch) => Err(LogFault::Unsealed { index, epoch }),
            () if self.secrets.contains_key(&epoch) => Err(LogFault::AfterClose { index, epoch }),
            () => Ok(()),
        }
    }

    /// The seal is in the tree: its root is that of the checkpoint which covers the batch.
    fn seal(&mut self, time_ms: u64) {
        self.summary.seals += 1;
        self.time_ms = self.time_ms.max(time_ms);
        self.fresh.clear();
        let checkpoint = self.tree.root();
        for DrawEntry { job, round, link, epoch, q_ppm, .. } in std::mem::take(&mut self.unsealed) {
            let draw = Draw { job, link, checkpoint, q_ppm };
            let sealed = Sealed { round: (job, round), draw, time_ms };
            match self.secrets.get(&epoch).copied() {
                Some(secret) => self.draw(secret, sealed),
                None => self.sealed.entry(epoch).or_default().push(sealed),
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

    fn draw(&mut self, secret: Bytes32, Sealed { round, draw, time_ms }: Sealed) {
        self.summary.draws += 1;
        if is_drawn(secret, &draw) {
            self.summary.drawn += 1;
            self.due.insert(round, time_ms);
        }
    }

    fn ledger_head(&mut self, index: u64, head: LedgerHead) -> Result<(), LogFault> {
        self.summary.ledger_heads += 1;
        let signed = self.key.is_none_or(|key| head.is_by(key));
        let (journals, chain) = (head.journals, head.chain);
        let before = self.ledger.replace(head);
        match before {
            _ if !signed => Err(LogFault::HeadUnsigned(index)),
            Some(before) if journals < before.journals => {
                Err(LogFault::JournalsShrank { index, before: before.journals, after: journals })
            }
            Some(before) if journals == before.journals && before.chain != chain => {
                Err(LogFault::JournalsForked { index, journals })
            }
            _ => Ok(()),
        }
    }
}

//! Replays all that was ever posted and compares it with what the database says; names the first wrong
//! thing.

mod chain;
mod shape;

use std::{
    collections::HashMap,
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

use assay_ledger::{AccountId, Bucket, Nano, PostingKind};
use futures_util::future::{try_join, try_join_all};
use serde::Serialize;

use crate::db::{
    Db, DbError,
    checks::{BalanceRow, CHECKS, Check, JournalRow, MISSING, ORPHANS, Snapshot},
};

use chain::Seals;
use shape::Shape;

/// What was looked at, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    pub journals: u64,
    pub entries: u64,
    /// Accounts that keep a balance.
    pub accounts: u64,
    pub jobs: u64,
    pub holds_open: u64,
    pub holds_ended: u64,
    /// Journals that the hash chain covers.
    pub sealed: u64,
    /// The chain's signed head: compare it with one that was published.
    pub head: Option<String>,
    /// All credit that was granted.
    pub granted: Nano,
    /// What came in from outside, less what went out.
    pub paid_in: Nano,
    /// What the gateway has earned.
    pub fees: Nano,
    /// The verification reserve.
    pub reserve: Nano,
    /// The first wrong thing; nothing where the books are clean.
    pub fault: Option<Fault>,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The check that found it: a stable code.
    pub check: &'static str,
    /// A sentence that names what is wrong.
    pub message: String,
}

/// Rows read at once.
const ROWS_PER_FETCH: i64 = 2000;
/// Connections that ask the checks, beside the one that replays.
const ASKING: usize = 2;

/// Audits the database: replays one moment of it, and asks at the same time whether the rows say what was posted.
///
/// # Errors
/// When the database cannot be reached. Wrong books are no error but a [`Fault`] in the report, and so are books that
/// cannot be read.
pub async fn audit(db: &Db) -> Result<AuditReport, DbError> {
    match try_join(replay(db), ask_all(db)).await {
        Ok((mut replay, asked)) => {
            if let Some(fault) = asked {
                replay.fault(fault.check, fault.message);
            }
            Ok(replay.finish())
        }
        Err(error) if error.is_temporary() => Err(error),
        Err(error) => {
            let fault = Fault { check: "unreadable", message: error.to_string() };
            Ok(AuditReport { fault: Some(fault), ..AuditReport::default() })
        }
    }
}

async fn replay(db: &Db) -> Result<Replay, DbError> {
    let mut snapshot = Snapshot::of(db).await?;
    let mut replay = Replay::default();
    replay.journals(&mut snapshot).await?;
    replay.chain(&mut snapshot).await?;
    replay.balances(&mut snapshot).await?;
    replay.counts(&mut snapshot).await?;
    Ok(replay)
}

/// Asks all checks, some at once; what the first of them finds that finds anything.
async fn ask_all(db: &Db) -> Result<Option<Fault>, DbError> {
    let next = AtomicUsize::new(0);
    let found = try_join_all((0..ASKING).map(|_| ask_some(db, &next))).await?;
    Ok(found.into_iter().flatten().min_by_key(|(at, _)| *at).map(|(_, fault)| fault))
}

/// Asks those checks that nobody else has asked yet.
async fn ask_some(db: &Db, next: &AtomicUsize) -> Result<Option<(usize, Fault)>, DbError> {
    let mut snapshot = Snapshot::of(db).await?;
    let mut found = None;
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        let Some(check) = CHECKS.get(at) else { return Ok(found) };
        if let Some(fault) = snapshot.fault(check).await? {
            found = found.or(Some((at, fault)));
        }
    }
}

impl Snapshot {
    async fn fault(&mut self, check: &Check) -> Result<Option<Fault>, DbError> {
        let subject = self.first_wrong(check).await?;
        let message = |subject: String| format!("{subject} {}", check.wrong);
        Ok(subject.map(|subject| Fault { check: check.code, message: message(subject) }))
    }
}

impl AuditReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.fault.is_none()
    }
}

impl fmt::Display for AuditReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { journals, entries, accounts, jobs, .. } = self;
        writeln!(f, "{journals} journals, {entries} entries, {accounts} accounts, {jobs} jobs")?;
        writeln!(f, "{} holds open, {} ended", self.holds_open, self.holds_ended)?;
        let head = self.head.as_deref().unwrap_or("none");
        writeln!(f, "{} journals sealed, head {head}", self.sealed)?;
        let Self { granted, paid_in, fees, reserve, .. } = self;
        writeln!(f, "granted {granted}, paid in {paid_in}, fees {fees}, reserve {reserve}")?;
        match &self.fault {
            None => write!(f, "clean"),
            Some(fault) => write!(f, "WRONG ({}): {}", fault.check, fault.message),
        }
    }
}

/// Balances as the entries make them. Wide, so that even a forged entry cannot overflow them.
#[derive(Debug, Default)]
struct Replay {
    available: HashMap<AccountId, i128>,
    held: HashMap<AccountId, i128>,
    /// Journals that begin a hold, and that end one.
    holds_begun: u64,
    holds_ended: u64,
    report: AuditReport,
}

impl Replay {
    fn fault(&mut self, check: &'static str, message: String) {
        self.report.fault.get_or_insert(Fault { check, message });
    }

    /// While one page is replayed, the next one is read.
    async fn journals(&mut self, snapshot: &mut Snapshot) -> Result<(), DbError> {
        let mut seals = Seals::of(snapshot).await?;
        let mut page = snapshot.journals(i64::MIN, ROWS_PER_FETCH).await?;
        while let Some(last) = page.last().map(|journal| journal.id) {
            seals.read_to(snapshot, last).await?;
            let next = snapshot.journals(last, ROWS_PER_FETCH);
            let replayed = async {
                for journal in &page {
                    self.journal(journal, &mut seals);
                }
            };
            let (next, ()) = tokio::join!(next, replayed);
            page = next?;
        }
        seals.read_to(snapshot, i64::MAX).await?;
        if let Some(Fault { check, message }) = seals.finish() {
            self.fault(check, message);
        }
        Ok(())
    }

    fn journal(&mut self, journal: &JournalRow, seals: &mut Seals) {
        self.report.journals += 1;
        match journal.kind {
            PostingKind::Hold => self.holds_begun += 1,
            PostingKind::Settle | PostingKind::Void | PostingKind::SendOut => self.holds_ended += 1,
            PostingKind::Grant
            | PostingKind::TopUp
            | PostingKind::Correct
            | PostingKind::Forfeit => {}
        }
        let (mut sum, mut shape) = (0, Shape::of(journal.kind));
        for entry in journal.entries() {
            self.report.entries += 1;
            let Some((account, bucket, amount)) = entry else {
                self.fault("entry", format!("journal {} has an entry that cannot be", journal.id));
                continue;
            };
            sum += i128::from(amount);
            shape.take(account, bucket, amount);
            if account.is_system() && !AccountId::SYSTEM.contains(&account) {
                let message = format!("journal {} is about {account:?}, which is none", journal.id);
                self.fault("system_account", message);
            }
            let bucket = match bucket {
                Bucket::Available => &mut self.available,
                Bucket::Held => &mut self.held,
            };
            *bucket.entry(account).or_default() += i128::from(amount);
        }
        if sum != 0 {
            let message = format!("journal {} ({}) sums to {sum} nano", journal.id, journal.key);
            self.fault("journal_sum", message);
        }
        if !key_fits(journal) {
            let message =
                format!("journal {} is a {:?} under {}", journal.id, journal.kind, journal.key);
            self.fault("journal_key", message);
        }
        if !shape.fits() {
            let message = format!(
                "journal {} ({}) moves money as no {:?} does",
                journal.id, journal.key, journal.kind
            );
            self.fault("journal_shape", message);
        }
        if let Some(Fault { check, message }) = seals.journal(journal) {
            self.fault(check, message);
        }
    }

    /// Every balance equals its entries, and every entry belongs to an account.
    async fn balances(&mut self, snapshot: &mut Snapshot) -> Result<(), DbError> {
        let mut after = AccountId(i64::MIN);
        loop {
            let balances = snapshot.balances(after, ROWS_PER_FETCH).await?;
            let Some(last) = balances.last() else { break };
            after = last.account;
            for balance in &balances {
                self.balance(balance);
            }
        }
        let accounts = self.available.keys().chain(self.held.keys());
        if let Some(account) = accounts.filter(|account| !account.is_system()).min().copied() {
            self.fault("account_missing", format!("{account:?} has entries but no balance"));
        }
        Ok(())
    }

    fn balance(&mut self, balance: &BalanceRow) {
        self.report.accounts += 1;
        let BalanceRow { account, available, held } = *balance;
        let posted = (
            self.available.remove(&account).unwrap_or_default(),
            self.held.remove(&account).unwrap_or_default(),
        );
        if posted != (available.0.into(), held.0.into()) {
            let message = format!(
                "{account:?} has {} nano available and {} held, its entries make {} and {}",
                available.0, held.0, posted.0, posted.1
            );
            self.fault("balance", message);
        }
    }

    /// As many entries as the journals have, as many holds as were posted; each that there is has been looked at,
    /// so that what does not belong shows in the numbers.
    async fn counts(&mut self, snapshot: &mut Snapshot) -> Result<(), DbError> {
        let counts = snapshot.counts().await?;
        let count = |rows: i64| u64::try_from(rows).unwrap_or_default();
        self.report.jobs = count(counts.jobs);
        self.report.holds_open = count(counts.holds_open);
        self.report.holds_ended = count(counts.holds - counts.holds_open);
        let holds = (count(counts.holds), self.report.holds_ended);
        for (same, check) in [
            (self.report.entries == count(counts.entries), &ORPHANS),
            ((self.holds_begun, self.holds_ended) == holds, &MISSING),
        ] {
            if !same && let Some(fault) = snapshot.fault(check).await? {
                self.fault(fault.check, fault.message);
            }
        }
        Ok(())
    }

    /// What is left are the system's own accounts.
    fn finish(mut self) -> AuditReport {
        let sum = |account| self.available.get(&account).copied().unwrap_or_default();
        let nano = |sum: i128| i64::try_from(sum).map(Nano).unwrap_or_default();
        self.report.granted = nano(-sum(AccountId::PROMOTION));
        self.report.paid_in = nano(-sum(AccountId::OUTSIDE));
        self.report.fees = nano(sum(AccountId::FEE));
        self.report.reserve = nano(sum(AccountId::RESERVE));
        self.report
    }
}

/// Whether a journal's key is of its kind: by its key a hold begins once and ends once.
fn key_fits(journal: &JournalRow) -> bool {
    let prefix = match journal.kind {
        PostingKind::Grant => "grant:",
        PostingKind::TopUp => "top_up:",
        PostingKind::Correct => "correct:",
        PostingKind::Forfeit => "forfeit:",
        PostingKind::Hold => "hold:",
        PostingKind::Settle | PostingKind::Void | PostingKind::SendOut => "end:",
    };
    journal.key.starts_with(prefix)
}

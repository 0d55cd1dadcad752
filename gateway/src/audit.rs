//! Replays all that was ever posted and compares it with what the database says; names the first wrong
//! thing.

use std::{collections::BTreeMap, fmt};

use assay_ledger::{AccountId, Bucket, Nano, PostingKind};
use serde::Serialize;

use crate::db::{
    Db, DbError,
    checks::{BalanceRow, CHECKS, EntryRow, JournalRow, Snapshot},
};

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

/// Audits one moment of the database.
///
/// # Errors
/// When the database cannot be read. Wrong books are no error but a [`Fault`] in the report.
pub async fn audit(db: &Db) -> Result<AuditReport, DbError> {
    let mut snapshot = Snapshot::of(db).await?;
    let mut replay = Replay::default();
    replay.journals(&mut snapshot).await?;
    replay.balances(&mut snapshot).await?;
    for check in &CHECKS {
        if replay.report.fault.is_none()
            && let Some(subject) = snapshot.first_wrong(check).await?
        {
            replay.fault(check.code, format!("{subject} {}", check.wrong));
        }
    }
    let counts = snapshot.counts().await?;
    let count = |rows: i64| u64::try_from(rows).unwrap_or_default();
    Ok(AuditReport {
        jobs: count(counts.jobs),
        holds_open: count(counts.holds_open),
        holds_ended: count(counts.holds - counts.holds_open),
        ..replay.finish()
    })
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
    available: BTreeMap<AccountId, i128>,
    held: BTreeMap<AccountId, i128>,
    report: AuditReport,
}

impl Replay {
    fn fault(&mut self, check: &'static str, message: String) {
        self.report.fault.get_or_insert(Fault { check, message });
    }

    async fn journals(&mut self, snapshot: &mut Snapshot) -> Result<(), DbError> {
        let mut after = i64::MIN;
        loop {
            let journals = snapshot.journals(after, ROWS_PER_FETCH).await?;
            let Some(last) = journals.last().map(|journal| journal.id) else { return Ok(()) };
            let entries = snapshot.entries(after, last).await?;
            let mut rest = entries.as_slice();
            for journal in &journals {
                // Entries of no journal are found by a check of their own.
                let begin = rest.partition_point(|entry| entry.journal < journal.id);
                let end = rest.partition_point(|entry| entry.journal <= journal.id);
                self.journal(journal, &rest[begin..end]);
                rest = &rest[end..];
            }
            after = last;
        }
    }

    fn journal(&mut self, journal: &JournalRow, entries: &[EntryRow]) {
        self.report.journals += 1;
        let sum: i128 = entries.iter().map(|entry| i128::from(entry.amount.0)).sum();
        if sum != 0 {
            let message = format!("journal {} ({}) sums to {sum} nano", journal.id, journal.key);
            self.fault("journal_sum", message);
        }
        if !key_fits(journal) {
            let message =
                format!("journal {} is a {:?} under {}", journal.id, journal.kind, journal.key);
            self.fault("journal_key", message);
        }
        for entry in entries {
            self.report.entries += 1;
            let bucket = match entry.bucket {
                Bucket::Available => &mut self.available,
                Bucket::Held => &mut self.held,
            };
            *bucket.entry(entry.account).or_default() += i128::from(entry.amount.0);
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
        let ownerless =
            self.available.keys().chain(self.held.keys()).find(|account| !account.is_system());
        if let Some(account) = ownerless.copied() {
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
        PostingKind::Hold => "hold:",
        PostingKind::Settle | PostingKind::Void | PostingKind::SendOut => "end:",
    };
    journal.key.starts_with(prefix)
}

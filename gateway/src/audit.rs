//! Replays all that was ever posted and compares it with what the database says; names the first wrong
//! thing.

mod chain;

use std::{collections::HashMap, fmt};

use assay_ledger::{AccountId, Bucket, Nano, PostingKind};
use serde::Serialize;

use crate::db::{
    Db, DbError,
    checks::{BalanceRow, CHECKS, JournalRow, Snapshot},
};

use chain::Seals;

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

/// Audits one moment of the database.
///
/// # Errors
/// When the database cannot be read. Wrong books are no error but a [`Fault`] in the report.
pub async fn audit(db: &Db) -> Result<AuditReport, DbError> {
    let mut snapshot = Snapshot::of(db).await?;
    let mut replay = Replay::default();
    replay.journals(&mut snapshot).await?;
    replay.chain(&mut snapshot).await?;
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
        let mut sum = 0;
        for entry in journal.entries() {
            self.report.entries += 1;
            let Some((account, bucket, amount)) = entry else {
                self.fault("entry", format!("journal {} has an entry that cannot be", journal.id));
                continue;
            };
            sum += i128::from(amount);
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
        PostingKind::Forfeit => "forfeit:",
        PostingKind::Hold => "hold:",
        PostingKind::Settle | PostingKind::Void | PostingKind::SendOut => "end:",
    };
    journal.key.starts_with(prefix)
}

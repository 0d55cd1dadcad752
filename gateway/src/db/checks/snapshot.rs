//! One moment of the database, as an audit reads it.

use assay_ledger::{AccountId, Bucket, ChainLink, Nano, PostingKind};

use super::{BALANCES, BLOCKS, COUNTS, Check, JOURNALS};
use crate::db::{
    Db, DbError, seals,
    seals::Seal,
    transaction::Tx,
    value::{Record, Row, args},
};

/// A journal, with its entries as one text.
#[derive(Clone, Debug)]
pub struct JournalRow {
    pub id: i64,
    pub key: String,
    pub kind: PostingKind,
    digest: String,
    note: String,
    at_ms: i64,
    entries: String,
}

impl JournalRow {
    /// Puts the entries in the chain's order: of accounts, and of the buckets' words.
    fn put_in_order(&mut self) {
        fn key(entry: &str) -> (i64, &str) {
            let (account, rest) = entry.split_once(' ').unwrap_or((entry, ""));
            (account.parse().unwrap_or(i64::MAX), rest)
        }
        if !self.entries.split(',').is_sorted_by(|a, b| key(a) <= key(b)) {
            let mut entries: Vec<&str> = self.entries.split(',').collect();
            entries.sort_by(|a, b| key(a).cmp(&key(b)));
            self.entries = entries.join(",");
        }
    }

    /// Account, bucket and amount of each entry; nothing where the text is none that we write.
    pub fn entries(&self) -> impl Iterator<Item = Option<(AccountId, Bucket, i64)>> {
        self.entries.split(',').filter(|entry| !entry.is_empty()).map(|entry| {
            let (account, rest) = entry.split_once(' ')?;
            let (bucket, amount) = rest.split_once(' ')?;
            Some((AccountId(account.parse().ok()?), Bucket::parse(bucket)?, amount.parse().ok()?))
        })
    }

    /// As the hash chain takes it.
    pub fn link(&self) -> ChainLink<'_> {
        let Self { id, kind, at_ms, .. } = *self;
        let Self { key, digest, note, entries, .. } = self;
        ChainLink { id, key, kind, digest, note, at_ms, entries }
    }
}

/// What an account is said to have.
#[derive(Clone, Copy, Debug)]
pub struct BalanceRow {
    pub account: AccountId,
    pub available: Nano,
    pub held: Nano,
}

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub struct Counts {
    pub entries: i64,
    pub holds: i64,
    pub holds_open: i64,
    pub jobs: i64,
}

/// One moment of the database; what commits later is not seen.
#[derive(Debug)]
pub struct Snapshot(Tx);

impl Snapshot {
    pub async fn of(db: &Db) -> Result<Self, DbError> {
        db.snapshot().await.map(Self)
    }

    /// The next journals by number, at most `limit`.
    pub async fn journals(&mut self, after: i64, limit: i64) -> Result<Vec<JournalRow>, DbError> {
        self.0.all(&JOURNALS, args![after, limit]).await
    }

    /// Of each block of journal numbers, the last that is sealed and the last there is.
    pub async fn journal_blocks(&mut self) -> Result<Vec<(i64, i64)>, DbError> {
        let blocks: Vec<BlockRow> = self.0.all(&BLOCKS, args![]).await?;
        Ok(blocks.into_iter().map(|block| (block.0, block.1)).collect())
    }

    /// The next seals by the journals that they cover.
    pub async fn seals_by_first(&mut self, after: i64, limit: i64) -> Result<Vec<Seal>, DbError> {
        seals::by_first(&mut self.0, after, limit).await
    }

    /// The next seals by number.
    pub async fn seals_by_number(&mut self, after: i64, limit: i64) -> Result<Vec<Seal>, DbError> {
        seals::by_number(&mut self.0, after, limit).await
    }

    /// The keys that gateways sign heads with.
    pub async fn gateway_keys(&mut self) -> Result<Vec<(String, String)>, DbError> {
        seals::keys(&mut self.0).await
    }

    /// The next balances by account, at most `limit`.
    pub async fn balances(
        &mut self,
        after: AccountId,
        limit: i64,
    ) -> Result<Vec<BalanceRow>, DbError> {
        self.0.all(&BALANCES, args![after, limit]).await
    }

    pub async fn counts(&mut self) -> Result<Counts, DbError> {
        let counts = self.0.optional(&COUNTS, args![]).await?;
        counts.ok_or_else(|| DbError::Corrupt("nothing could be counted".into()))
    }

    /// The first subject that a check finds wrong.
    pub async fn first_wrong(&mut self, check: &Check) -> Result<Option<String>, DbError> {
        let subject: Option<Subject> = self.0.optional(check.statement, args![]).await?;
        Ok(subject.map(|subject| subject.0))
    }
}

struct Subject(String);

impl Record for Subject {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("subject").map(Self)
    }
}

struct BlockRow(i64, i64);

impl Record for BlockRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self(row.get("sealed")?, row.get("last")?))
    }
}

impl JournalRow {
    fn read_rest(row: &Row, id: i64) -> Result<Self, DbError> {
        let mut journal = Self {
            id,
            key: row.get("key")?,
            kind: row.get("kind")?,
            digest: row.get("digest")?,
            note: row.get("note")?,
            at_ms: row.get("at_ms")?,
            entries: row.get("entries")?,
        };
        journal.put_in_order();
        Ok(journal)
    }
}

impl Record for JournalRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        let id = row.get("id")?;
        Self::read_rest(row, id).map_err(|error| match error {
            DbError::Corrupt(what) => DbError::Corrupt(format!("journal {id}: {what}")),
            other => other,
        })
    }
}

impl Record for BalanceRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        let (available, held) = (row.get("available")?, row.get("held")?);
        Ok(Self { account: row.get("account")?, available, held })
    }
}

impl Record for Counts {
    fn read(row: &Row) -> Result<Self, DbError> {
        let (holds, holds_open) = (row.get("holds")?, row.get("holds_open")?);
        Ok(Self { entries: row.get("entries")?, holds, holds_open, jobs: row.get("jobs")? })
    }
}

//! What an account can read of its own money: each movement, and what its keys spent by day.

use assay_ledger::{AccountId, Bucket, Nano, PostingKind};

use super::{
    Db, DbError, KeyId, Page, Paged,
    statement::statements,
    value::{Record, Row, args},
};

statements! { "history";
    plain ENTRIES = "select entry.journal, bucket, amount, kind, key, note, at_ms from entry
        join journal on journal.id = entry.journal
        where entry.account = $1 and (entry.journal < $2 or (entry.journal = $2 and bucket > $3))
        order by entry.journal desc, bucket limit $4";
    plain KEY_DAYS = "select api_key, day, jobs, key_day.held, spent, prompt_tokens, completion_tokens
        from key_day join api_key on api_key.id = key_day.api_key
        where account = $1 and (day < $2 or (day = $2 and api_key > $3))
        order by day desc, api_key limit $4";
}

/// A movement of an account's money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovementRow {
    pub journal: i64,
    pub bucket: Bucket,
    pub amount: Nano,
    pub kind: PostingKind,
    /// `hold:JOB`, `end:JOB`, `grant:…`: what it was for.
    pub key: String,
    pub note: String,
    pub at_ms: i64,
}

/// What a key did on a day (UTC): the day on which its jobs began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyDayRow {
    pub key: KeyId,
    /// Days since 1970.
    pub day: i64,
    pub jobs: i64,
    /// Set aside for jobs that run.
    pub held: Nano,
    pub spent: Nano,
    pub prompt_tokens: i64,
    pub completion_tokens: i64,
}

/// An account's movements, the last first.
pub async fn entries(
    db: &Db,
    account: AccountId,
    page: &Page,
) -> Result<Paged<MovementRow>, DbError> {
    let (journal, bucket) = page.before_time()?;
    let rows = db.all(&ENTRIES, args![account, journal, bucket, page.fetch()]).await?;
    let cursor = |row: &MovementRow| format!("{}.{}", row.journal, row.bucket.as_str());
    Ok(Paged::cut(rows, page, cursor))
}

/// What an account's keys did, the last day first.
pub async fn key_days(
    db: &Db,
    account: AccountId,
    page: &Page,
) -> Result<Paged<KeyDayRow>, DbError> {
    let (day, key) = page.before_time()?;
    let key: i64 = if key.is_empty() { 0 } else { key.parse().map_err(|_| DbError::Cursor)? };
    let rows = db.all(&KEY_DAYS, args![account, day, key, page.fetch()]).await?;
    Ok(Paged::cut(rows, page, |row: &KeyDayRow| format!("{}.{}", row.day, row.key.0)))
}

impl Record for MovementRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            journal: row.get("journal")?,
            bucket: row.get("bucket")?,
            amount: row.get("amount")?,
            kind: row.get("kind")?,
            key: row.get("key")?,
            note: row.get("note")?,
            at_ms: row.get("at_ms")?,
        })
    }
}

impl Record for KeyDayRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            key: row.get("api_key")?,
            day: row.get("day")?,
            jobs: row.get("jobs")?,
            held: row.get("held")?,
            spent: row.get("spent")?,
            prompt_tokens: row.get("prompt_tokens")?,
            completion_tokens: row.get("completion_tokens")?,
        })
    }
}

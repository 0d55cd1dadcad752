//! API keys: only their hashes are kept, and a prefix to recognise them by.

use assay_ledger::{AccountId, Nano};
use assay_protocol::Bytes32;
use serde::Serialize;

use super::{
    Db, DbError, Page, Paged,
    engine::retried,
    statement::statements,
    value::{Record, Row, args, columns},
};

statements! { "keys";
    plain INSERT = "insert into api_key (id, account, name, prefix, hash, risk, created_ms, expires_ms,
            budget_day)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    plain FIND_BY_HASH = "select id, account, name, prefix, risk, created_ms, expires_ms, revoked_ms,
            budget_day
        from api_key where hash = $1";
    plain LIST = "select id, account, name, prefix, risk, created_ms, expires_ms, revoked_ms,
            budget_day
        from api_key where id > $1 order by id limit $2";
    plain LIST_OF_ACCOUNT = "select id, account, name, prefix, risk, created_ms, expires_ms, revoked_ms,
            budget_day
        from api_key where account = $3 and id > $1 order by id limit $2";
    plain REVOKE = "update api_key set revoked_ms = coalesce(revoked_ms, $2) where id = $1";
}

/// A key's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct KeyId(pub i64);
columns!(ints: KeyId; words: );

/// A key to keep.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub account: AccountId,
    pub name: String,
    /// The first characters, shown in lists.
    pub prefix: String,
    /// Of the whole key.
    pub hash: Bytes32,
    /// The policy of requests that name none.
    pub risk: String,
    pub created_ms: i64,
    pub expires_ms: Option<i64>,
    /// What it may spend in a day (UTC), jobs that run counted at their highest cost.
    pub budget_day: Option<Nano>,
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyRow {
    pub id: KeyId,
    pub account: AccountId,
    pub name: String,
    pub prefix: String,
    pub risk: String,
    pub created_ms: i64,
    pub expires_ms: Option<i64>,
    pub revoked_ms: Option<i64>,
    pub budget_day: Option<Nano>,
}

impl KeyRow {
    /// Whether it may be used at this time.
    pub fn is_live(&self, now_ms: i64) -> bool {
        self.revoked_ms.is_none() && self.expires_ms.is_none_or(|expires| now_ms < expires)
    }
}

/// Keeps a new key.
///
/// # Errors
/// `NotFound` when the account does not exist, `Conflict` when the hash is known.
pub async fn create(db: &Db, new: &NewKey) -> Result<KeyRow, DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        let id = KeyId(tx.next_id("api_key").await?);
        let NewKey { account, name, prefix, hash, risk, created_ms, expires_ms, budget_day } = new;
        let args =
            args![id, *account, name, prefix, *hash, risk, *created_ms, *expires_ms, *budget_day];
        tx.execute(&INSERT, args).await?;
        tx.commit().await?;
        Ok(KeyRow {
            id,
            account: *account,
            name: name.clone(),
            prefix: prefix.clone(),
            risk: risk.clone(),
            created_ms: *created_ms,
            expires_ms: *expires_ms,
            revoked_ms: None,
            budget_day: *budget_day,
        })
    })
    .await
}

/// The key with this hash, live or not: ask [`KeyRow::is_live`].
pub async fn find_by_hash(db: &Db, hash: Bytes32) -> Result<Option<KeyRow>, DbError> {
    db.optional(&FIND_BY_HASH, args![hash]).await
}

/// All keys, or an account's, by number; revoked ones too.
pub async fn list(
    db: &Db,
    account: Option<AccountId>,
    page: &Page,
) -> Result<Paged<KeyRow>, DbError> {
    let (after, fetch) = (page.after_number()?, page.fetch());
    let rows = match account {
        None => db.all(&LIST, args![after, fetch]).await?,
        Some(account) => db.all(&LIST_OF_ACCOUNT, args![after, fetch, account]).await?,
    };
    Ok(Paged::cut(rows, page, |row: &KeyRow| row.id.0.to_string()))
}

/// Ends a key for good; once more changes nothing.
///
/// # Errors
/// `NotFound`.
pub async fn revoke(db: &Db, id: KeyId, now_ms: i64) -> Result<(), DbError> {
    match db.execute(&REVOKE, args![id, now_ms]).await? {
        0 => Err(DbError::NotFound(format!("key {}", id.0))),
        _ => Ok(()),
    }
}

impl Record for KeyRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            account: row.get("account")?,
            name: row.get("name")?,
            prefix: row.get("prefix")?,
            risk: row.get("risk")?,
            created_ms: row.get("created_ms")?,
            expires_ms: row.maybe("expires_ms")?,
            revoked_ms: row.maybe("revoked_ms")?,
            budget_day: row.maybe("budget_day")?,
        })
    }
}

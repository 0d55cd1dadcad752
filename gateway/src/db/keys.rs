//! API keys: only their hashes are kept, and a prefix to recognise them by.

use assay_ledger::{AccountId, Nano};
use assay_protocol::Bytes32;
use serde::Serialize;

use super::{
    Actor, Db, DbError, Page, Paged,
    engine::retried,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args, columns},
};

statements! { "keys";
    plain INSERT = "insert into api_key (id, account, name, prefix, hash, risk, created_ms, expires_ms,
            budget_day, scopes, models, rotated_from)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    plain FIND_BY_HASH = "select id, account, name, prefix, risk, created_ms, expires_ms, revoked_ms,
            budget_day, scopes, models, last_used_ms, rotated_from
        from api_key where hash = $1";
    locking LOCK = "select id, account, name, prefix, risk, created_ms, expires_ms, revoked_ms,
            budget_day, scopes, models, last_used_ms, rotated_from
        from api_key where id = $1";
    plain LIST = "select id, account, name, prefix, risk, created_ms, expires_ms, revoked_ms,
            budget_day, scopes, models, last_used_ms, rotated_from
        from api_key where id > $1 order by id limit $2";
    plain LIST_OF_ACCOUNT = "select id, account, name, prefix, risk, created_ms, expires_ms, revoked_ms,
            budget_day, scopes, models, last_used_ms, rotated_from
        from api_key where account = $3 and id > $1 order by id limit $2";
    plain NEWEST = "select hash from api_key where revoked_ms is null order by id desc limit $1";
    plain EXPIRE = "update api_key set expires_ms = $2 where id = $1";
    plain NOTE_USE = "update api_key set last_used_ms = $2
        where id = $1 and (last_used_ms is null or last_used_ms <= $3)";
    plain REVOKE = "update api_key set revoked_ms = $2 where id = $1";
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
    /// What it may be used for: words with spaces between.
    pub scopes: String,
    /// The models that it may ask, a line each; none: all.
    pub models: String,
    /// The key whose place it takes.
    pub rotated_from: Option<KeyId>,
}

/// What is new in a key that takes another's place.
#[derive(Clone, Debug)]
pub struct Successor {
    pub prefix: String,
    pub hash: Bytes32,
    pub now_ms: i64,
    /// When the other one ends, at the latest.
    pub ends_ms: i64,
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
    pub scopes: String,
    pub models: String,
    /// To the minute.
    pub last_used_ms: Option<i64>,
    pub rotated_from: Option<KeyId>,
}

impl KeyRow {
    /// Whether it may be used at this time.
    pub fn is_live(&self, now_ms: i64) -> bool {
        self.revoked_ms.is_none() && self.expires_ms.is_none_or(|expires| now_ms < expires)
    }
}

/// The hashes of the keys that were made last and are not revoked.
pub async fn newest(db: &Db, limit: i64) -> Result<Vec<Bytes32>, DbError> {
    let rows = db.all::<Hash>(&NEWEST, args![limit]).await?;
    Ok(rows.into_iter().map(|Hash(hash)| hash).collect())
}

/// An admin makes a key.
///
/// # Errors
/// `NotFound` when the account does not exist, `Conflict` when the hash is known.
pub async fn create(db: &Db, new: &NewKey, by: &Actor) -> Result<KeyRow, DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        let row = insert(&mut tx, new).await?;
        let detail = format!("account {}, {}…", row.account, row.prefix);
        by.did(&mut tx, "key.create", row.id.0, detail).await?;
        tx.commit().await?;
        Ok(row)
    })
    .await
}

/// An admin makes a key that may do what this one may, and ends this one.
///
/// # Errors
/// `NotFound`; `Conflict` when it has ended already, or the hash is known.
pub async fn rotate(
    db: &Db,
    old: KeyId,
    successor: &Successor,
    by: &Actor,
) -> Result<KeyRow, DbError> {
    let Successor { prefix, hash, now_ms, ends_ms } = successor;
    retried(async || {
        let mut tx = db.begin().await?;
        let row: Option<KeyRow> = tx.optional(&LOCK, args![old]).await?;
        let row = row.ok_or_else(|| DbError::NotFound(format!("key {}", old.0)))?;
        if !row.is_live(*now_ms) {
            return Err(DbError::Conflict(format!("key {} has ended", old.0)));
        }
        let ends_ms = row.expires_ms.unwrap_or(i64::MAX).min(*ends_ms);
        tx.execute(&EXPIRE, args![old, ends_ms]).await?;
        let new = NewKey {
            account: row.account,
            name: row.name,
            prefix: prefix.clone(),
            hash: *hash,
            risk: row.risk,
            created_ms: *now_ms,
            expires_ms: row.expires_ms,
            budget_day: row.budget_day,
            scopes: row.scopes,
            models: row.models,
            rotated_from: Some(old),
        };
        let row = insert(&mut tx, &new).await?;
        let detail = format!("to key {}, {}…", row.id.0, row.prefix);
        by.did(&mut tx, "key.rotate", old.0, detail).await?;
        tx.commit().await?;
        Ok(row)
    })
    .await
}

async fn insert(tx: &mut Tx, new: &NewKey) -> Result<KeyRow, DbError> {
    let id = KeyId(tx.next_id("api_key").await?);
    let NewKey { account, name, prefix, hash, risk, created_ms, expires_ms, .. } = new;
    let NewKey { budget_day, scopes, models, rotated_from, .. } = new;
    let args = args![
        id,
        *account,
        name,
        prefix,
        *hash,
        risk,
        *created_ms,
        *expires_ms,
        *budget_day,
        scopes,
        models,
        *rotated_from
    ];
    tx.execute(&INSERT, args).await?;
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
        scopes: scopes.clone(),
        models: models.clone(),
        last_used_ms: None,
        rotated_from: *rotated_from,
    })
}

/// Notes that a key was used, unless that was noted less than `each_ms` ago.
pub async fn note_use(db: &Db, id: KeyId, now_ms: i64, each_ms: i64) -> Result<(), DbError> {
    db.execute(&NOTE_USE, args![id, now_ms, now_ms.saturating_sub(each_ms)]).await?;
    Ok(())
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

/// An admin ends a key for good; once more changes nothing.
///
/// # Errors
/// `NotFound`.
pub async fn revoke(db: &Db, id: KeyId, by: &Actor) -> Result<(), DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        let row: Option<KeyRow> = tx.optional(&LOCK, args![id]).await?;
        let row = row.ok_or_else(|| DbError::NotFound(format!("key {}", id.0)))?;
        if row.revoked_ms.is_some() {
            return Ok(());
        }
        tx.execute(&REVOKE, args![id, by.at_ms]).await?;
        by.did(&mut tx, "key.revoke", id.0, "").await?;
        tx.commit().await
    })
    .await
}

/// Of a key.
struct Hash(Bytes32);

impl Record for Hash {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self(row.get("hash")?))
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
            scopes: row.get("scopes")?,
            models: row.get("models")?,
            last_used_ms: row.maybe("last_used_ms")?,
            rotated_from: row.maybe("rotated_from")?,
        })
    }
}

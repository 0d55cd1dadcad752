//! Answers to requests with an idempotency key, and who works on those that are not there yet. A key belongs to its
//! account. Whoever begins owns the key until the answer is kept or forgotten, its lease is lost or its time is over.

use assay_ledger::AccountId;
use assay_protocol::Bytes32;
use uuid::Uuid;

use super::{
    Db, DbError, LeaseId,
    statement::statements,
    value::{Record, Row, args},
};

statements! { "kept_answers";
    plain BEGIN = "insert into kept_answer (account, key, digest, owner, lease, until_ms, created_ms)
        select cast($1 as bigint), cast($2 as text), cast($3 as text), cast($4 as text),
            cast($5 as bigint), now_ms + cast($6 as bigint), now_ms from clock where true
        on conflict (account, key) do nothing";
    plain FIND = "select digest, owner, answer, case when lease.state = 'held'
            and kept_answer.until_ms > (select now_ms from clock) then cast(1 as bigint) else cast(0 as bigint) end as alive
        from kept_answer left join lease on lease.id = kept_answer.lease
        where account = $1 and key = $2";
    plain TAKE_OVER = "update kept_answer set digest = $3, owner = $4, lease = $5,
            until_ms = (select now_ms from clock) + $6, created_ms = (select now_ms from clock)
        where account = $1 and key = $2 and owner = $7 and answer is null";
    plain KEEP = "update kept_answer set answer = $4
        where account = $1 and key = $2 and owner = $3 and answer is null";
    plain FORGET = "delete from kept_answer
        where account = $1 and key = $2 and owner = $3 and answer is null";
    plain PRUNE = "delete from kept_answer where created_ms < (select now_ms from clock) - $1
        and (answer is not null or until_ms < (select now_ms from clock))";
    plain PRUNE_MANY = "delete from kept_answer where answer is not null and (account, key) in
        (select account, key from (select account, key, row_number() over
            (partition by account order by created_ms desc, key) as place from kept_answer) as placed
        where place > $1)";
}

/// A request under a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyedRequest {
    pub account: AccountId,
    /// SHA-256 of the client's key.
    pub key: Bytes32,
    /// SHA-256 of all that decides the answer.
    pub digest: Bytes32,
    /// Names this very try.
    pub owner: Uuid,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// The key is this try's own now.
    Own,
    /// Somebody works on the same request.
    Running,
    /// It was answered so; empty when the answer was too long to keep.
    Answered(String),
    /// The key was used for another request.
    Other,
}

struct Found {
    digest: Bytes32,
    owner: String,
    answer: Option<String>,
    alive: bool,
}

/// Takes the key, for `lasts_ms` at most, unless somebody has it.
pub async fn begin(
    db: &Db,
    request: &KeyedRequest,
    lease: LeaseId,
    lasts_ms: i64,
) -> Result<Begun, DbError> {
    let KeyedRequest { account, key, digest, owner } = *request;
    let owner = owner.to_string();
    if db.execute(&BEGIN, args![account, key, digest, &owner, lease, lasts_ms]).await? == 1 {
        return Ok(Begun::Own);
    }
    // Who had it may have let go of it just now: then whoever asks again gets it.
    let Some(found) = db.optional::<Found>(&FIND, args![account, key]).await? else {
        return Ok(Begun::Running);
    };
    match found.answer {
        Some(_) if found.digest != digest => Ok(Begun::Other),
        Some(answer) => Ok(Begun::Answered(answer)),
        None if found.alive && found.digest != digest => Ok(Begun::Other),
        None if found.alive => Ok(Begun::Running),
        None => {
            let taken = args![account, key, digest, &owner, lease, lasts_ms, &found.owner];
            let taken = db.execute(&TAKE_OVER, taken).await? == 1;
            Ok(if taken { Begun::Own } else { Begun::Running })
        }
    }
}

/// Keeps the answer. False when the key is somebody else's meanwhile: then this one must not be charged.
pub async fn keep(db: &Db, request: &KeyedRequest, answer: String) -> Result<bool, DbError> {
    let KeyedRequest { account, key, owner, .. } = *request;
    Ok(db.execute(&KEEP, args![account, key, owner.to_string(), answer]).await? == 1)
}

/// Frees the key: there is no answer.
pub async fn forget(db: &Db, request: &KeyedRequest) -> Result<(), DbError> {
    let KeyedRequest { account, key, owner, .. } = *request;
    db.execute(&FORGET, args![account, key, owner.to_string()]).await?;
    Ok(())
}

/// Drops what is older than this, and of each account what is beyond its newest rows.
pub async fn prune(db: &Db, age_ms_max: i64, rows_max: u32) -> Result<u64, DbError> {
    let old = db.execute(&PRUNE, args![age_ms_max]).await?;
    Ok(old + db.execute(&PRUNE_MANY, args![rows_max]).await?)
}

impl Record for Found {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            digest: row.get("digest")?,
            owner: row.get("owner")?,
            answer: row.maybe("answer")?,
            alive: row.get("alive")?,
        })
    }
}

//! How operators log in: one secret each, and families of refresh tokens. A token renews a log-in once; one
//! that is used again was stolen from somebody, so its whole family ends. Whoever asks again at once, before the next token was
//! used, may have lost the answer.

use assay_protocol::Bytes32;

use super::{
    Actor, Db, DbError, OperatorId,
    engine::retried,
    statement::statements,
    transaction::Tx,
    value::{Count, Record, Row, args},
};

statements! { "logins";
    plain SET_SECRET = "insert into operator_login (operator, secret_hash, created_ms) values ($1, $2, $3)
        on conflict (operator) do update set secret_hash = excluded.secret_hash,
            created_ms = excluded.created_ms";
    // Nobody replaces the secret while a log-in with it begins.
    locking LOCK_SECRET = "select operator from operator_login where secret_hash = $1";
    plain INSERT_FAMILY = "insert into login_family (id, operator, created_ms, expires_ms, reason)
        values ($1, $2, $3, $4, '')";
    plain INSERT_TOKEN = "insert into refresh_token (token_hash, family, created_ms) values ($1, $2, $3)
        on conflict do nothing";
    plain USED_AFTER = "select count(*) as number from refresh_token
        where family = $1 and created_ms >= $2 and used_ms is not null and token_hash <> $3";
    locking LOCK_TOKEN = "select family, used_ms from refresh_token where token_hash = $1";
    locking LOCK_FAMILY = "select operator, expires_ms, revoked_ms from login_family where id = $1";
    plain USE_TOKEN = "update refresh_token set used_ms = $2 where token_hash = $1";
    plain REVOKE = "update login_family set revoked_ms = $2, reason = $3 where id = $1 and revoked_ms is null";
    plain REVOKE_ALL = "update login_family set revoked_ms = $2, reason = $3
        where operator = $1 and revoked_ms is null";
    plain FAMILY = "select operator, expires_ms, revoked_ms from login_family where id = $1";
}

/// So long a token that was used may be used again, if what came of it was not used yet.
pub const GRACE_MS: i64 = 30_000;

/// A log-in to keep; of its token only the hash.
#[derive(Clone, Debug)]
pub struct NewLogin {
    /// Names the log-in and everything renewed from it.
    pub family: String,
    /// Of the secret that proved who it is.
    pub secret_hash: Bytes32,
    pub token_hash: Bytes32,
    pub created_ms: i64,
    pub expires_ms: i64,
}

/// A log-in that was renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    pub operator: OperatorId,
    pub family: String,
}

/// Why a refresh token renews nothing.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    #[error("this is no refresh token of this gateway")]
    Unknown,
    #[error("this log-in has ended: log in again")]
    Ended,
    #[error("this refresh token was used before, so this log-in has been ended: log in again")]
    Reused,
    #[error(transparent)]
    Store(#[from] DbError),
}

/// An admin gives an operator a secret to log in with; an older one does not count any more, and log-ins that were
/// made with it end.
///
/// # Errors
/// `NotFound` when there is no such operator.
pub async fn set_secret(
    db: &Db,
    operator: OperatorId,
    secret_hash: Bytes32,
    by: &Actor,
) -> Result<(), DbError> {
    let now_ms = by.at_ms;
    retried(async || {
        let mut tx = db.begin().await?;
        insert_secret(&mut tx, operator, secret_hash, now_ms).await?;
        tx.execute(&REVOKE_ALL, args![operator, now_ms, "the secret was replaced"]).await?;
        by.did(&mut tx, "operator.secret", operator.0, "a new secret").await?;
        tx.commit().await
    })
    .await
}

pub(super) async fn insert_secret(
    tx: &mut Tx,
    operator: OperatorId,
    secret_hash: Bytes32,
    now_ms: i64,
) -> Result<(), DbError> {
    tx.execute(&SET_SECRET, args![operator, secret_hash, now_ms]).await?;
    Ok(())
}

/// Keeps a log-in; whose it is. Nothing where the secret is nobody's, or not any more: one that is replaced at
/// this moment either begins no log-in, or that log-in ends with it.
pub async fn begin(db: &Db, new: &NewLogin) -> Result<Option<OperatorId>, DbError> {
    let NewLogin { family, secret_hash, token_hash, created_ms, expires_ms } = new;
    retried(async || {
        let mut tx = db.begin().await?;
        let found: Option<Operator> = tx.optional(&LOCK_SECRET, args![*secret_hash]).await?;
        let Some(Operator(operator)) = found else { return Ok(None) };
        tx.execute(&INSERT_FAMILY, args![family, operator, *created_ms, *expires_ms]).await?;
        tx.execute(&INSERT_TOKEN, args![*token_hash, family, *created_ms]).await?;
        tx.commit().await?;
        Ok(Some(operator))
    })
    .await
}

/// Uses a refresh token up for the next one. Again for whoever asks twice within moments, as long as nobody has used the
/// next one: the first answer was lost, or two windows asked at once.
pub async fn renew(
    db: &Db,
    token_hash: Bytes32,
    next_hash: Bytes32,
    now_ms: i64,
) -> Result<Renewed, RenewError> {
    retried(async || {
        let mut tx = db.begin().await?;
        let renewed = rotate(&mut tx, token_hash, next_hash, now_ms).await?;
        // Also when it was used again: the end of its family must stay.
        tx.commit().await?;
        Ok(renewed)
    })
    .await?
}

/// The inner error is the caller's.
async fn rotate(
    tx: &mut Tx,
    token_hash: Bytes32,
    next_hash: Bytes32,
    now_ms: i64,
) -> Result<Result<Renewed, RenewError>, DbError> {
    let Some(token) = tx.optional::<Token>(&LOCK_TOKEN, args![token_hash]).await? else {
        return Ok(Err(RenewError::Unknown));
    };
    let family: Option<Family> = tx.optional(&LOCK_FAMILY, args![&token.family]).await?;
    let family = family.ok_or_else(|| DbError::Corrupt("a token without a family".into()))?;
    if let Some(used_ms) = token.used_ms {
        let since = args![&token.family, used_ms, token_hash];
        let used_after: Option<Count> = tx.optional(&USED_AFTER, since).await?;
        let last = used_after.is_some_and(|used| used.0 == 0);
        if !last || now_ms.saturating_sub(used_ms) > GRACE_MS {
            let reason = "a refresh token was used twice";
            tx.execute(&REVOKE, args![&token.family, now_ms, reason]).await?;
            return Ok(Err(RenewError::Reused));
        }
    }
    if !family.is_live(now_ms) {
        return Ok(Err(RenewError::Ended));
    }
    if token.used_ms.is_none() {
        tx.execute(&USE_TOKEN, args![token_hash, now_ms]).await?;
    }
    tx.execute(&INSERT_TOKEN, args![next_hash, &token.family, now_ms]).await?;
    Ok(Ok(Renewed { operator: family.operator, family: token.family }))
}

/// Ends a log-in.
pub async fn revoke(db: &Db, family: &str, reason: &str, now_ms: i64) -> Result<(), DbError> {
    db.execute(&REVOKE, args![family, now_ms, reason]).await?;
    Ok(())
}

/// Whose log-in this is, if it still counts.
pub async fn live(db: &Db, family: &str, now_ms: i64) -> Result<Option<OperatorId>, DbError> {
    let family: Option<Family> = db.optional(&FAMILY, args![family]).await?;
    Ok(family.filter(|family| family.is_live(now_ms)).map(|family| family.operator))
}

struct Operator(OperatorId);

struct Token {
    family: String,
    used_ms: Option<i64>,
}

struct Family {
    operator: OperatorId,
    expires_ms: i64,
    revoked_ms: Option<i64>,
}

impl Family {
    fn is_live(&self, now_ms: i64) -> bool {
        self.revoked_ms.is_none() && now_ms < self.expires_ms
    }
}

impl Record for Operator {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("operator").map(Self)
    }
}

impl Record for Token {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self { family: row.get("family")?, used_ms: row.maybe("used_ms")? })
    }
}

impl Record for Family {
    fn read(row: &Row) -> Result<Self, DbError> {
        let (operator, expires_ms) = (row.get("operator")?, row.get("expires_ms")?);
        Ok(Self { operator, expires_ms, revoked_ms: row.maybe("revoked_ms")? })
    }
}

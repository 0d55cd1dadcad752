//! The secrets that audits are drawn with, each for a stretch of time.

use assay_protocol::Bytes32;

use super::{
    Db, DbError,
    statement::statements,
    value::{Record, Row, args},
};

statements! { "epochs";
    plain INSERT = "insert into audit_epoch (gateway, number, secret, commitment, from_ms, to_ms)
        values ($1, $2, $3, $4, $5, $6) on conflict do nothing";
    plain LAST = "select number, secret, commitment, from_ms, to_ms from audit_epoch
        where gateway = $1 order by number desc limit $2";
    plain BEFORE = "select number, secret, commitment, from_ms, to_ms from audit_epoch
        where gateway = $1 and number < $2 order by number desc limit $3";
}

/// One epoch of a gateway; they follow each other without a gap while the gateway runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    pub number: i64,
    pub secret: Bytes32,
    /// The secret's hash, which is public before the epoch begins.
    pub commitment: Bytes32,
    pub from_ms: i64,
    pub to_ms: i64,
}

/// Keeps a new epoch; one of the same number that is there already stays.
pub async fn insert(db: &Db, gateway: &str, epoch: &Epoch) -> Result<(), DbError> {
    let Epoch { number, secret, commitment, from_ms, to_ms } = epoch;
    let args = args![gateway, *number, *secret, *commitment, *from_ms, *to_ms];
    db.execute(&INSERT, args).await?;
    Ok(())
}

/// The newest epochs, the last first.
pub async fn last(db: &Db, gateway: &str, limit: i64) -> Result<Vec<Epoch>, DbError> {
    db.all(&LAST, args![gateway, limit]).await
}

/// The epochs before this number, the last first.
pub async fn before(
    db: &Db,
    gateway: &str,
    number: i64,
    limit: i64,
) -> Result<Vec<Epoch>, DbError> {
    db.all(&BEFORE, args![gateway, number, limit]).await
}

impl Record for Epoch {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            number: row.get("number")?,
            secret: row.get("secret")?,
            commitment: row.get("commitment")?,
            from_ms: row.get("from_ms")?,
            to_ms: row.get("to_ms")?,
        })
    }
}

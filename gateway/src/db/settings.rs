//! Values that are made once and kept: the gateway's id, hashes of its secrets.

use super::{
    Actor, Db, DbError,
    engine::retried,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "settings";
    plain INSERT = "insert into setting (key, value) values ($1, $2) on conflict do nothing";
    plain FIND = "select value from setting where key = $1";
    plain SET = "insert into setting (key, value) values ($1, $2)
        on conflict (key) do update set value = excluded.value";
}

struct Value(String);

impl Record for Value {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("value").map(Self)
    }
}

/// The stored value; the given one if there is none yet. All who ask at once get the same.
pub async fn get_or_insert(db: &Db, key: &str, value: &str) -> Result<String, DbError> {
    db.execute(&INSERT, args![key, value]).await?;
    let value = get(db, key).await?;
    value.ok_or_else(|| DbError::Corrupt(format!("setting {key} is gone")))
}

/// The stored value.
pub async fn get(db: &Db, key: &str) -> Result<Option<String>, DbError> {
    Ok(db.optional::<Value>(&FIND, args![key]).await?.map(|value| value.0))
}

/// The stored value, as this transaction sees it.
pub(super) async fn get_in(tx: &mut Tx, key: &str) -> Result<Option<String>, DbError> {
    Ok(tx.optional::<Value>(&FIND, args![key]).await?.map(|value| value.0))
}

/// Stores a value in this transaction, over an older one.
pub(super) async fn set_in(tx: &mut Tx, key: &str, value: &str) -> Result<(), DbError> {
    tx.execute(&SET, args![key, value]).await?;
    Ok(())
}

/// Stores a value, over an older one.
pub async fn set(db: &Db, key: &str, value: &str) -> Result<(), DbError> {
    db.execute(&SET, args![key, value]).await?;
    Ok(())
}

/// An admin puts a value in the place of an older one: who, what the log calls it, and its detail.
pub async fn replace(
    db: &Db,
    key: &str,
    value: &str,
    (by, action, detail): (&Actor, &'static str, &str),
) -> Result<(), DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        set_in(&mut tx, key, value).await?;
        by.did(&mut tx, action, key, detail).await?;
        tx.commit().await
    })
    .await
}

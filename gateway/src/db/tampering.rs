//! What only tests do and look at: damage that an audit must find, and notes that the next run would go by.

use assay_ledger::{AccountId, Nano};
use assay_protocol::JobId;

use super::{
    Db, DbError,
    statement::statements,
    value::{Record, Row, args},
};

statements! { "tampering";
    plain ADD = "update balance set available = available + $2 where account = $1";
    plain NOTED = "select completion_tokens from checkpoint where job = $1";
}

/// Gives an account credit that nobody posted.
pub async fn add_credit(db: &Db, account: AccountId, amount: Nano) -> Result<(), DbError> {
    db.execute(&ADD, args![account, amount]).await?;
    Ok(())
}

/// The tokens that a running job's last checkpoint says were delivered.
pub async fn noted_tokens(db: &Db, job: JobId) -> Result<Option<u32>, DbError> {
    let noted: Option<Noted> = db.optional(&NOTED, args![job]).await?;
    Ok(noted.map(|noted| noted.0))
}

struct Noted(u32);

impl Record for Noted {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("completion_tokens").map(Self)
    }
}

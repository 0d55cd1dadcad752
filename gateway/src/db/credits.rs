//! Credit that comes in.

use assay_ledger::{AccountId, Command, Nano};
use serde::Serialize;

use super::{Db, DbError, writer::Request};

/// Credit that an admin gives.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// A client's.
    pub account: AccountId,
    /// More than zero.
    pub amount: Nano,
    /// Made by whoever grants: the same key with the same account and amount grants once.
    pub key: String,
    /// Why; shown in the journal.
    pub note: String,
    pub at_ms: i64,
}

/// What came of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Granted {
    /// Whether this very grant was made before, so that nothing moved now.
    pub repeated: bool,
}

/// Grants credit, once per key.
///
/// # Errors
/// `Rejected`: `KeyConflict` when the key was used for something else, `UnknownAccount`, `WrongKind` for
/// an account that is no client's, `BadAmount`.
pub async fn grant(db: &Db, grant: &NewGrant) -> Result<Granted, DbError> {
    let NewGrant { account, amount, key, note, at_ms } = grant.clone();
    let command = Command::Grant { key, account, amount };
    let posted = db.write(Request::Post { command, note, at_ms }).await?;
    Ok(Granted { repeated: posted.repeated })
}

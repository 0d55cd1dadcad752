//! Credit that comes in.

use assay_ledger::{AccountId, Command, Nano};
use serde::Serialize;

use super::{Actor, Db, DbError, admin_log::Line, writer::Request};

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
}

/// What came of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Granted {
    /// Whether this very grant was made before, so that nothing moved now.
    pub repeated: bool,
}

/// An admin grants credit, once per key.
///
/// # Errors
/// `Rejected`: `KeyConflict` when the key was used for something else, `UnknownAccount`, `WrongKind` for
/// an account that is no client's, `BadAmount`.
pub async fn grant(db: &Db, grant: &NewGrant, by: &Actor) -> Result<Granted, DbError> {
    let NewGrant { account, amount, key, note } = grant.clone();
    let line = Line {
        actor: by.clone(),
        action: "credits.grant",
        subject: account.to_string(),
        detail: format!("{} nano, key {key}", amount.0),
    };
    let command = Command::Grant { key, account, amount };
    let posted = db.write(Request::Act { command, note, line }).await?;
    Ok(Granted { repeated: posted.repeated })
}

//! Makes API keys: the key itself goes to its owner, its hash to the store.

use assay_ledger::{AccountId, Nano};

use super::{Permissions, Secret, SecretKind};
use crate::{
    db::{
        self, Actor, Db, DbError,
        keys::{KeyId, KeyRow, NewKey, Successor},
    },
    serving::Risk,
};

/// A key that somebody wants.
#[derive(Clone, Debug)]
pub struct KeyAsk {
    pub account: AccountId,
    pub name: String,
    pub risk: Risk,
    pub expires_ms: Option<i64>,
    pub budget_day: Option<Nano>,
    pub permissions: Permissions,
}

/// An admin makes a key. The secret is shown now and never again.
///
/// # Errors
/// `NotFound` when the account does not exist.
pub async fn issue_key(db: &Db, ask: KeyAsk, by: &Actor) -> Result<(Secret, KeyRow), DbError> {
    let secret = Secret::new(SecretKind::ApiKey, rand::random());
    let new = NewKey {
        account: ask.account,
        name: ask.name,
        prefix: secret.shown_prefix().to_owned(),
        hash: secret.hash(),
        risk: ask.risk.as_str().to_owned(),
        created_ms: by.at_ms,
        expires_ms: ask.expires_ms,
        budget_day: ask.budget_day,
        scopes: ask.permissions.scopes_text(),
        models: ask.permissions.models_text(),
        rotated_from: None,
    };
    let row = db::keys::create(db, &new, by).await?;
    Ok((secret, row))
}

/// An admin makes a key that may do the same as this one, which ends at `ends_ms` if it does not end before.
///
/// # Errors
/// `NotFound`; `Conflict` when it has ended.
pub async fn rotate_key(
    db: &Db,
    old: KeyId,
    ends_ms: i64,
    by: &Actor,
) -> Result<(Secret, KeyRow), DbError> {
    let secret = Secret::new(SecretKind::ApiKey, rand::random());
    let (prefix, hash) = (secret.shown_prefix().to_owned(), secret.hash());
    let successor = Successor { prefix, hash, now_ms: by.at_ms, ends_ms };
    let row = db::keys::rotate(db, old, &successor, by).await?;
    Ok((secret, row))
}

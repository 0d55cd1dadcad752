//! The one secret that opens the admin API. No default: it is made once, or given once by whoever
//! automates the first start, and only its hash is kept.

use subtle::ConstantTimeEq;

use super::{Secret, SecretKind, secret_hash};
use crate::db::{self, Actor, Db, DbError};

const SETTING: &str = "admin_secret_sha256";
/// A given secret must be at least this long: it cannot be guessed as long as it is random.
const GIVEN_BYTES_MIN: usize = 20;

/// What a start did about the secret.
#[derive(Debug, PartialEq, Eq)]
pub enum AdminSecret {
    /// There was one.
    Kept,
    /// There was one, and another was given: the older one counts.
    KeptOverGiven,
    /// The given one counts from now on.
    Given,
    /// This one was made; it is shown now and never again.
    Made(Secret),
}

/// Why there is no admin secret.
#[derive(Debug, thiserror::Error)]
pub enum AdminSecretError {
    #[error(
        "ASSAY_ADMIN_SECRET must have at least {GIVEN_BYTES_MIN} characters; leave it out to have one made"
    )]
    TooShort,
    #[error(transparent)]
    Store(#[from] DbError),
}

impl AdminSecret {
    /// Sees to it that there is a secret.
    pub async fn establish(db: &Db, given: Option<&str>) -> Result<Self, AdminSecretError> {
        if given.is_some_and(|given| given.len() < GIVEN_BYTES_MIN) {
            return Err(AdminSecretError::TooShort);
        }
        let made = Secret::new(SecretKind::Admin, rand::random());
        let hash = given.map_or_else(|| made.hash(), secret_hash).to_string();
        let kept = db::settings::get(db, SETTING).await?;
        let stored = db::settings::get_or_insert(db, SETTING, &hash).await?;
        Ok(match given {
            _ if kept.is_some() && given.is_some() && stored != hash => Self::KeptOverGiven,
            _ if kept.is_some() || stored != hash => Self::Kept,
            Some(_) => Self::Given,
            None => Self::Made(made),
        })
    }

    /// Makes a new secret, which counts from now on; all sessions that the old one opened have ended.
    pub async fn replace(db: &Db, by: &Actor) -> Result<Secret, DbError> {
        let made = Secret::new(SecretKind::Admin, rand::random());
        let hash = made.hash().to_string();
        db::settings::replace(db, SETTING, &hash, (by, "admin.secret", "a new secret")).await?;
        Ok(made)
    }

    /// The name of the secret, if `text` is it; takes the same time however much of it is right.
    pub async fn name_of(db: &Db, text: &str) -> Result<Option<String>, DbError> {
        let Some(stored) = db::settings::get(db, SETTING).await? else { return Ok(None) };
        let given = secret_hash(text).to_string();
        let same: bool = stored.as_bytes().ct_eq(given.as_bytes()).into();
        Ok(same.then(|| name(&stored)))
    }

    /// Whether the secret of this name is the one that counts.
    pub async fn counts(db: &Db, named: &str) -> Result<bool, DbError> {
        let stored = db::settings::get(db, SETTING).await?;
        Ok(stored.is_some_and(|stored| name(&stored) == named))
    }
}

/// Nothing that helps anybody who reads it in a session: a hash of the hash.
fn name(stored: &str) -> String {
    hex::encode(&secret_hash(stored).0[..8])
}

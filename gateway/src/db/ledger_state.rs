//! Whether money may leave: a self-audit that finds the books wrong stops it, and a person lets it go on.

use super::{Db, DbError, settings};

const STOPPED: &str = "withdrawals_stopped";

/// Why no money may leave; nothing while it may.
pub async fn withdrawals_stopped(db: &Db) -> Result<Option<String>, DbError> {
    Ok(settings::get(db, STOPPED).await?.filter(|reason| !reason.is_empty()))
}

/// Lets no money leave, for this reason, until [`allow_withdrawals`]. The first reason stays.
pub async fn stop_withdrawals(db: &Db, reason: &str) -> Result<(), DbError> {
    if withdrawals_stopped(db).await?.is_none() {
        settings::set(db, STOPPED, reason).await?;
    }
    Ok(())
}

/// Lets money leave again.
pub async fn allow_withdrawals(db: &Db) -> Result<(), DbError> {
    settings::set(db, STOPPED, "").await
}

//! Whether money may leave: a self-audit that finds the books wrong stops it, and a person lets it go on.

use super::{Actor, Db, DbError, engine::retried, settings, transaction::Tx};

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

/// An admin lets money leave again; whether it could not before.
pub async fn allow_withdrawals(db: &Db, by: &Actor) -> Result<bool, DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        let Some(why) = stopped_in(&mut tx).await? else { return Ok(false) };
        settings::set_in(&mut tx, STOPPED, "").await?;
        by.did(&mut tx, "withdrawals.allow", "withdrawals", format!("stopped before: {why}"))
            .await?;
        tx.commit().await?;
        Ok(true)
    })
    .await
}

async fn stopped_in(tx: &mut Tx) -> Result<Option<String>, DbError> {
    Ok(settings::get_in(tx, STOPPED).await?.filter(|reason| !reason.is_empty()))
}

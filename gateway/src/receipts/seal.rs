//! The sealer: gives waiting entries their places, signs what the log has become, and only then shows it.

use std::time::Duration;

use tokio::time::sleep;
use tracing::error;

use super::epochs::Logged;
use crate::{
    app::App,
    clock,
    db::{self, DbError, log::ENTRIES_MAX},
};

/// Entries may come from another part of the gateway, or from before the start.
const LOOK_EACH: Duration = Duration::from_secs(5);
/// After a store that did not take a seal.
const RETRY: Duration = Duration::from_secs(2);

/// Seals until the gateway has ended its last job.
pub(crate) async fn run(app: App) {
    let batch = Duration::from_millis(app.config.receipts.seal_ms);
    let mut epochs = Logged::default();
    loop {
        if app.config.receipts.enabled
            && let Err(error) = epochs.renew(&app, clock::now_ms()).await
        {
            error!(%error, "epochs are not in the log yet");
        }
        let over = tokio::select! {
            () = app.log.news() => false,
            () = sleep(LOOK_EACH) => false,
            () = app.quiet() => true,
        };
        if !over {
            sleep(batch).await;
        }
        while let Some(pause) = seal(&app).await {
            if over {
                break;
            }
            sleep(pause).await;
        }
        if over {
            return;
        }
    }
}

/// Seals what waits; how long to wait before the next batch, or nothing when no more waits.
async fn seal(app: &App) -> Option<Duration> {
    match place(app).await {
        Ok(false) => None,
        Ok(true) => Some(Duration::ZERO),
        Err(error) => {
            error!(%error, "entries of the log are not sealed yet");
            Some(RETRY)
        }
    }
}

/// Seals one batch now. Whether more may wait. One call at a time: the sealer's, while it runs.
pub async fn place(app: &App) -> Result<bool, DbError> {
    let head = app.log.head();
    let size =
        i64::try_from(head.size()).map_err(|_| DbError::Corrupt("the log is too long".into()))?;
    let now_ms = clock::now_ms().unsigned_abs();
    let sealed = db::log::place(&app.db, app.keys.gateway_id(), size, ENTRIES_MAX, |entries| {
        let full = entries.len() as u64 == u64::from(ENTRIES_MAX);
        let (sealed, next) = head.sealed(&entries, &app.keys, now_ms)?;
        Ok((sealed, (next, full)))
    });
    let Some((next, full)) = sealed.await? else { return Ok(false) };
    metrics::gauge!("assay_log_entries").set(u32::try_from(next.size()).unwrap_or(u32::MAX));
    app.log.publish(next);
    Ok(full)
}

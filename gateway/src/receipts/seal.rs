//! The sealer: gives waiting entries their places, signs what the log has become, and only then shows it.

use std::{collections::BTreeSet, time::Duration};

use assay_verifier::log::Hash;
use tokio::time::{Instant, sleep_until};
use tracing::error;

use super::{
    draws::{self, Waiting},
    news::{Logged, commit_to, look_each},
};
use crate::{
    app::App,
    clock,
    db::{
        self, DbError,
        audits::NewAudit,
        log::{ENTRIES_MAX, WaitingEntry},
    },
};

/// After a store that did not take a seal.
const RETRY: Duration = Duration::from_secs(2);
/// Draws in one batch.
const DRAWS_MAX: usize = 512;

/// Seals until the gateway has ended its last job. Draws are waited for, so they are sealed at once; other entries
/// wait for each other.
pub(crate) async fn run(app: App) {
    let batch = Duration::from_millis(app.config.receipts.seal_ms);
    let mut logged = Logged::default();
    let mut look_at = Instant::now();
    // Entries may wait from before the start.
    let mut seal_at = Some(look_at);
    loop {
        if Instant::now() >= look_at {
            if app.config.receipts.enabled
                && let Err(error) = logged.renew(&app, clock::now_ms()).await
            {
                error!(%error, "epochs and the ledger's head are not in the log yet");
            }
            look_at = Instant::now() + look_each(&app);
        }
        let mut over = false;
        tokio::select! {
            () = app.log.drawn() => {}
            () = app.log.news() => seal_at = seal_at.or(Some(Instant::now() + batch)),
            () = sleep_until(seal_at.unwrap_or(look_at).min(look_at)) => {}
            () = app.quiet() => over = true,
        }
        while let Some(Err(error)) = place_draws(&app).await {
            // Their answers are audited.
            error!(%error, "draws are not sealed");
        }
        if over || seal_at.is_some_and(|at| at <= Instant::now()) {
            seal_at = seal(&app).await.map(|pause| Instant::now() + pause);
        }
        if over {
            return seal_the_rest(&app).await;
        }
    }
}

/// What is left at the end: nobody adds to it any more.
async fn seal_the_rest(app: &App) {
    while let Some(pause) = seal(app).await
        && pause.is_zero()
    {}
}

/// Seals one batch of what waits; how long to wait before the next one, or nothing when no more waits.
async fn seal(app: &App) -> Option<Duration> {
    let since = app.log.begin_seal();
    let placed = place_waiting(app).await;
    if placed.is_err() {
        app.log.seal_failed(since);
    }
    let lag = since.map_or(Duration::ZERO, |since| since.elapsed());
    metrics::gauge!("assay_log_seal_lag_seconds").set(lag.as_secs_f64());
    match placed {
        Ok(more) => more.then_some(Duration::ZERO),
        Err(error) => {
            error!(%error, "entries of the log are not sealed yet");
            Some(RETRY)
        }
    }
}

/// Seals one batch of all that waits now. Whether more may wait. One call at a time: the sealer's, while it runs.
pub async fn place(app: &App) -> Result<bool, DbError> {
    if let Some(placed) = place_draws(app).await {
        placed?;
    }
    place_waiting(app).await
}

/// Seals what waits in the store.
pub(super) async fn place_waiting(app: &App) -> Result<bool, DbError> {
    let entries = db::log::waiting(&app.db, app.keys.gateway_id()).await?;
    if entries.is_empty() {
        return Ok(false);
    }
    let full = entries.len() as u64 == u64::from(ENTRIES_MAX);
    write(app, entries, Vec::new()).await?;
    Ok(full)
}

/// Seals the draws that wait, in an earlier seal's company: what their epochs commit to. Nothing when there are none.
async fn place_draws(app: &App) -> Option<Result<(), DbError>> {
    // Whoever waits for a draw that is not sealed hears of it when these are dropped.
    let waiting = app.log.draws().take(DRAWS_MAX);
    if waiting.is_empty() {
        return None;
    }
    let root = match seal_draws(app, &waiting).await {
        Ok(root) => root,
        Err(error) => return Some(Err(error)),
    };
    for waiting in waiting {
        let _ = waiting.sealed.send(root);
    }
    Some(Ok(()))
}

async fn seal_draws(app: &App, waiting: &[Waiting]) -> Result<Hash, DbError> {
    let epochs: BTreeSet<i64> = waiting.iter().map(|waiting| waiting.audit.epoch).collect();
    for epoch in epochs {
        if !app.log.is_opened(epoch) {
            commit_to(app, epoch).await?;
        }
    }
    let entries = waiting.iter().map(|waiting| draws::entry(&waiting.audit)).collect();
    let audits = waiting.iter().map(|waiting| waiting.audit.clone()).collect();
    write(app, entries, audits).await
}

/// Stores a seal, then shows it; the root of its checkpoint.
async fn write(
    app: &App,
    entries: Vec<WaitingEntry>,
    audits: Vec<NewAudit>,
) -> Result<Hash, DbError> {
    app.log.settle(&app.db, &app.keys).await?;
    let now_ms = clock::now_ms().unsigned_abs();
    let (sealed, next) = app.log.head().sealed(entries, audits, &app.keys, now_ms)?;
    if let Err(error) = db::log::seal(&app.db, app.keys.gateway_id(), &sealed).await {
        app.log.doubt();
        return Err(error);
    }
    let root = next.root();
    metrics::gauge!("assay_log_entries").set(u32::try_from(next.size()).unwrap_or(u32::MAX));
    app.log.publish(next);
    Ok(root)
}

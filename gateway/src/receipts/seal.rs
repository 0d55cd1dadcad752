//! The sealer: gives waiting entries their places, signs what the log has become, and only then shows it.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::error;

use super::news::{Logged, look_each};
use crate::{
    app::App,
    clock,
    db::{
        self, DbError,
        log::{ENTRIES_MAX, NewDraw},
    },
};

/// After a store that did not take a seal.
const RETRY: Duration = Duration::from_secs(2);
/// Draws in one batch: with the epochs before them, they all get their places.
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
            () = app.log.drawn() => seal_at = Some(Instant::now()),
            () = app.log.news() => seal_at = seal_at.or(Some(Instant::now() + batch)),
            () = sleep_until(seal_at.unwrap_or(look_at).min(look_at)) => {}
            () = app.quiet() => over = true,
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

/// Seals one batch; how long to wait before the next one, or nothing when no more waits.
async fn seal(app: &App) -> Option<Duration> {
    let since = app.log.begin_seal();
    let placed = place(app).await;
    if placed.is_err() {
        app.log.seal_failed(since);
    }
    let lag = since.map_or(Duration::ZERO, |since| since.elapsed());
    metrics::gauge!("assay_log_seal_lag_seconds").set(lag.as_secs_f64());
    match placed {
        Ok(more) => (more || !app.log.draws().is_empty()).then_some(Duration::ZERO),
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
    // Whoever waits for a draw that is not sealed hears of it when these are dropped.
    let waiting = app.log.draws().take(DRAWS_MAX);
    let draws: Vec<NewDraw> = waiting.iter().map(|waiting| waiting.draw.clone()).collect();
    let sealed = db::log::place(&app.db, app.keys.gateway_id(), size, &draws, |entries| {
        let full = entries.len() as u64 == u64::from(ENTRIES_MAX);
        let (sealed, next) = head.sealed(&entries, &app.keys, now_ms)?;
        Ok((sealed, (next, full)))
    });
    let Some((next, full)) = sealed.await? else { return Ok(false) };
    let root = next.root();
    metrics::gauge!("assay_log_entries").set(u32::try_from(next.size()).unwrap_or(u32::MAX));
    app.log.publish(next);
    for waiting in waiting {
        let _ = waiting.sealed.send(root);
    }
    Ok(full)
}

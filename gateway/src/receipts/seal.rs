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

#[cfg(test)]
mod tests {
    use assay_protocol::Bytes32;
    use assay_verifier::log::follow::Follower;
    use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
    use tokio::sync::oneshot;

    use super::*;
    use crate::{app::fixtures, auth::Caller, receipts::head::Head};

    async fn draw(app: &App, caller: &Caller, epoch: i64) -> oneshot::Receiver<Hash> {
        let audit = NewAudit {
            job: fixtures::job(app, caller).await,
            round: 1,
            epoch,
            answer_hash: Bytes32([1; 32]),
            q_ppm: 50_000,
            inputs: "{}".into(),
            at_ms: 1,
        };
        let (sealed, root) = oneshot::channel();
        app.log.draws().push(Waiting { audit, sealed });
        root
    }

    /// Everything that is in the log, which has no fault.
    async fn followed(app: &App) -> Follower {
        let size = i64::try_from(app.log.head().size()).unwrap();
        let mut follower = Follower::default();
        for row in db::log::range(&app.db, app.keys.gateway_id(), 0, size).await.unwrap() {
            let fault = follower.push(&BASE64.decode(&row.entry).unwrap());
            assert_eq!(fault, Ok(()), "entry {}", row.position);
        }
        assert_eq!(follower.head().1, app.log.head().root());
        follower
    }

    #[tokio::test]
    async fn a_draw_follows_the_seal_over_what_its_epoch_commits_to() {
        let folder = tempfile::tempdir().unwrap();
        let (app, caller) = fixtures::gateway(folder.path()).await;
        let epoch = app.epochs.key(clock::now_ms()).unwrap().number;
        // Nothing was logged by now, and both come at once.
        let roots = [draw(&app, &caller, epoch).await, draw(&app, &caller, epoch).await];
        place(&app).await.unwrap();
        let root = app.log.head().root();
        for sealed in roots {
            assert_eq!(sealed.await, Ok(root), "the checkpoint that covers them");
        }
        assert_eq!(followed(&app).await.missing(0, 0).undisclosed, 2);

        let unknown = draw(&app, &caller, epoch + 100).await;
        assert!(place(&app).await.is_err(), "an epoch that nobody committed to");
        assert!(unknown.await.is_err(), "its answer is audited");
    }

    #[tokio::test]
    async fn the_sealer_asks_where_the_log_ends_when_it_does_not_know_whether_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let (app, caller) = fixtures::gateway(folder.path()).await;
        let epoch = app.epochs.key(clock::now_ms()).unwrap().number;
        let before = app.log.head();
        let _root = draw(&app, &caller, epoch).await;
        place(&app).await.unwrap();
        // As if the store had not said that it took it: what is in memory ends earlier.
        app.log.publish(Head::clone(&before));
        let _root = draw(&app, &caller, epoch).await;
        assert!(place(&app).await.is_err(), "these places are taken");
        let _root = draw(&app, &caller, epoch).await;
        place(&app).await.unwrap();
        assert_eq!(followed(&app).await.missing(0, 0).undisclosed, 2);
    }
}

//! Who owns running jobs: this run of the gateway, as long as it renews its lease. Notes how each job would
//! be settled if the gateway stopped now, and settles the jobs of runs that did stop.

mod checkpoints;
mod lease;
mod reaper;
mod unconfirmed;

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use tokio::time::{Interval, MissedTickBehavior};

use crate::app::App;

pub use checkpoints::Checkpoints;
pub use lease::Lease;
use reaper::Reaper;
pub use reaper::reap;
pub use unconfirmed::Unconfirmed;

/// How long a lease lasts without being renewed. A job of a gateway that stopped is ended within this, a
/// reaper's round and a moment for its settlement: under 20 s.
pub const LEASE_MS: i64 = 12_000;
/// Between two looks at everything; leases are renewed at each.
const ROUND: Duration = Duration::from_secs(1);
/// Rounds in a row in which the store answered, before other gateways' leases are taken for lost: after an
/// outage of the store everybody renews first.
const ROUNDS_BEFORE_REAPING: u32 = 4;
/// Between two notes of what was delivered. What a client got since the last one is not charged when the
/// gateway stops.
const CHECKPOINT_EACH: Duration = Duration::from_millis(250);

/// Renews the lease and reaps, until the shutdown; what is then left is settled by its own task.
pub async fn keep(app: App) {
    // However many jobs there are to end, the lease is renewed meanwhile.
    let answered = AtomicU32::new(0);
    tokio::select! {
        () = renew(&app, &answered) => {}
        () = look_after(&app, &answered) => {}
        () = app.shutdown.cancelled() => {}
    }
}

/// Renews the lease each round, and counts the rounds in a row in which the store answered.
async fn renew(app: &App, answered: &AtomicU32) {
    let mut rounds = rounds();
    loop {
        rounds.tick().await;
        match app.lease.renew(app).await {
            Ok(()) => {
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                answered.store(0, Ordering::Relaxed);
                tracing::warn!(%error, "the lease on running jobs was not renewed");
            }
        }
    }
}

/// Ends what nobody else will end.
async fn look_after(app: &App, answered: &AtomicU32) {
    let (mut rounds, mut reaper) = (rounds(), Reaper::default());
    loop {
        rounds.tick().await;
        let answered = answered.load(Ordering::Relaxed);
        if answered > 0
            && let Err(error) = app.unconfirmed.give_back(app).await
        {
            tracing::warn!(%error, "holds in doubt were not given back yet");
        }
        if answered >= ROUNDS_BEFORE_REAPING
            && let Err(error) = reaper.round(app).await
        {
            tracing::warn!(%error, "jobs without an owner were not looked for");
        }
    }
}

fn rounds() -> Interval {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    rounds
}

/// Writes what was noted of running jobs, until the shutdown.
pub async fn note(app: App) {
    let mut each = tokio::time::interval(CHECKPOINT_EACH);
    each.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = each.tick() => app.checkpoints.write(&app.db).await,
            () = app.shutdown.cancelled() => return,
        }
    }
}

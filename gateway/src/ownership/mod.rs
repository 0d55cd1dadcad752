//! Who owns running jobs: this run of the gateway, as long as it renews its lease. Notes how each job would
//! be settled if the gateway stopped now, and settles the jobs of runs that did stop.

mod checkpoints;
mod lease;
mod reaper;

use std::time::Duration;

use crate::app::App;

pub use checkpoints::Checkpoints;
pub use lease::Lease;
pub use reaper::reap;

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
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut answered = 0;
    loop {
        tokio::select! {
            _ = rounds.tick() => {}
            () = app.shutdown.cancelled() => return,
        }
        match app.lease.renew(&app).await {
            Ok(()) => answered += 1,
            Err(error) => {
                answered = 0;
                tracing::warn!(%error, "the lease on running jobs was not renewed");
                continue;
            }
        }
        if answered >= ROUNDS_BEFORE_REAPING
            && let Err(error) = reaper::round(&app).await
        {
            tracing::warn!(%error, "jobs without an owner were not looked for");
        }
    }
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

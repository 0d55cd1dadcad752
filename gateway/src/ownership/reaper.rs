//! Ends jobs that nobody owns: settled for what was delivered by their last checkpoint, or given back.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use assay_ledger::{Earned, Nano, Settlement};
use assay_protocol::Outcome;
use futures_util::{StreamExt, stream};

use crate::{
    app::App,
    clock, db,
    db::{Db, DbError, FoundOrphan, JobEnd, JobNodeEnd, JobState, Orphan},
    verification::PayBook,
};

const DELIVERED: &str =
    "the gateway stopped in the middle of the job; what had been delivered was charged";
const NOTHING: &str = "the gateway stopped in the middle of the job; nothing was charged";

/// Jobs that are ended at once: they wait for the same commits.
const ENDS_AT_ONCE: usize = 256;
/// A job that cannot be ended is looked at again after this.
const SET_ASIDE_FOR: Duration = Duration::from_secs(60);

/// Looks for jobs that nobody owns, again and again.
#[derive(Debug, Default)]
pub(super) struct Reaper {
    /// Those that cannot be ended, each with its next turn: they must not keep the others waiting.
    set_aside: HashMap<String, Instant>,
}

/// Ends the jobs that have no owner now, and those of this gateway from before there were leases. What cannot be
/// ended is logged and left for later.
///
/// # Errors
/// When the store does not answer.
pub async fn reap(db: &Db, gateway: &str) -> Result<(), DbError> {
    Reaper::default().reap(db, gateway, None).await
}

impl Reaper {
    /// Looks for leases that were not renewed, and ends their jobs.
    pub(super) async fn round(&mut self, app: &App) -> Result<(), DbError> {
        db::leases::lose_expired(&app.db).await?;
        self.reap(&app.db, app.keys.gateway_id(), Some(&app.pay)).await
    }

    /// `pay`: where there is one already, what is paid is told.
    async fn reap(&mut self, db: &Db, gateway: &str, pay: Option<&PayBook>) -> Result<(), DbError> {
        let now = Instant::now();
        self.set_aside.retain(|_, until| *until > now);
        let mut after = String::new();
        loop {
            let found = db::leases::orphans(db, gateway, &after).await?;
            let Some(last) = found.last() else { return Ok(()) };
            after = last.id.clone();
            let due = found.into_iter().filter(|found| !self.set_aside.contains_key(&found.id));
            let due: Vec<FoundOrphan> = due.collect();
            let mut ends = stream::iter(due)
                .map(async |found| (found.id, end(db, found.orphan, pay).await))
                .buffer_unordered(ENDS_AT_ONCE);
            while let Some((job, ended)) = ends.next().await {
                match ended {
                    Ok(()) => {}
                    Err(error) if error.is_temporary() => return Err(error),
                    Err(error) => {
                        tracing::error!(job, %error, "a job without an owner cannot be ended; its hold stays");
                        metrics::counter!("assay_orphans_set_aside_total").increment(1);
                        self.set_aside.insert(job, now + SET_ASIDE_FOR);
                    }
                }
            }
        }
    }
}

/// By its checkpoint; where the rules refuse that, the hold is given back.
async fn end(
    db: &Db,
    orphan: Result<Orphan, DbError>,
    pay: Option<&PayBook>,
) -> Result<(), DbError> {
    let orphan = orphan?;
    let nothing = Orphan { id: orphan.id, hold: orphan.hold, settlement: None };
    match end_as(db, ending(orphan), pay).await {
        Err(error @ (DbError::NotFound(_) | DbError::Wrong(_) | DbError::Rejected(_))) => {
            tracing::error!(job = %nothing.id, %error, "a checkpoint cannot be settled");
            end_as(db, ending(nothing), pay).await
        }
        done => done,
    }
}

/// Its owner may be ending it this very moment; whoever comes first decides.
async fn end_as(db: &Db, end: JobEnd, pay: Option<&PayBook>) -> Result<(), DbError> {
    match db::jobs::end(db, &end).await {
        Ok(()) => {
            tracing::warn!(job = %end.id, cost_nano = end.charge.cost.0, "ended a job that was cut off");
            if let Some(book) = pay {
                for JobNodeEnd { node, pay, .. } in &end.nodes {
                    let (pay, ended_ms) = (*pay, end.ended_ms);
                    book.add(*node, end.id, Earned { pay, ended_ms, checked_micro: 0 });
                }
            }
            Ok(())
        }
        Err(DbError::Conflict(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn ending(orphan: Orphan) -> JobEnd {
    let Orphan { id, hold, settlement } = orphan;
    let delivered = settlement.filter(|settlement| {
        let paid = Nano::checked_sum(settlement.parts.iter().map(|part| part.pay));
        let pays = Nano::checked_sum(settlement.charge.pays.iter().map(|(_, pay)| *pay));
        settlement.charge.accounts_for(hold) && paid == pays
    });
    let given_back = JobEnd {
        id,
        state: JobState::Failed,
        finish: None,
        completion_tokens: 0,
        rounds: 0,
        charge: Settlement::nothing(hold),
        reason: NOTHING.to_owned(),
        verdict: None,
        ended_ms: clock::now_ms(),
        nodes: Vec::new(),
        // What was asked and sent was in the memory of the gateway that stopped.
        receipt: None,
    };
    let Some(delivered) = delivered else { return given_back };
    let parts = delivered.parts.iter().map(|part| JobNodeEnd {
        node: part.node,
        round: delivered.round,
        role: "generate",
        outcome: Outcome::Agreed,
        reason: "stood behind what was delivered before the gateway stopped".to_owned(),
        evidence: "{}".to_owned(),
        tokens: part.tokens,
        pay: part.pay,
        elapsed_ms: part.elapsed_ms,
        reputation: None,
    });
    JobEnd {
        state: JobState::Cancelled,
        completion_tokens: delivered.completion_tokens,
        rounds: delivered.round,
        nodes: parts.collect(),
        charge: delivered.charge,
        reason: DELIVERED.to_owned(),
        ..given_back
    }
}

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
    db::{
        CheckpointAsked, CheckpointSettlement, Db, DbError, FoundOrphan, JobEnd, JobNodeEnd,
        JobState, Orphan,
    },
    reasons::Reason,
    verification::PayBook,
};

const DELIVERED: &str =
    "the gateway stopped in the middle of the job; what had been delivered was charged";
const NOTHING: &str = "the gateway stopped in the middle of the job; nothing was charged";
/// To a node whose answer was not judged.
const CUT_OFF: &str = "the gateway stopped in the middle of the job, before this answer was judged";

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
    let mut endings = endings(orphan?).into_iter();
    loop {
        let Some(ending) = endings.next() else { return Ok(()) };
        let job = ending.id;
        match end_as(db, ending, pay).await {
            Err(error @ (DbError::NotFound(_) | DbError::Wrong(_) | DbError::Rejected(_)))
                if endings.len() > 0 =>
            {
                tracing::error!(%job, %error, "a checkpoint cannot be settled");
            }
            done => return done,
        }
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

/// How it may be ended, the best first: settled for what was delivered, given back with a line for everybody who was asked,
/// or given back without.
fn endings(orphan: Orphan) -> Vec<JobEnd> {
    let Orphan { id, hold, settlement } = orphan;
    let nothing = JobEnd {
        id,
        state: JobState::Failed,
        finish: None,
        completion_tokens: 0,
        rounds: 0,
        charge: Settlement::nothing(hold),
        reason: NOTHING.to_owned(),
        code: Some(Reason::ShuttingDown),
        verdict: None,
        ended_ms: clock::now_ms(),
        nodes: Vec::new(),
        // What was asked and sent was in the memory of the gateway that stopped.
        receipt: None,
    };
    let Some(noted) = settlement else { return vec![nothing] };
    let given_back = JobEnd {
        rounds: noted.asked.iter().map(|asked| asked.round).max().unwrap_or_default(),
        nodes: noted.asked.iter().map(cut_off).collect(),
        ..nothing.clone()
    };
    let mut endings: Vec<JobEnd> = delivered(noted, &nothing).into_iter().collect();
    if !given_back.nodes.is_empty() {
        endings.push(given_back);
    }
    endings.push(nothing);
    endings
}

/// Settled for what the client had got, if there was anything and the sums are right.
fn delivered(noted: CheckpointSettlement, nothing: &JobEnd) -> Option<JobEnd> {
    let CheckpointSettlement { completion_tokens, round, charge, parts, asked } = noted;
    let paid = Nano::checked_sum(parts.iter().map(|part| part.pay));
    let pays = Nano::checked_sum(charge.pays.iter().map(|(_, pay)| *pay));
    let is_right = charge.accounts_for(nothing.charge.returned) && paid == pays;
    if completion_tokens == 0 || !is_right {
        return None;
    }
    let behind = parts.iter().map(|part| JobNodeEnd {
        node: part.node,
        round,
        role: "generate",
        outcome: Outcome::Agreed,
        reason: "stood behind what was delivered before the gateway stopped".to_owned(),
        evidence: "{}".to_owned(),
        tokens: part.tokens,
        pay: part.pay,
        elapsed_ms: part.elapsed_ms,
        reputation: None,
    });
    let is_behind = |asked: &&CheckpointAsked| parts.iter().any(|part| part.node == asked.node);
    let others = asked.iter().filter(|asked| !is_behind(asked)).map(cut_off);
    Some(JobEnd {
        state: JobState::Cancelled,
        completion_tokens,
        rounds: round,
        nodes: behind.chain(others).collect(),
        charge,
        reason: DELIVERED.to_owned(),
        code: None,
        ..nothing.clone()
    })
}

/// The part of a node that got the work and whose answer nobody judged.
fn cut_off(asked: &CheckpointAsked) -> JobNodeEnd {
    JobNodeEnd {
        node: asked.node,
        round: asked.round,
        role: "generate",
        outcome: Outcome::Cancelled,
        reason: CUT_OFF.to_owned(),
        evidence: "{}".to_owned(),
        tokens: 0,
        pay: Nano::ZERO,
        elapsed_ms: 0,
        reputation: None,
    }
}

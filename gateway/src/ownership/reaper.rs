//! Ends jobs that nobody owns: settled for what was delivered by their last checkpoint, or given back.

use assay_ledger::{Nano, Settlement};
use assay_protocol::Outcome;

use crate::{
    app::App,
    clock, db,
    db::{Db, DbError, JobEnd, JobNodeEnd, JobState, Orphan},
};

const DELIVERED: &str =
    "the gateway stopped in the middle of the job; what had been delivered was charged";
const NOTHING: &str = "the gateway stopped in the middle of the job; nothing was charged";

/// Looks for leases that were not renewed, and ends their jobs.
pub(super) async fn round(app: &App) -> Result<(), DbError> {
    db::leases::lose_expired(&app.db).await?;
    reap(&app.db, app.keys.gateway_id()).await
}

/// Ends the jobs that have no owner now, and those of this gateway from before there were leases.
pub async fn reap(db: &Db, gateway: &str) -> Result<(), DbError> {
    loop {
        let orphans = db::leases::orphans(db, gateway).await?;
        if orphans.is_empty() {
            return Ok(());
        }
        for orphan in orphans {
            end(db, orphan).await?;
        }
    }
}

/// Its owner may be ending it this very moment; whoever comes first decides.
async fn end(db: &Db, orphan: Orphan) -> Result<(), DbError> {
    let end = ending(orphan);
    match db::jobs::end(db, &end).await {
        Ok(()) => {
            tracing::warn!(job = %end.id, cost_nano = end.charge.cost.0, "ended a job that was cut off");
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

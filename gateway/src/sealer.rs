//! Seals journals after they are committed: chains their hashes and signs the head. All gateways on a
//! database do, and whoever comes first is the one.

use std::time::Duration;

use assay_ledger::Digest;

use crate::{
    app::App,
    auth::GatewayKeys,
    clock,
    db::{
        Db, DbError,
        seals::{self, Seal, Unsealed},
    },
};

/// Between two looks for journals to seal.
const EACH: Duration = Duration::from_secs(1);
/// Rounds from one look for unused blocks of numbers to the next: an hour.
const ROUNDS_PER_CLEARING: u64 = 3_600;
/// Journals in one seal at most.
const JOURNALS_MAX: i64 = 4_096;
/// Seals made in a row before others get a turn.
const SEALS_PER_ROUND: usize = 64;

/// Seals until the shutdown; what is posted after it is sealed by the next run.
pub async fn run(app: App) {
    let mut each = tokio::time::interval(EACH);
    each.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for round in 0_u64.. {
        tokio::select! {
            _ = each.tick() => {}
            () = app.shutdown.cancelled() => return,
        }
        if let Err(error) = seal_all(&app.db, &app.keys).await {
            tracing::warn!(%error, "journals were not sealed");
        } else if round % ROUNDS_PER_CLEARING == 0
            && let Err(error) = seals::drop_unused_blocks(&app.db).await
        {
            tracing::warn!(%error, "unused blocks of journal numbers were not forgotten");
        }
    }
}

/// Seals what is not sealed, in bounded steps; how many journals.
pub async fn seal_all(db: &Db, keys: &GatewayKeys) -> Result<i64, DbError> {
    seals::keep_key(db, keys.gateway_id(), &keys.ledger_key()).await?;
    let mut sealed = 0;
    for _ in 0..SEALS_PER_ROUND {
        // The head first: whoever seals what we see then makes a later one, and ours is refused.
        let head = seals::head(db).await?;
        let unsealed = seals::unsealed(db, JOURNALS_MAX).await?;
        let Some(first) = unsealed.first() else { break };
        let block = first.block;
        let of_block: Vec<&Unsealed> =
            unsealed.iter().take_while(|next| next.block == block).collect();
        let seal = next_seal(head.as_ref(), &of_block, keys);
        if seals::append(db, block, &seal).await? {
            sealed += seal.journals;
        }
    }
    Ok(sealed)
}

fn next_seal(head: Option<&Seal>, journals: &[&Unsealed], keys: &GatewayKeys) -> Seal {
    let previous = head.map_or(Digest::CHAIN_START, |head| head.hash);
    let hash = journals.iter().fold(previous, |hash, journal| hash.chained(&journal.link()));
    let count = i64::try_from(journals.len()).unwrap_or(i64::MAX);
    let number = head.map_or(1, |head| head.number + 1);
    let height = head.map_or(0, |head| head.height) + count;
    Seal {
        number,
        first: journals.first().map_or(0, |journal| journal.id),
        last: journals.last().map_or(0, |journal| journal.id),
        journals: count,
        height,
        previous,
        hash,
        gateway: keys.gateway_id().to_owned(),
        at_ms: clock::now_ms(),
        signature: keys.sign_ledger_head(hash.head(number, height)),
    }
}

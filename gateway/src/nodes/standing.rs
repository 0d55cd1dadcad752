//! What a connected node may do is what the store says: looked up when it has logged in, and again when an admin, its
//! checks or its operator changed something, at whichever gateway.

use std::time::Duration;

use assay_protocol::{CloseCode, NodeId, StandingCode};
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, warn};

use crate::{
    app::App,
    clock,
    db::{self, DbError, Out},
    scheduler::Payouts,
};

/// Between two looks at what changed.
const ROUND: Duration = Duration::from_secs(1);

/// Looks after everybody who is connected, until the gateway stops.
pub async fn keep(app: App) {
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = None;
    loop {
        tokio::select! {
            _ = rounds.tick() => {}
            () = app.shutdown.cancelled() => return,
        }
        match catch_up(&app, known).await {
            Ok(number) => known = Some(number),
            Err(error) => warn!(%error, "what changed about nodes was not looked up"),
        }
    }
}

/// A node has just logged in, and can be found in the registry: an admin may have banned it, or taken its trust, while
/// it did, and its operator may have named another payout address. It may come from another gateway, which has
/// checked and paid it meanwhile.
pub(super) async fn check_in(app: &App, node: NodeId) {
    match look(app, node).await {
        Ok(()) => {}
        Err(_) => return close(app, node),
    }
    let app = app.clone();
    app.clone().tasks.spawn(async move {
        if let Err(error) = app.pay.catch_up(&app.db, node, clock::now_ms()).await {
            warn!(%node, %error, "what it was paid at other gateways does not count as its stake now");
        }
    });
}

/// Brings a connected node to where the store says that it stands.
///
/// # Errors
/// When the store does not answer: then the node stays where it was.
pub async fn look(app: &App, node: NodeId) -> Result<(), DbError> {
    // A quarantine that comes while the store answers is not over because the answer does not know it.
    let before = app.nodes.quarantine_of(node);
    let Some(row) = db::nodes::find(&app.db, node).await? else {
        close(app, node);
        return Ok(());
    };
    if row.is_banned() {
        let code = row.out.map_or(StandingCode::ByAdmin, |out| out.code);
        app.nodes.ban(node, code, row.reason);
        return Ok(());
    }
    app.nodes.set_trusted(node, row.trusted);
    let known = db::payout_addresses::of_operator(&app.db, row.operator).await?;
    app.nodes.set_payouts(row.account, &Payouts::of(&known));
    let counts = |out: &Out| out.until_ms.is_some_and(|until_ms| until_ms > clock::now_ms());
    match (before, row.out) {
        (Some(lifted), None) => app.nodes.end_quarantine(node, &lifted),
        (before, Some(out)) if counts(&out) && before.as_ref() != Some(&out) => {
            app.nodes.quarantine(node, out);
        }
        _ => {}
    }
    app.reputation.know(db::reputation::of_node(&app.db, node).await?);
    Ok(())
}

/// Looks at all that changed since; the number of the last change that is known now.
async fn catch_up(app: &App, known: Option<i64>) -> Result<i64, DbError> {
    let last = db::changes::last(&app.db).await?;
    let changed = match known {
        Some(known) if known == last => return Ok(last),
        Some(known) => db::changes::since(&app.db, known).await?,
        // Whoever logged in before the first look; all else was read when the gateway started.
        None => app.nodes.snapshot().into_iter().map(|node| node.node).collect(),
    };
    for node in changed {
        let looked = look_again(app, node, known.is_some()).await;
        match looked {
            Err(error) if error.is_temporary() => return Err(error),
            Err(error) => {
                error!(%node, %error, "where it stands cannot be read");
                close(app, node);
            }
            Ok(()) => {}
        }
    }
    Ok(last)
}

/// Looks at a node that may be connected, and at what it has at stake, which may have been forfeited.
async fn look_again(app: &App, node: NodeId, stake_too: bool) -> Result<(), DbError> {
    if app.nodes.snapshot_of(node).is_some() {
        look(app, node).await?;
    }
    if stake_too {
        app.pay.read(&app.db, node, clock::now_ms()).await?;
    }
    Ok(())
}

fn close(app: &App, node: NodeId) {
    app.nodes.close(node, CloseCode::Shutdown, "the gateway's store does not answer".into());
}

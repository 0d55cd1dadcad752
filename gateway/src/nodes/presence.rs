//! Tells the other gateways which nodes are connected here and how they stand, and asks about those that are not.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use assay_protocol::{Hello, NodeId, NodeStanding};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};

use super::{HeldJob, NodeSnapshot, Performance, Tested};
use crate::{
    app::App,
    db::{self, DbError, LeaseId, OperatorId, presence::PresentNode},
};

/// Between two looks at who came, left or moved.
const ROUND: Duration = Duration::from_secs(1);
/// Rounds between two looks at what changes all the time: jobs and speed.
const ROUNDS_PER_WHOLE: u32 = 10;

/// A connected node as people may see it, at whichever gateway it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Presence {
    pub standing: NodeStanding,
    /// The models of its hello that it may answer for.
    pub admitted: BTreeMap<String, Tested>,
    /// Why the last self-test failed, until one passes.
    pub test_failure: Option<String>,
    pub hello: Option<Hello>,
    /// Jobs that it holds; at another gateway, some seconds ago.
    pub jobs: Vec<HeldJob>,
    pub performance: Performance,
}

/// What the other gateways were told.
#[derive(Debug, Default)]
struct Told {
    lease: Option<LeaseId>,
    nodes: HashMap<NodeId, (i64, Presence)>,
}

/// The node as it is now, wherever it is connected; nothing where it is not.
pub async fn find(app: &App, node: NodeId) -> Result<Option<Presence>, DbError> {
    if let Some(here) = app.nodes.snapshot_of(node) {
        return Ok(Some(here.into()));
    }
    Ok(db::presence::find(&app.db, node).await?.and_then(|row| read(row.node, &row.seen)))
}

/// The jobs that an operator's nodes hold right now, at whichever gateway, the last first.
pub async fn jobs_of(app: &App, operator: OperatorId) -> Result<Vec<(NodeId, HeldJob)>, DbError> {
    let mut jobs = Vec::new();
    for row in db::presence::of_operator(&app.db, operator).await? {
        let held = match app.nodes.snapshot_of(row.node) {
            Some(here) => here.handle.held().list(),
            None => read(row.node, &row.seen).map_or_else(Vec::new, |seen| seen.jobs),
        };
        jobs.extend(held.into_iter().map(|job| (row.node, job)));
    }
    jobs.sort_by_key(|(node, held)| (Reverse(held.since_ms), held.job, *node));
    Ok(jobs)
}

/// Another gateway may be of another version: what cannot be read is not there.
fn read(node: NodeId, seen: &str) -> Option<Presence> {
    let read = serde_json::from_str(seen);
    read.inspect_err(|error| tracing::warn!(%node, %error, "a presence cannot be read")).ok()
}

/// Writes down who is connected here, until the gateway stops.
pub async fn keep(app: App) {
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut changes, mut told, mut round) = (app.nodes.changes(), Told::default(), 0_u32);
    loop {
        tokio::select! {
            _ = rounds.tick() => {}
            () = app.shutdown.cancelled() => break,
        }
        round = round.wrapping_add(1);
        let whole = round % ROUNDS_PER_WHOLE == 0;
        if !whole && !changes.has_changed().unwrap_or(true) {
            continue;
        }
        changes.mark_unchanged();
        if let Err(error) = told.tell(&app, whole).await {
            tracing::warn!(%error, "other gateways were not told who is connected here");
            changes.mark_changed();
        }
    }
    let left = match told.lease {
        Some(lease) => db::presence::leave(&app.db, lease).await,
        None => Ok(()),
    };
    if let Err(error) = left {
        tracing::warn!(%error, "other gateways think for some seconds that nodes are connected here");
    }
}

impl Told {
    /// Tells what is new; all of it after the lease was lost, which what was told before went with.
    async fn tell(&mut self, app: &App, whole: bool) -> Result<(), DbError> {
        let lease = app.lease.current();
        if self.lease != Some(lease) {
            *self = Self { lease: Some(lease), nodes: HashMap::new() };
        }
        let snapshot = app.nodes.snapshot().into_iter();
        let here: HashMap<NodeId, (i64, Presence)> =
            snapshot.map(|node| (node.node, (node.since_ms, node.into()))).collect();
        let is_news = |node: &NodeId, since_ms: i64, now: &Presence| match self.nodes.get(node) {
            Some((before_ms, before)) => {
                *before_ms != since_ms || !if whole { before == now } else { before.stands_as(now) }
            }
            None => true,
        };
        let mut news = Vec::new();
        for (node, (since_ms, now)) in &here {
            if is_news(node, *since_ms, now) {
                let seen = serde_json::to_string(now)
                    .map_err(|error| DbError::Wrong(format!("a node's presence: {error}")))?;
                news.push(PresentNode { node: *node, since_ms: *since_ms, seen });
            }
        }
        let gone: Vec<NodeId> =
            self.nodes.keys().filter(|node| !here.contains_key(node)).copied().collect();
        db::presence::write(&app.db, lease, &news, &gone).await?;
        self.nodes.retain(|node, _| here.contains_key(node));
        for PresentNode { node, .. } in news {
            if let Some(now) = here.get(&node) {
                self.nodes.insert(node, now.clone());
            }
        }
        Ok(())
    }
}

impl Presence {
    /// Whether nothing differs but what changes all the time.
    fn stands_as(&self, other: &Self) -> bool {
        (&self.standing, &self.admitted, &self.test_failure, &self.hello)
            == (&other.standing, &other.admitted, &other.test_failure, &other.hello)
    }
}

impl From<NodeSnapshot> for Presence {
    fn from(node: NodeSnapshot) -> Self {
        let jobs = node.handle.held().list();
        let NodeSnapshot { standing, admitted, test_failure, hello, performance, .. } = node;
        Self { standing, admitted, test_failure, hello, jobs, performance }
    }
}

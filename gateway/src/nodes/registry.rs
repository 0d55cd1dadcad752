//! Who is connected right now, what they serve, and how well they have done it.

mod entry;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use assay_ledger::AccountId;
use assay_protocol::{Bytes32, CloseCode, Hello, NodeId, NodeStanding, NodeState, StandingCode};
use tokio::sync::watch;

pub use entry::{Awaiting, NodeSnapshot, Registration, ServedBy, Tested};

use entry::Entry;

use super::{handle::NodeHandle, performance::Performance};
use crate::{db::Out, scheduler::Payouts};

/// A node that let an offer go unanswered is not asked for this long: it costs everybody half a second.
const REST_AFTER_SILENCE: Duration = Duration::from_secs(10);
/// Nodes whose performance is remembered, connected or not; beyond, all is forgotten.
const PERFORMANCES_MAX: usize = 100_000;

/// All connected nodes of this gateway.
#[derive(Debug)]
pub struct Registry {
    entries: Mutex<HashMap<NodeId, Entry>>,
    /// Kept when a node leaves, so that it cannot wash its record off by coming back.
    performances: Mutex<HashMap<NodeId, Performance>>,
    epoch: AtomicU64,
    changed: watch::Sender<u64>,
}

impl Registry {
    /// `epoch_floor`: session numbers start above it; the current time keeps them growing over
    /// restarts.
    pub fn new(epoch_floor: u64) -> Self {
        Self {
            entries: Mutex::default(),
            performances: Mutex::default(),
            epoch: AtomicU64::new(epoch_floor),
            changed: watch::Sender::new(0),
        }
    }

    /// Wakes whenever somebody came, left or changed state.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Everybody who is connected.
    pub fn snapshot(&self) -> Vec<NodeSnapshot> {
        let performances = lock(&self.performances);
        lock(&self.entries).values().map(|entry| entry.snapshot(&performances)).collect()
    }

    /// This node, if it is connected.
    pub fn snapshot_of(&self, node: NodeId) -> Option<NodeSnapshot> {
        let performances = lock(&self.performances);
        lock(&self.entries).get(&node).map(|entry| entry.snapshot(&performances))
    }

    /// Nodes that may serve exactly this model; `trusted` picks scorers or workers.
    pub fn serving(&self, model: &str, manifest_hash: Bytes32, trusted: bool) -> Vec<ServedBy> {
        let performances = lock(&self.performances);
        let entries = lock(&self.entries);
        let now = Instant::now();
        let fit = entries
            .values()
            .filter(|entry| entry.registration.trusted == trusted && entry.takes_jobs(now));
        fit.filter_map(|entry| entry.serving(model, manifest_hash, &performances)).collect()
    }

    /// Takes note of where an operator's withdrawals may go, for all its nodes.
    pub fn set_payouts(&self, account: AccountId, payouts: &Payouts) {
        for entry in lock(&self.entries).values_mut() {
            let party = &mut entry.registration.party;
            if party.account == account {
                party.payouts = payouts.clone();
            }
        }
    }

    /// Ends the session of a node, if it has one.
    pub fn close(&self, node: NodeId, code: CloseCode, reason: String) {
        if let Some(entry) = lock(&self.entries).get(&node) {
            let _ = entry.handle.close(code, reason);
        }
    }

    /// Cuts a banned node off. Counts from now on, even if its session is too stuck to hear of it.
    pub fn ban(&self, node: NodeId, code: StandingCode, reason: String) {
        if let Some(entry) = lock(&self.entries).get_mut(&node) {
            let state = NodeState::Banned;
            entry.standing = NodeStanding { state, code, reason: reason.clone(), until_ms: None };
            entry.admitted.clear();
            let _ = entry.handle.close(CloseCode::Banned, reason);
        }
        self.wake();
    }

    /// Marks a connected node as scorer or as worker, from its next job on.
    pub fn set_trusted(&self, node: NodeId, trusted: bool) {
        if let Some(entry) = lock(&self.entries).get_mut(&node) {
            entry.registration.trusted = trusted;
        }
        self.wake();
    }

    /// Takes note of how a job went: milliseconds to the first token, then per token.
    pub fn observe_speed(&self, node: NodeId, first_token_ms: f64, ms_per_token: Option<f64>) {
        self.observe(node, |performance| {
            Performance::observe(&mut performance.first_token_ms, first_token_ms);
            if let Some(value) = ms_per_token {
                Performance::observe(&mut performance.ms_per_token, value);
            }
        });
    }

    /// Takes note of whether an accepted job was finished.
    pub fn observe_finished(&self, node: NodeId, finished: bool) {
        let value = if finished { 1.0 } else { 0.0 };
        self.observe(node, |performance| Performance::observe(&mut performance.reliability, value));
    }

    /// Leaves a node alone for a while that did not answer an offer.
    pub fn rest(&self, node: NodeId) {
        self.observe_finished(node, false);
        if let Some(entry) = lock(&self.entries).get_mut(&node) {
            entry.rests_until = Some(Instant::now() + REST_AFTER_SILENCE);
        }
    }

    fn observe(&self, node: NodeId, note: impl FnOnce(&mut Performance)) {
        let mut performances = lock(&self.performances);
        if performances.len() >= PERFORMANCES_MAX {
            performances.clear();
        }
        note(performances.entry(node).or_default());
    }

    /// Gives a node no new jobs while nothing is heard of it.
    pub(super) fn set_suspect(&self, node: NodeId, suspect: bool) {
        if let Some(entry) = lock(&self.entries).get_mut(&node) {
            entry.suspect = suspect;
        }
    }

    /// A number above every session before.
    pub(super) fn next_epoch(&self) -> u64 {
        self.epoch.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Adds a session; an older one of the same node is told to leave.
    pub(super) fn enter(&self, registration: Registration, epoch: u64, handle: NodeHandle) {
        let node = registration.node;
        let entry = Entry::new(registration, epoch, handle);
        let older = lock(&self.entries).insert(node, entry);
        if let Some(older) = older {
            let _ = older.handle.close(
                CloseCode::Replaced,
                "the same node connected again; this session ends".into(),
            );
        }
        self.wake();
    }

    /// Removes a session, unless a newer one has taken its place.
    pub(super) fn leave(&self, node: NodeId, epoch: u64) {
        let mut entries = lock(&self.entries);
        if entries.get(&node).is_some_and(|entry| entry.epoch == epoch) {
            entries.remove(&node);
        }
        drop(entries);
        self.wake();
    }

    /// Stores what the node says it serves; where it stands now is for others to decide.
    pub(super) fn greet(&self, node: NodeId, hello: Hello) {
        if let Some(entry) = lock(&self.entries).get_mut(&node) {
            entry.hello = Some(hello);
        }
        self.wake();
    }

    /// Moves a node to another place and tells it, if that is news. A node that drains goes on draining,
    /// and nobody comes back from a ban within a session.
    pub fn stand(&self, node: NodeId, standing: NodeStanding) {
        let moved = lock(&self.entries).get_mut(&node).is_some_and(|entry| entry.stand(standing));
        if moved {
            self.wake();
        }
    }

    /// Lets the session of this epoch answer for these models; its quarantine, if it had one, is over.
    pub fn admit(
        &self,
        node: NodeId,
        epoch: u64,
        models: BTreeMap<String, Tested>,
        standing: NodeStanding,
    ) {
        if let Some(entry) = lock(&self.entries).get_mut(&node)
            && entry.epoch == epoch
        {
            entry.admitted = models;
            entry.quarantine_over();
            entry.test_failure = None;
            entry.stand(standing);
        }
        self.wake();
    }

    /// Takes note of a self-test that the session of this epoch did not pass.
    pub fn test_failed(&self, node: NodeId, epoch: u64, standing: NodeStanding) {
        if let Some(entry) = lock(&self.entries).get_mut(&node)
            && entry.epoch == epoch
        {
            entry.test_failure = Some(standing.reason.clone());
            entry.stand(standing);
        }
        self.wake();
    }

    /// Gives a node no jobs for a while.
    pub fn quarantine(&self, node: NodeId, out: Out) {
        if let Some(entry) = lock(&self.entries).get_mut(&node) {
            let Out { code, reason, until_ms } = out.clone();
            entry.registration.quarantine = Some(out);
            entry.stand(NodeStanding { state: NodeState::Quarantined, code, reason, until_ms });
        }
        self.wake();
    }

    /// An admin lifts this quarantine: the node is tested now. One that came after it stays.
    pub fn end_quarantine(&self, node: NodeId, lifted: &Out) {
        if let Some(entry) = lock(&self.entries).get_mut(&node)
            && entry.registration.quarantine.as_ref() == Some(lifted)
        {
            entry.quarantine_over();
        }
        self.wake();
    }

    /// Everybody who has said hello and does not stand where they should for good.
    pub fn awaiting(&self) -> Vec<Awaiting> {
        lock(&self.entries).values().filter_map(Entry::awaiting).collect()
    }

    /// Where a connected node stands, and the models that it may answer for.
    pub fn admitted(&self, node: NodeId) -> Option<(NodeStanding, Vec<String>)> {
        let entries = lock(&self.entries);
        let entry = entries.get(&node)?;
        Some((entry.standing.clone(), entry.admitted.keys().cloned().collect()))
    }

    /// The quarantine of a connected node, over or not.
    pub fn quarantine_of(&self, node: NodeId) -> Option<Out> {
        lock(&self.entries).get(&node)?.registration.quarantine.clone()
    }

    /// The class that a connected node's self-test gave it for a model.
    pub fn class(&self, node: NodeId, model: &str) -> Option<String> {
        lock(&self.entries).get(&node)?.admitted.get(model)?.class.clone()
    }

    fn wake(&self) {
        self.changed.send_modify(|version| *version += 1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds the lock; if it did, the map would still be whole.
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

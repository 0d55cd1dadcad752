//! One connected node: who it is, where it stands, what it may answer for.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use assay_ledger::AccountId;
use assay_protocol::{Bytes32, Hello, NodeId, NodeStanding, NodeState, StandingCode};
use serde::{Deserialize, Serialize};

use super::super::{handle::NodeHandle, performance::Performance};
use crate::{clock, db::Out, scheduler::Party};

/// Identity and standing of a node, as the store had it at log-in.
#[derive(Clone, Debug)]
pub struct Registration {
    pub node: NodeId,
    pub name: String,
    /// Whose it is; pay goes to its account.
    pub party: Party,
    pub trusted: bool,
    /// A quarantine that is not over yet.
    pub quarantine: Option<Out>,
}

/// What the self-test of this session found for one model that the node may answer for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tested {
    /// The class that its reported logits fit; none when there was no test.
    pub class: Option<String>,
    pub at_ms: i64,
}

/// One connected node.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) registration: Registration,
    pub(super) epoch: u64,
    pub(super) since_ms: i64,
    pub(super) handle: NodeHandle,
    pub(super) hello: Option<Hello>,
    pub(super) standing: NodeStanding,
    /// The models of its hello that it may answer for.
    pub(super) admitted: BTreeMap<String, Tested>,
    /// Why the last self-test failed, until one passes.
    pub(super) test_failure: Option<String>,
    /// No frame came for so long that it gets no new jobs.
    pub(super) suspect: bool,
    pub(super) rests_until: Option<Instant>,
}

/// A node at one moment, for schedulers and people.
#[derive(Clone, Debug)]
pub struct NodeSnapshot {
    pub node: NodeId,
    pub name: String,
    pub party: Party,
    pub trusted: bool,
    /// Of its session.
    pub epoch: u64,
    /// When its session began.
    pub since_ms: i64,
    pub standing: NodeStanding,
    /// The models of its hello that it may answer for.
    pub admitted: BTreeMap<String, Tested>,
    /// Why the last self-test failed, until one passes.
    pub test_failure: Option<String>,
    pub hello: Option<Hello>,
    /// Jobs that it held at that moment.
    pub jobs: u32,
    pub performance: Performance,
    pub handle: NodeHandle,
}

/// A node that somebody has to decide about: untested, in quarantine, or of another trust than before.
#[derive(Clone, Debug)]
pub struct Awaiting {
    pub node: NodeId,
    pub owner: AccountId,
    pub epoch: u64,
    pub trusted: bool,
    pub standing: NodeStanding,
    pub quarantine: Option<Out>,
    pub hello: Hello,
    pub handle: NodeHandle,
}

/// A node that can be asked for one model.
#[derive(Clone, Debug)]
pub struct ServedBy {
    pub snapshot: NodeSnapshot,
    /// Jobs that it can still take.
    pub slots_free: u32,
}

impl Entry {
    /// A session that has not said hello.
    pub(super) fn new(registration: Registration, epoch: u64, handle: NodeHandle) -> Self {
        Self {
            registration,
            epoch,
            since_ms: clock::now_ms(),
            handle,
            hello: None,
            standing: NodeStanding {
                state: NodeState::Enrolled,
                code: StandingCode::HelloAwaited,
                reason: "waiting for its hello".into(),
                until_ms: None,
            },
            admitted: BTreeMap::new(),
            test_failure: None,
            suspect: false,
            rests_until: None,
        }
    }

    pub(super) fn takes_jobs(&self, now: Instant) -> bool {
        let rests = self.rests_until.is_some_and(|until| now < until);
        self.standing.state.serves() && !self.suspect && !rests
    }

    /// Whether that was news.
    pub(super) fn stand(&mut self, standing: NodeStanding) -> bool {
        let stays = match self.standing.state {
            NodeState::Banned => true,
            NodeState::Draining => standing.state != NodeState::Banned,
            _ => self.standing == standing,
        };
        if !stays {
            if !standing.state.serves() {
                self.admitted.clear();
            }
            self.standing = standing.clone();
            let _ = self.handle.state(standing);
        }
        !stays
    }

    pub(super) fn quarantine_over(&mut self) {
        self.registration.quarantine = None;
    }

    pub(super) fn awaiting(&self) -> Option<Awaiting> {
        let hello = self.hello.as_ref()?;
        let NodeStanding { state, code, .. } = self.standing;
        let trusted = self.registration.trusted;
        let settled = match state {
            NodeState::Probation | NodeState::Active => trusted == (code == StandingCode::Scorer),
            NodeState::Testing => code == StandingCode::ModelNotServed,
            NodeState::Quarantined => false,
            NodeState::Enrolled | NodeState::Draining | NodeState::Banned => true,
        };
        (!settled).then(|| Awaiting {
            node: self.registration.node,
            owner: self.registration.party.account,
            epoch: self.epoch,
            trusted,
            standing: self.standing.clone(),
            quarantine: self.registration.quarantine.clone(),
            hello: hello.clone(),
            handle: self.handle.clone(),
        })
    }

    pub(super) fn snapshot(&self, performances: &HashMap<NodeId, Performance>) -> NodeSnapshot {
        NodeSnapshot {
            node: self.registration.node,
            name: self.registration.name.clone(),
            party: self.registration.party.clone(),
            trusted: self.registration.trusted,
            epoch: self.epoch,
            since_ms: self.since_ms,
            standing: self.standing.clone(),
            admitted: self.admitted.clone(),
            test_failure: self.test_failure.clone(),
            hello: self.hello.clone(),
            jobs: self.handle.held().count(),
            performance: performances.get(&self.registration.node).copied().unwrap_or_default(),
            handle: self.handle.clone(),
        }
    }

    pub(super) fn serving(
        &self,
        model: &str,
        manifest_hash: Bytes32,
        performances: &HashMap<NodeId, Performance>,
    ) -> Option<ServedBy> {
        let hello = self.hello.as_ref()?;
        let served = hello
            .models
            .iter()
            .find(|served| served.id == model && served.manifest_hash == manifest_hash)
            .filter(|_| self.registration.trusted || self.admitted.contains_key(model))?;
        let snapshot = self.snapshot(performances);
        let slots_free = served.slots.saturating_sub(snapshot.jobs);
        Some(ServedBy { snapshot, slots_free })
    }
}

//! A node that speaks the real protocol and behaves as a story wants it to: honest or not, at full speed
//! or token by token. Whatever it is, it passes the gateway's self-test honestly, as any cheat would.

mod connection;
pub mod embedding;
mod identity;
mod pace;
mod seen;
mod session;
mod writing;

use std::{sync::Arc, time::Duration};

use assay_protocol::{NodeId, NodeState, Outcome};
use tokio::{sync::watch, task::JoinSet};

use crate::{Model, admin::Operator, wait::within};

pub use crate::zoo::Behaviour;
pub use identity::Identity;
pub use pace::{Gate, Pace};
pub use seen::{Seen, Told};
pub use session::{End, run};

/// Enough that no story waits for a busy node unless it is about one.
const SLOTS: u32 = 8;

/// How a node acts.
#[derive(Clone, Debug)]
pub struct Manners {
    pub behaviour: Behaviour,
    /// Of tokens; a scorer that is gated sends each set of scores as one.
    pub pace: Pace,
    /// Of its answers to the gateway's self-test.
    pub test_pace: Pace,
    /// Jobs at once, as its hello says.
    pub slots: u32,
    /// From an offer to its answer to it.
    pub thinks: Duration,
}

impl From<Behaviour> for Manners {
    fn from(behaviour: Behaviour) -> Self {
        let (pace, test_pace) = (behaviour.pace(), Pace::Free);
        Self { behaviour, pace, test_pace, slots: SLOTS, thinks: Duration::ZERO }
    }
}

/// A scripted node in this process. Dropping it breaks its connection.
#[derive(Debug)]
pub struct ScriptedNode {
    pub identity: Identity,
    pub operator: Operator,
    seen: watch::Receiver<Seen>,
    _session: JoinSet<()>,
}

impl ScriptedNode {
    /// Connects; the node is there once [`ScriptedNode::is_active`] returns.
    pub fn connect(
        identity: Identity,
        operator: Operator,
        model: Arc<Model>,
        manners: Manners,
    ) -> Self {
        let (tell, seen) = watch::channel(Seen::default());
        let mut session = JoinSet::new();
        let who = identity.clone();
        session.spawn(async move {
            let end = run(&who, &model, &manners, &tell).await;
            tell.send_modify(|seen| seen.end = Some(end));
        });
        Self { identity, operator, seen, _session: session }
    }

    pub fn id(&self) -> NodeId {
        self.identity.node
    }

    /// What it has heard and done so far.
    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// Waits for what it hears or does.
    ///
    /// # Panics
    /// When that does not come, showing what did.
    pub async fn wait_for(&self, what: &str, condition: impl FnMut(&Seen) -> bool) -> Seen {
        let mut seen = self.seen.clone();
        let waited = within(&format!("{} {what}", self.id()), seen.wait_for(condition)).await;
        match waited.map(|seen| seen.clone()) {
            Ok(seen) => seen,
            Err(_) => panic!("the session ended before it {what}: {:#?}", self.seen()),
        }
    }

    /// Waits until the gateway gives it jobs.
    pub async fn is_active(&self) {
        let serves = [Some(NodeState::Probation), Some(NodeState::Active)];
        self.wait_for("gets jobs", |seen| serves.contains(&seen.state)).await;
    }

    /// Waits until it was given work.
    pub async fn is_started(&self) {
        self.wait_for("is given work", |seen| seen.starts > 0).await;
    }

    /// Waits until it is told how its job ended.
    pub async fn outcome(&self) -> (Outcome, String) {
        let seen = self.wait_for("hears an outcome", |seen| !seen.outcomes.is_empty()).await;
        seen.outcomes[0].clone()
    }
}

//! Brings connected nodes to their jobs: whoever is in quarantine waits, everybody else passes a self-test,
//! then serves on probation until its record proves it.

use std::{
    collections::{BTreeMap, HashMap},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use assay_ledger::AccountId;
use assay_protocol::{NodeId, NodeStanding, NodeState, StandingCode};
use futures_util::FutureExt;
use tokio::{task::JoinSet, time::sleep_until};
use tracing::{info, warn};

use super::self_test::{self, Outcome};
use crate::{
    app::App,
    catalog::HostedModel,
    clock, db,
    db::Out,
    nodes::{Awaiting, Tested},
};

/// Self-tests at once, of different owners: a whole pool that comes back must not keep the scorers from jobs, nor one
/// owner's silent nodes everybody else from their test.
const TESTS_MAX: usize = 4;
/// A test that came to nothing, because somebody was busy or left, is tried again after this long.
const OPEN_RETRY: Duration = Duration::from_secs(2);
/// Without news, everybody is looked at this often.
const LOOK_EACH: Duration = Duration::from_secs(30);

/// A session.
type Session = (NodeId, u64);

/// The result of a session's self-test: its models by name.
type Results = Vec<(String, Outcome)>;

/// Runs until the gateway shuts down.
pub async fn run(app: App) {
    let mut admission = Admission { app, turns: HashMap::new(), tests: JoinSet::new() };
    let app = admission.app.clone();
    let mut changes = app.nodes.changes();
    loop {
        changes.mark_unchanged();
        let next = admission.look().await;
        tokio::select! {
            _ = changes.changed() => {}
            Some(tested) = admission.tests.join_next() => match tested {
                Ok((session, results)) => admission.tested(session, &results).await,
                Err(error) => warn!(%error, "a self-test broke"),
            },
            () = sleep_until(next.into()) => {}
            () = app.shutdown.cancelled() => return,
        }
    }
}

/// Where a node that serves stands, by what its checks say of these models.
pub(super) fn place_of<'a>(
    app: &App,
    node: NodeId,
    models: impl IntoIterator<Item = &'a String>,
) -> NodeStanding {
    let proven = models.into_iter().find(|model| app.reputation.is_proven(node, model));
    match proven {
        Some(model) => {
            let reason = format!("proven for {model}: it may serve alone, and is seldom checked");
            standing(NodeState::Active, StandingCode::Proven, reason)
        }
        None => {
            let reason = "serves in groups, and every answer is checked, until it is proven";
            standing(NodeState::Probation, StandingCode::Unproven, reason.into())
        }
    }
}

fn standing(state: NodeState, code: StandingCode, reason: String) -> NodeStanding {
    NodeStanding { state, code, reason, until_ms: None }
}

/// A quarantine that is not over, and how long it lasts.
fn still_out(out: Out) -> Option<(Out, Duration)> {
    let left_ms = u64::try_from(out.until_ms? - clock::now_ms()).ok().filter(|left| *left > 0)?;
    Some((out, Duration::from_millis(left_ms)))
}

/// Where a node is with its tests, whatever session it is in: to come again is no way to be tested sooner.
enum Turn {
    UnderTest {
        owner: AccountId,
    },
    /// For its next test.
    Waits {
        until: Instant,
    },
}

impl Turn {
    fn until(&self) -> Option<Instant> {
        match self {
            Self::UnderTest { .. } => None,
            Self::Waits { until } => Some(*until),
        }
    }
}

struct Admission {
    app: App,
    turns: HashMap<NodeId, Turn>,
    tests: JoinSet<(Session, Results)>,
}

impl Admission {
    /// Does what can be done for everybody; gives the time when there is more to do.
    async fn look(&mut self) -> Instant {
        let now = Instant::now();
        let mut next = now + LOOK_EACH;
        let mut awaiting = self.app.nodes.awaiting();
        // Newcomers first, then whoever waits the longest: a few that never answer cannot hold all places.
        awaiting.sort_by_key(|a| self.turns.get(&a.node).and_then(Turn::until));
        let here = |node: &NodeId| awaiting.iter().any(|a| a.node == *node);
        let counts = |until: Instant, node: &NodeId| until > now || here(node);
        self.turns.retain(|node, turn| turn.until().is_none_or(|until| counts(until, node)));
        for node in &awaiting {
            if let Some(at) = self.settle(node, now).await {
                next = next.min(at);
            }
        }
        next
    }

    /// One node; the time when to look at it again.
    async fn settle(&mut self, node: &Awaiting, now: Instant) -> Option<Instant> {
        let models = self.models(node);
        if models.is_empty() {
            return None;
        }
        let untested = || models.iter().map(|model| (model.id().to_owned(), Tested::default()));
        if node.trusted {
            let reason = "trusted: scores what others answer".to_owned();
            let standing = standing(NodeState::Active, StandingCode::Scorer, reason);
            self.app.nodes.admit(node.node, node.epoch, untested().collect(), standing);
            return None;
        }
        if let Some((out, left)) = node.quarantine.clone().and_then(still_out) {
            let Out { code, reason, until_ms } = out;
            let state = NodeState::Quarantined;
            self.app.nodes.stand(node.node, NodeStanding { state, code, reason, until_ms });
            return Some(now + left);
        }
        if !self.app.config.nodes.self_test {
            self.admit((node.node, node.epoch), untested().collect()).await;
            return None;
        }
        self.test(node, models, now)
    }

    fn test(
        &mut self,
        node: &Awaiting,
        models: Vec<Arc<HostedModel>>,
        now: Instant,
    ) -> Option<Instant> {
        let session = (node.node, node.epoch);
        match self.turns.get(&node.node) {
            Some(Turn::UnderTest { .. }) => return None,
            Some(Turn::Waits { until }) if *until > now => return Some(*until),
            Some(Turn::Waits { .. }) | None => {}
        }
        let scored = |model: &Arc<HostedModel>| {
            let text = &model.text;
            !self.app.nodes.serving(&text.manifest.id, text.manifest_hash, true).is_empty()
        };
        if !models.iter().any(scored) {
            let reason = "its self-test waits for a scorer; none is connected".to_owned();
            let standing = standing(NodeState::Testing, StandingCode::NoScorer, reason);
            self.app.nodes.stand(node.node, standing);
            return None;
        }
        let is_of_owner =
            |turn: &Turn| matches!(turn, Turn::UnderTest { owner } if *owner == node.owner);
        if self.tests.len() >= TESTS_MAX || self.turns.values().any(is_of_owner) {
            // The next test that ends wakes the loop.
            return None;
        }
        let reason = "its self-test is under way".to_owned();
        self.app
            .nodes
            .stand(node.node, standing(NodeState::Testing, StandingCode::SelfTest, reason));
        self.turns.insert(node.node, Turn::UnderTest { owner: node.owner });
        let (app, handle) = (self.app.clone(), node.handle.clone());
        let deadline = now + Duration::from_millis(self.app.config.nodes.self_test_ms);
        self.tests.spawn(async move {
            let mut results = Results::new();
            for model in models {
                // A panic is a bug, but not one that may keep a node from its next test.
                let test = AssertUnwindSafe(self_test::test(&app, &handle, &model, deadline));
                let broken = |_| Outcome::Open("the gateway made a mistake".into());
                let outcome = test.catch_unwind().await.unwrap_or_else(broken);
                results.push((model.id().to_owned(), outcome));
            }
            (session, results)
        });
        None
    }

    /// A test is over: the models that passed are served; with none the node waits for the next one.
    async fn tested(&mut self, session: Session, results: &Results) {
        let (node, epoch) = session;
        let at_ms = clock::now_ms();
        let passed = results.iter().filter_map(|(model, outcome)| match outcome {
            Outcome::Passed { class } => {
                Some((model.clone(), Tested { class: Some(class.clone()), at_ms }))
            }
            Outcome::Failed(_) | Outcome::Open(_) => None,
        });
        let passed: BTreeMap<String, Tested> = passed.collect();
        for (model, outcome) in results {
            info!(%node, model, ?outcome, "self-test");
        }
        if !passed.is_empty() {
            self.turns.remove(&node);
            metrics::counter!("assay_self_tests_total", "result" => "passed").increment(1);
            return self.admit(session, passed).await;
        }
        let failure = results.iter().find_map(|(_, outcome)| match outcome {
            Outcome::Failed(reason) => Some(reason),
            Outcome::Passed { .. } | Outcome::Open(_) => None,
        });
        let wait = match failure {
            Some(reason) => {
                metrics::counter!("assay_self_tests_total", "result" => "failed").increment(1);
                let reason = format!("failed its self-test: {reason}");
                let standing = standing(NodeState::Testing, StandingCode::SelfTestFailed, reason);
                self.app.nodes.test_failed(node, epoch, standing);
                Duration::from_millis(self.app.config.nodes.self_test_retry_ms)
            }
            None => OPEN_RETRY,
        };
        self.turns.insert(node, Turn::Waits { until: Instant::now() + wait });
    }

    async fn admit(&self, session: Session, models: BTreeMap<String, Tested>) {
        let (node, epoch) = session;
        // Told to the store first: a quarantine that is over here is over everywhere.
        if self.app.nodes.quarantine_of(node).is_some()
            && let Err(error) = db::standing::end_quarantine(&self.app.db, node).await
        {
            warn!(%node, %error, "the end of a quarantine is not stored");
        }
        let standing = place_of(&self.app, node, models.keys());
        info!(%node, state = standing.state.as_str(), "node serves");
        self.app.nodes.admit(node, epoch, models, standing);
    }

    /// The models of its hello that this gateway serves in the same version.
    fn models(&self, node: &Awaiting) -> Vec<Arc<HostedModel>> {
        let hosted = node.hello.models.iter().filter_map(|served| {
            let hosted = self.app.catalog.get(&served.id)?;
            (hosted.text.manifest_hash == served.manifest_hash).then(|| hosted.clone())
        });
        hosted.collect()
    }
}

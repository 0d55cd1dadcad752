//! Before its first job a node answers a question of the gateway's own, and a scorer judges the answer.

use assay_protocol::{NodeState, StandingCode};
use assay_tests::{
    Ask, Behaviour, Gate, Model, Pace, ScriptedNode, World,
    scripted::{Identity, Manners, Seen},
    wait_until,
};

use crate::expect::assert_outcome;

async fn testing() -> World {
    World::with("[nodes]\nself_test = true").await
}

/// Connects a node of a new operator, without waiting for anything.
async fn connect(world: &World, model: std::sync::Arc<Model>) -> ScriptedNode {
    let operator = world.operator().await;
    let identity = world.enrol(operator).await;
    ScriptedNode::connect(identity, operator, model, Behaviour::Honest.into())
}

#[tokio::test]
async fn a_node_is_tested_before_its_first_job_and_its_class_is_what_its_logits_say() {
    let world = testing().await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await, world.honest().await];
    for node in &nodes {
        let seen = node.seen();
        assert!(seen.self_tests > 0 && seen.starts == 0, "{seen:?}");
        let codes: Vec<_> = seen.standings.iter().map(|standing| standing.code).collect();
        assert_eq!(codes.first(), Some(&StandingCode::SelfTest), "{codes:?}");
        assert_eq!(codes.last(), Some(&StandingCode::Unproven), "{codes:?}");
        let view = world.admin.node(node.id()).await;
        assert_eq!((view.state.as_str(), view.code.as_str()), ("probation", "unproven"));
        let [admitted] = view.admitted.as_slice() else { panic!("{view:?}") };
        assert_eq!(
            (admitted.model.as_str(), admitted.class.as_deref()),
            ("assay-pip", Some("cpu-fp32"))
        );
    }
    let answer = world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
    let job = world.admin.job(&answer.job).await;
    nodes.iter().for_each(|node| assert_outcome(&job, node, "agreed"));
    world.finish().await;
}

#[tokio::test]
async fn without_a_scorer_a_node_waits_and_is_tested_when_one_comes() {
    let world = testing().await;
    let nodes =
        [connect(&world, world.model.clone()).await, connect(&world, world.model.clone()).await];
    for node in &nodes {
        node.wait_for("is told to wait", |seen| {
            seen.standings.last().is_some_and(|last| last.code == StandingCode::NoScorer)
        })
        .await;
    }
    let view = world.admin.node(nodes[0].id()).await;
    assert_eq!((view.state.as_str(), view.code.as_str()), ("testing", "no_scorer"));
    let refusal = world.client.plain(&Ask::say("Hello!")).await.expect_err("nobody serves yet");
    assert_eq!(refusal.status, 503);

    let _scorer = world.scorer().await;
    for node in &nodes {
        node.is_active().await;
        assert_eq!(node.seen().starts, 0);
    }
    world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
    world.finish().await;
}

/// Half precision flips one token in a thousand; what it reports along with them gives it away at once.
#[tokio::test]
async fn a_node_that_runs_other_weights_is_not_let_in() {
    let world = testing().await;
    let _scorer = world.scorer().await;
    let node = connect(&world, Model::disguised("fp16")).await;
    let seen = node
        .wait_for("is told that it failed", |seen| {
            seen.standings.last().is_some_and(|last| last.code == StandingCode::SelfTestFailed)
        })
        .await;
    let told = seen.standings.last().expect("a standing");
    assert_eq!(told.state, NodeState::Testing);
    assert!(told.reason.contains("not that of the model"), "{told:?}");
    let view = world.admin.node(node.id()).await;
    assert_eq!(view.self_test_failure.as_deref(), Some(told.reason.as_str()));
    assert!(view.admitted.is_empty());
    assert_eq!(view.reputation[0].failures, 0.0, "nobody was cheated yet");
    world.finish().await;
}

/// It takes one place among the tests, however many nodes it has, for as long as a first token may take; and a new
/// session is no new turn.
#[tokio::test]
async fn an_owner_of_silent_nodes_keeps_nobody_else_from_being_tested() {
    let world = testing().await;
    let _scorer = world.scorer().await;
    let operator = world.operator().await;
    let silent = || Manners { test_pace: Pace::from(&Gate::closed()), ..Behaviour::Honest.into() };
    let mut identities = Vec::new();
    for _ in 0..6 {
        identities.push(world.enrol(operator).await);
    }
    let join = |identity: &Identity| {
        ScriptedNode::connect(identity.clone(), operator, world.model.clone(), silent())
    };
    let mut nodes: Vec<ScriptedNode> = identities.iter().map(join).collect();
    let is_tested = |node: &ScriptedNode| node.seen().self_tests > 0;
    let failed = |seen: &Seen| {
        seen.standings.last().is_some_and(|last| last.code == StandingCode::SelfTestFailed)
    };
    let first =
        wait_until("one of them is tested", async || nodes.iter().position(is_tested)).await;
    world.honest().await;
    let tested = nodes.iter().filter(|node| is_tested(node)).count();
    let done = nodes.iter().filter(|node| failed(&node.seen())).count();
    assert!(tested <= done + 1, "one of its nodes at a time: {tested} began, {done} ended");

    let told = nodes[first].wait_for("is told that it failed", failed).await;
    let reason = &told.standings.last().expect("a standing").reason;
    assert!(reason.contains("its first token took too long"), "{reason}");
    nodes[first] = join(&identities[first]);
    wait_until("the next two of them have failed", async || {
        (nodes.iter().filter(|node| failed(&node.seen())).count() == 2).then_some(())
    })
    .await;
    assert_eq!(nodes[first].seen().self_tests, 0, "it waits for its next turn");
    world.finish().await;
}

//! What failed checks lead to: a quarantine, a ban once they are proven, and neither of them ends with a restart.

use assay_protocol::{CloseCode, NodeState, StandingCode};
use assay_tests::{Ask, Behaviour, ScriptedNode, World, scripted::Seen, wait_until};

/// Jobs after which whoever lies in each must be out.
const JOBS_MAX: i64 = 30;

/// Asks a different question each time: what a node knows already teaches nothing.
async fn ask(world: &World, number: i64) {
    let ask = Ask::say("Tell me a story.").with("seed", number);
    world.client.plain(&ask).await.expect("two are honest");
    world.admin.no_job_runs().await;
}

/// The same node again, whatever it was told before.
fn again(world: &World, node: &ScriptedNode, behaviour: Behaviour) -> ScriptedNode {
    let identity = node.identity.clone();
    ScriptedNode::connect(identity, node.operator, world.model.clone(), behaviour.into())
}

/// Jobs until the node stands there; every failed job of a quarantined node waits for its way back.
async fn jobs_until(world: &World, liar: &ScriptedNode, code: &str) -> i64 {
    for job in 1..=JOBS_MAX {
        ask(world, job).await;
        // A job is over a moment before its nodes are told, and only then has all come of it that does.
        let heard = |seen: &Seen| seen.outcomes.len() as i64 >= job || seen.closed.is_some();
        liar.wait_for("hears how its job ended, or is cut", heard).await;
        let view = world.admin.node(liar.id()).await;
        let told = liar.seen().standings.iter().any(|standing| standing.code.as_str() == code);
        if view.code == code || told {
            return job;
        }
        if view.state == "quarantined" {
            wait_until("the quarantine is over", async || {
                let state = world.admin.node(liar.id()).await.state;
                (state == "probation").then_some(())
            })
            .await;
        }
    }
    panic!("{code} did not come: {:#?}", world.admin.node(liar.id()).await);
}

#[tokio::test]
async fn a_node_that_fails_twice_is_out_for_a_while_also_after_a_restart() {
    let mut world = World::new().await;
    let scorer = world.scorer().await;
    let honest = [world.honest().await, world.honest().await];
    let liar = world.scripted(Behaviour::Canned).await;
    assert_eq!(jobs_until(&world, &liar, "failed_checks").await, 2, "a failure weighs 3 of 5");

    let seen = liar.wait_for("is told", |seen| seen.state == Some(NodeState::Quarantined)).await;
    let told = seen.standings.last().expect("a standing").clone();
    assert_eq!(told.code, StandingCode::FailedChecks);
    let view = world.admin.node(liar.id()).await;
    assert_eq!((view.state.as_str(), view.until_ms), ("quarantined", told.until_ms));
    assert!(view.reputation[0].cusum > 5.0 && view.reputation[0].checks_due > 0.0, "{view:?}");
    let starts = liar.seen().starts;
    ask(&world, 100).await;
    assert_eq!(liar.seen().starts, starts, "no job for it");
    for node in &honest {
        assert_eq!(world.admin.node(node.id()).await.reputation[0].failures, 0.0);
    }

    world.gateway.terminate();
    assert!(world.gateway.end().await.success());
    world.gateway.start_again().await;
    let view = world.admin.node(liar.id()).await;
    assert_eq!((view.state.as_str(), view.until_ms), ("quarantined", told.until_ms));
    assert!(view.reputation[0].cusum > 5.0, "{view:?}");
    let liar = again(&world, &liar, Behaviour::Honest);
    let seen = liar.wait_for("is told", |seen| seen.state == Some(NodeState::Quarantined)).await;
    assert_eq!(seen.standings.last(), Some(&told));

    // An admin may shorten it.
    world.admin.unban(liar.id()).await;
    liar.is_active().await;
    drop((scorer, honest));
    world.finish().await;
}

#[tokio::test]
async fn after_a_quarantine_a_node_is_tested_anew() {
    let world = World::with("[nodes]\nself_test = true\nquarantine_ms = 200").await;
    let _scorer = world.scorer().await;
    let _honest = [world.honest().await, world.honest().await];
    let liar = world.scripted(Behaviour::Canned).await;
    let tests = liar.seen().self_tests;
    for job in 1..=2 {
        ask(&world, job).await;
    }
    let seen = liar
        .wait_for("comes back", |seen| {
            let out = seen.standings.iter().position(|s| s.state == NodeState::Quarantined);
            let back = |at: usize| seen.standings[at..].iter().any(|s| s.state.serves());
            out.is_some_and(back)
        })
        .await;
    assert!(seen.self_tests > tests, "{seen:?}");
    world.finish().await;
}

#[tokio::test]
async fn failures_that_two_scorers_find_ban_a_node_for_good() {
    let mut world = World::with("[nodes]\nquarantine_ms = 1").await;
    let _scorers = [world.scorer().await, world.scorer().await];
    let _honest = [world.honest().await, world.honest().await];
    let liar = world.scripted(Behaviour::Canned).await;
    assert_eq!(jobs_until(&world, &liar, "proven_cheating").await, 4, "four failed checks");
    let seen = liar.wait_for("is cut", |seen| seen.closed.is_some()).await;
    assert_eq!(seen.closed.map(|(code, _)| code), Some(CloseCode::Banned));
    let view = world.admin.node(liar.id()).await;
    assert_eq!((view.state.as_str(), view.reputation[0].proofs), ("banned", 4), "{view:?}");

    world.gateway.terminate();
    assert!(world.gateway.end().await.success());
    world.gateway.start_again().await;
    let back = again(&world, &liar, Behaviour::Honest);
    let seen = back.wait_for("is turned away", |seen| seen.closed.is_some()).await;
    assert_eq!(seen.closed.map(|(code, _)| code), Some(CloseCode::Banned));
    assert_eq!(world.admin.node(liar.id()).await.code, "proven_cheating");
    world.finish().await;
}

#[tokio::test]
async fn what_one_scorer_finds_alone_bans_nobody() {
    let world = World::with("[nodes]\nquarantine_ms = 1").await;
    let _scorer = world.scorer().await;
    let _honest = [world.honest().await, world.honest().await];
    let liar = world.scripted(Behaviour::Canned).await;
    let jobs = jobs_until(&world, &liar, "ban_candidate").await;
    assert_eq!(jobs, 4);
    let view = world.admin.node(liar.id()).await;
    assert_eq!(view.reputation[0].proofs, 0, "{view:?}");
    assert!(liar.seen().closed.is_none());
    world.finish().await;
}

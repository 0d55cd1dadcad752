//! How a machine becomes a node, and what a gateway shows of it.

use assay_tests::{
    Ask, Behaviour, ScriptedNode, World,
    scripted::{End, Identity},
};

#[tokio::test]
async fn an_enrolment_token_makes_one_node_and_no_second() {
    let world = World::new().await;
    let operator = world.operator().await;
    let token = world.admin.enrolment_token(operator).await;
    let url = world.gateway.url();
    let first = Identity::enrol(&url, &token, "first").await.expect("a fresh token");
    let error = Identity::enrol(&url, &token, "second").await.expect_err("a spent token");
    assert!(error.to_string().contains("409"), "{error}");
    let error = Identity::enrol(&url, "et-made-up", "third").await.expect_err("no token");
    assert!(error.to_string().contains("401"), "{error}");
    assert_eq!(world.admin.node(first.node).await.state, "offline");
    world.finish().await;
}

#[tokio::test]
async fn another_key_cannot_log_in_as_a_node() {
    let world = World::new().await;
    let (one, two) =
        (world.enrol(world.operator().await).await, world.enrol(world.operator().await).await);
    let thief = Identity { key: two.key, ..one };
    let operator = world.operator().await;
    let node =
        ScriptedNode::connect(thief, operator, world.model.clone(), Behaviour::Honest.into());
    let seen = node.wait_for("is turned away", |seen| seen.end.is_some()).await;
    assert_eq!(seen.end, Some(End::Closed { retry_after: None }));
    world.finish().await;
}

#[tokio::test]
async fn a_newer_session_takes_the_place_of_the_older_one() {
    let world = World::new().await;
    let older = world.honest().await;
    let newer = ScriptedNode::connect(
        older.identity.clone(),
        older.operator,
        world.model.clone(),
        Behaviour::Honest.into(),
    );
    newer.is_active().await;
    older.wait_for("has to leave", |seen| seen.closed.is_some()).await;
    world.admin.node_serves(newer.id()).await;
    world.finish().await;
}

#[tokio::test]
async fn a_scorer_writes_no_answers() {
    let world = World::new().await;
    let scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await];
    let answer = world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
    let job = world.admin.job(&answer.job).await;
    assert_eq!(scorer.seen().starts, 0);
    assert!(job.parts.iter().all(|part| part.role != "generate" || part.node != scorer.id()));
    world.finish().await;
}

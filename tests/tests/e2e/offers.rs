//! Nodes that take no offer, or never answer one: the others do not wait for them.

use std::time::Duration;

use assay_protocol::CloseCode;
use assay_tests::{Ask, Behaviour, ScriptedNode, World, scripted::Manners};
use futures_util::future::join_all;

use crate::expect::{assert_outcome, assert_paid};

/// It would look busy for ever.
#[tokio::test]
async fn a_node_that_has_no_slots_is_turned_away_and_nobody_waits_for_it() {
    // Longer than a story's patience.
    let world = World::with("[serving]\nplace_wait_ms = 100000").await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await];
    let operator = world.operator().await;
    let identity = world.enrol(operator).await;
    let manners = Manners { slots: 0, ..Behaviour::Honest.into() };
    let idle = ScriptedNode::connect(identity, operator, world.model.clone(), manners);
    let seen = idle.wait_for("is turned away", |seen| seen.closed.is_some()).await;
    let (code, reason) = seen.closed.expect("a reason");
    assert!(code == CloseCode::Violation && reason.contains("slots"), "{code:?}: {reason}");

    let answer = world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
    assert_eq!(idle.seen().offers, 0);
    let job = world.admin.job(&answer.job).await;
    assert_paid(&world, &job, &[(&nodes[0]).into(), (&nodes[1]).into()], 2).await;
    world.finish().await;
}

#[tokio::test]
async fn a_node_that_answers_no_offer_is_left_out_and_not_asked_again_for_a_while() {
    let world = World::with("[serving]\nplace_wait_ms = 100000").await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await];
    let silent = world.scripted(Behaviour::Silent).await;

    let answer = world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
    let job = world.admin.job(&answer.job).await;
    assert_eq!((silent.seen().offers, silent.seen().starts), (1, 0));
    assert_paid(&world, &job, &[(&nodes[0]).into(), (&nodes[1]).into()], 2).await;

    let again = world.client.plain(&Ask::say("Who are you?")).await.expect("an answer");
    let job = world.admin.job(&again.job).await;
    for node in &nodes {
        assert_outcome(&job, node, "agreed");
    }
    assert_eq!(silent.seen().offers, 1, "silence is remembered");
    world.finish().await;
}

/// Each has a place for one job, so none of these jobs gets its set while another holds a part of it; and somebody who
/// refuses makes them look for others again and again.
#[tokio::test]
async fn jobs_that_want_the_same_few_nodes_all_get_their_sets() {
    let world = World::with("[serving]\nplace_wait_ms = 100000").await;
    let _scorer = world.scorer().await;
    let _refuses = world.scripted(Behaviour::Refuse).await;
    let thinks = Duration::from_millis(20);
    let manners = Manners { slots: 1, thinks, ..Behaviour::Honest.into() };
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(world.scripted_of(world.operator().await, manners.clone()).await);
    }
    let asks: Vec<Ask> =
        (0..12).map(|seed| Ask::say("Hello!").max_tokens(4).with("seed", seed)).collect();
    for answer in join_all(asks.iter().map(|ask| world.client.plain(ask))).await {
        let answer = answer.expect("an answer");
        assert_eq!(answer.json["x_assay"]["nodes_asked"], 3, "{}", answer.json);
    }
    for node in &nodes {
        assert_eq!(node.seen().closed, None, "whoever is asked again has broken no rule");
    }
    world.finish().await;
}

//! Nodes that break the protocol are cut, their jobs go on without them, and the client notices nothing.

use assay_protocol::CloseCode;
use assay_tests::{Ask, Behaviour, World};

use crate::expect::{assert_outcome, assert_paid, assert_undisturbed};

#[tokio::test]
async fn a_node_that_floods_is_cut_and_its_job_goes_on() {
    is_cut(Behaviour::Flood).await;
}

#[tokio::test]
async fn a_node_that_miscounts_its_tokens_is_cut_and_its_job_goes_on() {
    is_cut(Behaviour::WrongCount).await;
}

#[tokio::test]
async fn a_node_that_lies_about_a_chunks_size_is_cut_and_its_job_goes_on() {
    is_cut(Behaviour::WrongSize).await;
}

#[tokio::test]
async fn a_node_that_sends_garbage_is_cut_and_its_job_goes_on() {
    is_cut(Behaviour::Garbage).await;
}

#[tokio::test]
async fn a_node_that_sends_an_oversized_message_is_cut_and_its_job_goes_on() {
    is_cut(Behaviour::Oversized).await;
}

#[tokio::test]
async fn a_node_whose_signature_does_not_hold_is_cut_and_its_job_goes_on() {
    is_cut(Behaviour::BadSignature).await;
}

#[tokio::test]
async fn a_node_that_skips_the_signature_at_its_64th_token_is_cut_and_its_job_goes_on() {
    is_cut_while_it_writes(Behaviour::SkipSignature, 80).await;
}

async fn is_cut(behaviour: Behaviour) {
    is_cut_while_it_writes(behaviour, 12).await;
}

async fn is_cut_while_it_writes(behaviour: Behaviour, tokens: u32) {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await];
    let abuser = world.scripted(behaviour).await;

    let ask = Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(tokens);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;

    world.admin.node_is(abuser.id(), "offline").await;
    let seen = abuser.wait_for("has lost its session", |seen| seen.end.is_some()).await;
    if let Some((code, reason)) = seen.closed {
        assert_eq!(code, CloseCode::Violation, "{reason}");
    }
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &abuser, "violation");
    assert_paid(&world, &job, &[(&nodes[0]).into(), (&nodes[1]).into()], 3).await;
    world.finish().await;
}

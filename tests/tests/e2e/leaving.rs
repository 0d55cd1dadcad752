//! Clients that leave, and nodes that do not listen when they are told to stop.

use assay_protocol::CancelReason;
use assay_tests::{Ask, Behaviour, Gate, World, money::Split, scripted::Told};
use tokio::task::JoinSet;

use crate::expect::{assert_outcome, assert_paid, assert_split};

const SOME: usize = 10;
const NOTHING: Split = Split { cost: 0, fee: 0, each: 0, reserve: 0 };

fn long(world: &World) -> Ask {
    Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(60)
}

#[tokio::test]
async fn a_client_that_leaves_before_anything_is_agreed_pays_nothing() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gates = [Gate::closed(), Gate::closed()];
    let nodes = [
        world.paced(Behaviour::Honest, &gates[0]).await,
        world.paced(Behaviour::Honest, &gates[1]).await,
    ];
    // One node's word alone is no answer.
    gates[0].allow(SOME);
    let (client, ask) = (world.client.clone(), long(&world));
    let mut asking = JoinSet::new();
    asking.spawn(async move { client.plain(&ask).await });
    nodes[0].wait_for("has sent some", |seen| seen.tokens_sent as usize == SOME).await;
    nodes[1].is_started().await;
    asking.abort_all();

    for node in &nodes {
        let left = Told::Cancel(CancelReason::ClientLeft);
        node.wait_for("is told to stop", |seen| seen.told.contains(&left)).await;
    }
    world.admin.no_job_runs().await;
    let job = &world.admin.jobs().await[0];
    assert_eq!((job.state.as_str(), job.completion_tokens), ("cancelled", 0), "{job:#?}");
    assert_split(&world, job, &[], NOTHING).await;
    world.finish().await;
}

/// What two colluders agreed on is checked although nobody waits for it any more.
#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_a_lie_pays_nothing() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gates = [Gate::closed(), Gate::closed()];
    let liars = [
        world.paced(Behaviour::Canned, &gates[0]).await,
        world.paced(Behaviour::Canned, &gates[1]).await,
    ];
    gates.iter().for_each(|gate| gate.allow(SOME));
    let mut stream = world.client.stream(&long(&world)).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    let job = stream.job.clone();
    drop(stream);

    let job = world.admin.job(&job).await;
    assert_eq!(job.state, "cancelled", "{job:#?}");
    for liar in &liars {
        assert_outcome(&job, liar, "failed_spot_check");
    }
    assert_split(&world, &job, &[], NOTHING).await;
    world.finish().await;
}

#[tokio::test]
async fn a_node_that_does_not_stop_when_it_is_told_to_has_left() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
    let nodes = [
        world.paced(Behaviour::Honest, &gates[0]).await,
        world.paced(Behaviour::Honest, &gates[1]).await,
    ];
    let deaf = world.paced(Behaviour::Deaf, &gates[2]).await;
    let ask = long(&world);
    let expected = world.model.expected(&ask).await;
    let some = world.model.text(&expected.ids[..SOME]);
    gates.iter().for_each(|gate| gate.allow(SOME));

    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| text.len() >= some.len()).await;
    for node in nodes.iter().chain([&deaf]) {
        node.wait_for("has sent some", |seen| seen.tokens_sent as usize == SOME).await;
    }
    let job = stream.job.clone();
    drop(stream);

    let job = world.admin.job(&job).await;
    assert_eq!((job.state.as_str(), job.completion_tokens as usize), ("cancelled", SOME));
    assert_outcome(&job, &deaf, "left");
    assert_paid(&world, &job, &[(&nodes[0]).into(), (&nodes[1]).into()], 3).await;
    world.finish().await;
}

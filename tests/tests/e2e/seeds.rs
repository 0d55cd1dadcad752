//! Sampling is dictated: at any temperature honest nodes say the same, and who draws otherwise is caught.

use assay_tests::{Ask, Behaviour, World};

use crate::expect::{assert_outcome, assert_paid, assert_undisturbed};

fn warm(world: &World, seed: i64) -> Ask {
    let ask = Ask::say("Tell me a story.").with("temperature", 1.5).with("seed", seed);
    ask.endless(world.model.end_token).max_tokens(40)
}

#[tokio::test]
async fn honest_nodes_agree_at_a_temperature_and_the_same_seed_gives_the_same_text() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await, world.honest().await];

    let ask = warm(&world, 11);
    let first = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &first).await;
    let job = world.admin.job(&first.job).await;
    let passed: Vec<_> = nodes.iter().map(Into::into).collect();
    assert_paid(&world, &job, &passed, 3).await;

    let again = world.client.plain(&ask).await.expect("an answer");
    assert_eq!(again.text, first.text);
    let other = world.client.plain(&warm(&world, 12)).await.expect("an answer");
    assert_ne!(other.text, first.text, "another seed, another story");
    world.finish().await;
}

/// Real engines in processes of their own agree with each other and with ours.
#[tokio::test]
async fn real_nodes_agree_at_a_temperature() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let (one, two) = (world.agent().await, world.agent().await);

    let ask = warm(&world, 5);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    let job = world.admin.job(&answer.job).await;
    assert_paid(&world, &job, &[(&one).into(), (&two).into()], 2).await;
    world.finish().await;
}

#[tokio::test]
async fn a_node_that_ignores_the_seed_is_caught() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let (one, two) = (world.honest().await, world.honest().await);
    let liar = world.scripted(Behaviour::IgnoreSeed).await;

    let ask = warm(&world, 11);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &liar, "failed_spot_check");
    assert_paid(&world, &job, &[(&one).into(), (&two).into()], 3).await;
    world.finish().await;
}

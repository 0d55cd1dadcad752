//! Answers that match: all share the pay, or those of the majority do.

use std::process::Command;

use assay_protocol::NodeId;
use assay_tests::{Ask, Behaviour, World, binaries, process::Process, wait_until};

use crate::expect::{assert_outcome, assert_paid, assert_undisturbed};

/// The main story: real node agents, a real scorer, the real gateway, a plain chat.
#[tokio::test]
async fn three_real_nodes_agree_and_are_paid_a_third_each() {
    let world = World::new().await;
    let _scorer = world.scorer_agent().await;
    let (one, two, three) = (world.agent().await, world.agent().await, world.agent().await);

    let ask = Ask::say("Hello! Who are you?");
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;

    let job = world.admin.job(&answer.job).await;
    assert_eq!((job.state.as_str(), job.rounds), ("succeeded", 1));
    assert_eq!(job.prompt_tokens, answer.prompt_tokens);
    assert_eq!(job.completion_tokens, answer.completion_tokens);
    for agent in [&one, &two, &three] {
        assert_outcome(&job, agent, "agreed");
    }
    assert_paid(&world, &job, &[(&one).into(), (&two).into(), (&three).into()], 3).await;
    world.finish().await;
}

#[tokio::test]
async fn two_of_three_agree_and_share_the_pay() {
    let world = World::new().await;
    let scorer = world.scorer().await;
    let (one, two) = (world.honest().await, world.honest().await);
    let liar = world.scripted(Behaviour::Canned).await;

    let ask = Ask::say("Tell me a story.").max_tokens(40);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;

    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &one, "agreed");
    assert_outcome(&job, &two, "agreed");
    assert_outcome(&job, &liar, "failed_spot_check");
    assert_paid(&world, &job, &[(&one).into(), (&two).into()], 3).await;
    assert_eq!(world.admin.earned(liar.operator).await, 0);

    let (outcome, reason) = liar.outcome().await;
    assert_eq!((outcome.as_str(), &reason), ("failed_spot_check", &job.part(liar.id()).reason));
    assert!(scorer.seen().scored > 0, "dissent is scored even against a majority");
    world.finish().await;
}

/// With fewer owners than wanted, agreement alone is not enough.
#[tokio::test]
async fn two_nodes_that_agree_are_scored_before_they_are_paid() {
    let world = World::new().await;
    let scorer = world.scorer().await;
    let (one, two) = (world.honest().await, world.honest().await);

    let ask = Ask::say("Count to five.");
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;

    let job = world.admin.job(&answer.job).await;
    assert_paid(&world, &job, &[(&one).into(), (&two).into()], 2).await;
    assert!(scorer.seen().scored > 0, "the pair was scored");
    world.finish().await;
}

/// What `cargo xtask demo --cheat random` shows: the program that cheats, as a process.
#[tokio::test]
async fn the_cheat_of_the_demonstration_is_caught() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let (one, two) = (world.honest().await, world.honest().await);
    let operator = world.operator().await;
    let token = world.admin.enrolment_token(operator).await;
    let mut command = Command::new(binaries::binary("scripted-node"));
    command.args(["--gateway", &world.gateway.url(), "--token", &token, "--kind", "random"]);
    command.arg("--model").arg(binaries::demo_model());
    let mut cheat =
        Process::start("scripted-node", &world.folder().join("cheat.log"), &mut command);
    let id: NodeId = wait_until("the cheat says who it is", async || {
        assert!(cheat.ended().is_none(), "it ended: {}", cheat.log());
        let log = cheat.log();
        log.strip_prefix("enrolled as node ")?.split(' ').next()?.parse().ok()
    })
    .await;
    world.admin.node_serves(id).await;

    let ask = Ask::say("Tell me a story.");
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    let job = world.admin.job(&answer.job).await;
    assert_eq!(job.part(id).outcome, "failed_spot_check", "{job:#?}");
    assert_paid(&world, &job, &[(&one).into(), (&two).into()], 3).await;
    wait_until("the cheat reads why", async || {
        cheat.log().contains("failed_spot_check").then_some(())
    })
    .await;
    world.finish().await;
}

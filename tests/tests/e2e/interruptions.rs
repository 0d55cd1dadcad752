//! Nodes that leave in the middle of an answer: a pause at most, never a cost, never a seam in the text.

use assay_tests::{Ask, Behaviour, Gate, World};

use crate::expect::{assert_outcome, assert_paid, assert_paid_by_work, assert_undisturbed};

fn long(world: &World, tokens: u32) -> Ask {
    Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(tokens)
}

#[tokio::test]
async fn a_node_killed_in_the_middle_of_an_answer_costs_the_client_nothing() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let (one, two) = (Gate::closed(), Gate::closed());
    let others =
        [world.paced(Behaviour::Honest, &one).await, world.paced(Behaviour::Honest, &two).await];
    let mut victim = world.agent().await;
    let ask = long(&world, 900);
    let expected = world.model.expected(&ask).await;

    // With one of the others silent, only the victim can have agreed to the first token.
    one.allow(1);
    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    victim.kill_nine();
    one.open();
    two.open();
    let job = stream.job.clone();
    let streamed = stream.rest().await;
    assert!(streamed.done);
    assert_eq!(streamed.text, world.model.text(&expected.ids));

    let job = world.admin.job(&job).await;
    assert_outcome(&job, &victim, "left");
    assert!((1..900).contains(&job.part(victim.id).tokens), "it was in the middle: {job:#?}");
    assert_paid(&world, &job, &[(&others[0]).into(), (&others[1]).into()], 3).await;
    world.finish().await;
}

#[tokio::test]
async fn a_fresh_node_goes_on_from_the_agreed_tokens() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
    let stays = world.paced(Behaviour::Honest, &gates[0]).await;
    let leave = [
        world.paced(Behaviour::Vanish, &gates[1]).await,
        world.paced(Behaviour::Vanish, &gates[2]).await,
    ];
    let ask = long(&world, 80);

    let asking = async { world.client.plain(&ask).await.expect("an answer") };
    let meanwhile = async {
        for node in leave.iter().chain([&stays]) {
            node.is_started().await;
        }
        // The set is complete: the fresh node can only step in.
        let fresh = world.honest().await;
        gates.iter().for_each(|gate| gate.allow(12));
        stays.wait_for("has sent some", |seen| seen.tokens_sent == 12).await;
        gates[1].open();
        gates[2].open();
        fresh.is_started().await;
        gates[0].open();
        fresh
    };
    let (answer, fresh) = tokio::join!(asking, meanwhile);
    assert_undisturbed(&world, &ask, &answer).await;
    assert!(fresh.seen().prefix_tokens >= 12, "it did not start over: {:?}", fresh.seen());

    let job = world.admin.job(&answer.job).await;
    assert_eq!((job.state.as_str(), job.rounds), ("succeeded", 1));
    for node in &leave {
        assert_outcome(&job, node, "left");
    }
    let passed = [((&stays).into(), 0), ((&fresh).into(), fresh.seen().prefix_tokens)];
    assert_paid_by_work(&world, &job, &passed, 3).await;
    world.finish().await;
}

#[tokio::test]
async fn a_node_that_stalls_is_left_behind_and_not_paid() {
    let world = World::with("[serving]\nstall_ms = 3000").await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await];
    let stalls = world.scripted(Behaviour::Stall).await;
    let ask = long(&world, 40);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &stalls, "left");
    assert_paid(&world, &job, &[(&nodes[0]).into(), (&nodes[1]).into()], 3).await;
    world.finish().await;
}

#[tokio::test]
async fn at_the_deadline_the_two_who_agreed_are_judged_without_the_straggler() {
    a_straggler_meets_the_deadline("standard").await;
}

#[tokio::test]
async fn at_high_risk_the_two_who_agreed_are_still_scored_at_the_deadline() {
    a_straggler_meets_the_deadline("high").await;
}

/// The client waits for the verdict, and the verdict for the straggler: until the job's time is over.
async fn a_straggler_meets_the_deadline(risk: &'static str) {
    let world = World::with("[serving]\njob_deadline_ms = 4000").await;
    let scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await];
    let gate = Gate::closed();
    gate.allow(3);
    let straggler = world.paced(Behaviour::Honest, &gate).await;
    let ask = long(&world, 60).risk(risk);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_undisturbed(&world, &ask, &answer).await;
    assert!(scorer.seen().scored > 0, "nobody knows these nodes yet");
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &straggler, "cancelled");
    assert_paid(&world, &job, &[(&nodes[0]).into(), (&nodes[1]).into()], 3).await;
    world.finish().await;
}

/// Up to the stop string and without it, whoever writes it.
#[tokio::test]
async fn a_stop_string_is_found_although_the_node_that_began_is_lost() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gates = [Gate::closed(), Gate::closed()];
    let stays = world.paced(Behaviour::Honest, &gates[0]).await;
    let leaves = world.paced(Behaviour::Honest, &gates[1]).await;
    let (ask, until) = stopped(&world).await;
    gates.iter().for_each(|gate| gate.allow(12));

    let asking = async { world.client.plain(&ask).await.expect("an answer") };
    let meanwhile = async {
        for node in [&stays, &leaves] {
            node.wait_for("has sent some", |seen| seen.tokens_sent == 12).await;
        }
        let fresh = world.honest().await;
        drop(leaves);
        gates[0].open();
        fresh
    };
    let (answer, fresh) = tokio::join!(asking, meanwhile);
    assert_eq!((answer.text.as_str(), answer.finish.as_str()), (until.as_str(), "stop"));
    assert!(fresh.seen().prefix_tokens > 0, "it did not start over: {:?}", fresh.seen());
    let job = world.admin.job(&answer.job).await;
    let passed = [((&stays).into(), 0), ((&fresh).into(), fresh.seen().prefix_tokens)];
    assert_paid_by_work(&world, &job, &passed, 2).await;
    world.finish().await;
}

/// It had said all that counts, but never signed it.
#[tokio::test]
async fn a_node_lost_after_the_stop_string_does_not_make_the_answer_longer() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gates = [Gate::closed(), Gate::closed()];
    let stays = world.paced(Behaviour::Honest, &gates[0]).await;
    let leaves = world.paced(Behaviour::Deaf, &gates[1]).await;
    let (ask, until) = stopped(&world).await;
    gates.iter().for_each(|gate| gate.allow(30));

    let asking = async { world.client.plain(&ask).await.expect("an answer") };
    let meanwhile = async {
        let fresh = world.honest().await;
        leaves.wait_for("is told where to end", |seen| !seen.told.is_empty()).await;
        drop(leaves);
        fresh
    };
    let (answer, fresh) = tokio::join!(asking, meanwhile);
    assert_eq!((answer.text.as_str(), answer.finish.as_str()), (until.as_str(), "stop"));
    let job = world.admin.job(&answer.job).await;
    assert_eq!(job.state, "succeeded", "{job:#?}");
    assert!(job.part(stays.id()).pay > 0, "{job:#?}");
    assert!(fresh.seen().tokens_sent <= 60, "{:?}", fresh.seen());
    world.finish().await;
}

/// A question with a stop string from the middle of its answer, across tokens, and the text before it.
async fn stopped(world: &World) -> (Ask, String) {
    let ask = long(world, 60);
    let expected = world.model.expected(&ask).await;
    let before = world.model.text(&expected.ids[..20]);
    let with = world.model.text(&expected.ids[..23]);
    let stop = &with[before.len() - 1..];
    let at = with.find(stop).expect("it is in there");
    (ask.with("stop", stop), with[..at].to_owned())
}

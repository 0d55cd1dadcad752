//! Verified streaming: what a client reads is agreed already, and what it does not read stays unsaid.

use assay_protocol::CancelReason;
use assay_tests::{Ask, Behaviour, Gate, ScriptedNode, World, scripted::Told, wait_until};

use crate::expect::{assert_outcome, assert_paid};

const SOME: usize = 10;

fn long(world: &World) -> Ask {
    Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(60)
}

/// Three honest nodes that each send what their gate allows.
async fn gated(world: &World) -> ([Gate; 3], [ScriptedNode; 3]) {
    let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
    let nodes = [
        world.paced(Behaviour::Honest, &gates[0]).await,
        world.paced(Behaviour::Honest, &gates[1]).await,
        world.paced(Behaviour::Honest, &gates[2]).await,
    ];
    (gates, nodes)
}

#[tokio::test]
async fn a_stream_brings_the_same_text_as_a_plain_answer_with_usage_and_verdict() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await, world.honest().await];

    let ask = Ask::say("Tell me a story.");
    let streamed = world.client.stream(&ask).await.expect("a stream").rest().await;
    let expected = world.model.expected(&ask).await;
    assert!(streamed.done, "it ends with [DONE]");
    assert_eq!(streamed.text, world.model.text(&expected.ids));
    assert_eq!(streamed.finish.as_deref(), Some(expected.finish.as_str()));
    assert_eq!(streamed.completion_tokens() as usize, expected.ids.len());
    let verdict = streamed.verdict.expect("how it was verified");
    assert_eq!(verdict["rule"], "agreement", "{verdict}");
    let first = &streamed.chunks[0];
    assert_eq!(first["choices"][0]["delta"]["role"], "assistant");
    for chunk in &streamed.chunks {
        assert_eq!((&chunk["id"], &chunk["created"]), (&first["id"], &first["created"]));
        assert_eq!(chunk["object"], "chat.completion.chunk");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_fast_liar_never_reaches_the_client() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let (one, two) = (Gate::closed(), Gate::closed());
    let honest =
        [world.paced(Behaviour::Honest, &one).await, world.paced(Behaviour::Honest, &two).await];
    let liar = world.scripted(Behaviour::Canned).await;
    let ask = long(&world);
    let expected = world.model.expected(&ask).await;
    let some = world.model.text(&expected.ids[..SOME]);

    let reading = async {
        let mut stream = world.client.stream(&ask).await.expect("a stream");
        stream.read_until(|text| text.len() >= some.len()).await;
        assert_eq!(stream.seen().text, some, "only what both honest nodes have said");
        one.open();
        two.open();
        (stream.job.clone(), stream.rest().await)
    };
    let holding_back = async {
        liar.wait_for("has told its whole lie", |seen| seen.completed == 1).await;
        one.allow(SOME + 7);
        two.allow(SOME);
    };
    let ((job, streamed), ()) = tokio::join!(reading, holding_back);
    assert!(streamed.done);
    assert_eq!(streamed.text, world.model.text(&expected.ids));

    let job = world.admin.job(&job).await;
    assert_outcome(&job, &liar, "failed_spot_check");
    assert_paid(&world, &job, &[(&honest[0]).into(), (&honest[1]).into()], 3).await;
    world.finish().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_pays_for_what_was_delivered_and_generation_stops() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let (gates, nodes) = gated(&world).await;
    let ask = long(&world);
    let expected = world.model.expected(&ask).await;
    let some = world.model.text(&expected.ids[..SOME]);
    gates.iter().for_each(|gate| gate.allow(SOME));

    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| text.len() >= some.len()).await;
    assert_eq!(stream.seen().text, some);
    // Every node has said as much as it may: what is agreed cannot change any more.
    for node in &nodes {
        node.wait_for("has sent some", |seen| seen.tokens_sent as usize == SOME).await;
    }
    let job = stream.job.clone();
    drop(stream);

    for (node, gate) in nodes.iter().zip(&gates) {
        let left = Told::Cancel(CancelReason::ClientLeft);
        node.wait_for("is told to stop", |seen| seen.told.contains(&left)).await;
        gate.open();
    }
    let job = world.admin.job(&job).await;
    assert_eq!((job.state.as_str(), job.completion_tokens as usize), ("cancelled", SOME));
    let paid: Vec<_> = nodes.iter().map(Into::into).collect();
    assert_paid(&world, &job, &paid, 3).await;
    for node in &nodes {
        assert_eq!(node.seen().tokens_sent as usize, SOME, "not a token more was written");
    }
    world.finish().await;
}

/// Real nodes stop too: their engines are free again long before the answer would have been whole.
#[tokio::test]
async fn a_client_that_hangs_up_stops_real_nodes() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let agents = [world.agent().await, world.agent().await];
    let ask = Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(900);
    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    let job = stream.job.clone();
    drop(stream);

    let job = world.admin.job(&job).await;
    assert_eq!(job.state, "cancelled", "{job:#?}");
    assert!((1..900).contains(&job.completion_tokens), "{job:#?}");
    let paid: Vec<_> = agents.iter().map(Into::into).collect();
    assert_paid(&world, &job, &paid, 2).await;
    for part in job.parts.iter().filter(|part| part.role == "generate") {
        assert!(part.tokens < 900, "{part:#?}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_stop_string_ends_the_answer_before_it_and_nodes_are_told() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let (gates, nodes) = gated(&world).await;
    let ask = long(&world);
    let expected = world.model.expected(&ask).await;
    // A stop string from the middle of what the model says, across tokens.
    let before = world.model.text(&expected.ids[..20]);
    let with = world.model.text(&expected.ids[..23]);
    let stop = &with[before.len() - 1..];
    let at = with.find(stop).expect("it is in there");
    let ask = ask.with("stop", stop);
    gates.iter().for_each(|gate| gate.allow(30));

    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_eq!(answer.text, with[..at], "up to the stop string {stop:?} and without it");
    assert_eq!(answer.finish, "stop");
    assert!(answer.completion_tokens <= 23, "{answer:?}");
    for node in &nodes {
        let seen = node.wait_for("is told where to end", |seen| !seen.told.is_empty()).await;
        assert_eq!(seen.told, [Told::Finish { at: answer.completion_tokens }]);
    }
    let job = world.admin.job(&answer.job).await;
    let paid: Vec<_> = nodes.iter().map(Into::into).collect();
    assert_paid(&world, &job, &paid, 3).await;
    world.finish().await;
}

#[tokio::test]
async fn an_answer_that_reaches_its_limit_ends_for_length() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await, world.honest().await];
    let ask = Ask::say("Tell me a story.").max_tokens(5);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_eq!((answer.finish.as_str(), answer.completion_tokens), ("length", 5));
    let expected = world.model.expected(&ask).await;
    assert_eq!(answer.text, world.model.text(&expected.ids));
    let job = world.admin.job(&answer.job).await;
    let paid: Vec<_> = nodes.iter().map(Into::into).collect();
    assert_paid(&world, &job, &paid, 3).await;
    world.finish().await;
}

/// `high` shows nothing before the verdict.
#[tokio::test]
async fn at_high_risk_nothing_is_released_before_everything_is_checked() {
    let world = World::new().await;
    let scorer = world.scorer().await;
    let (gates, nodes) = gated(&world).await;
    let ask = long(&world).risk("high");
    let expected = world.model.expected(&ask).await;
    gates.iter().for_each(|gate| gate.allow(SOME));

    let reading = async { world.client.stream(&ask).await.expect("a stream").rest().await };
    let holding_back = async {
        for node in &nodes {
            node.wait_for("has sent some", |seen| seen.tokens_sent as usize == SOME).await;
        }
        assert_eq!(scorer.seen().scored, 0);
        gates.iter().for_each(Gate::open);
    };
    let (streamed, ()) = tokio::join!(reading, holding_back);
    assert!(streamed.done);
    assert_eq!(streamed.text, world.model.text(&expected.ids));
    assert!(scorer.seen().scored > 0, "agreement is not enough at high risk");
    let verdict = streamed.verdict.expect("how it was verified");
    assert_eq!(verdict["positions_checked"], 60, "{verdict}");
    wait_until("the job is charged", async || {
        Some(world.admin.jobs().await.remove(0)).filter(|job| job.state == "succeeded")
    })
    .await;
    world.finish().await;
}

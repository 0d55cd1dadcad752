//! Requests with an Idempotency-Key: the same key and body get the same answer, and are charged once.

use assay_tests::{Ask, Behaviour, Gate, ScriptedNode, World, wait_until, world::CREDIT};
use reqwest::StatusCode;

const SOME: usize = 10;

/// Three honest nodes, each with a gate of its own: one that is fast takes nothing from the others.
async fn three(world: &World, gates: &[Gate; 3]) -> [ScriptedNode; 3] {
    let node = |at: usize| world.paced(Behaviour::Honest, &gates[at]);
    [node(0).await, node(1).await, node(2).await]
}

fn closed() -> [Gate; 3] {
    [Gate::closed(), Gate::closed(), Gate::closed()]
}

fn open(gates: &[Gate; 3]) {
    gates.iter().for_each(Gate::open);
}

async fn all_settled(world: &World, jobs: usize) -> i64 {
    world.admin.no_job_runs().await;
    let all = world.admin.jobs().await;
    assert_eq!(all.len(), jobs, "{all:#?}");
    let spent: i64 = all.iter().map(|job| job.cost).sum();
    assert_eq!(world.admin.balance(world.account).await.available, CREDIT - spent);
    spent
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_answer_and_are_charged_once() {
    let mut world = World::new().await;
    let _scorer = world.scorer().await;
    let gates = closed();
    open(&gates);
    let nodes = three(&world, &gates).await;
    let ask = Ask::say("Tell me a story.").with("temperature", 1).max_tokens(20).keyed("one");
    let ask = ask.with("seed", serde_json::Value::Null);
    let first = world.client.plain(&ask).await.expect("an answer");
    assert!(!first.replayed);
    let again = world.client.plain(&ask).await.expect("the same answer");
    assert!(again.replayed);
    assert_eq!((&again.json, &again.jobs), (&first.json, &first.jobs));
    assert!(all_settled(&world, 1).await > 0);

    // In another order it is the same body; with anything changed it is another.
    let fields = ask.body.as_object().unwrap().clone();
    let turned: serde_json::Map<_, _> = fields.into_iter().rev().collect();
    let turned = Ask { body: turned.into(), ..ask.clone() };
    assert!(world.client.plain(&turned).await.expect("the same answer").replayed);
    for other in
        [ask.clone().max_tokens(21), ask.clone().risk("low"), ask.clone().with("stream", true)]
    {
        let refused = world.client.plain(&other).await.expect_err("another request");
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert_eq!(refused.error["code"], "idempotency_key_reused");
        assert_eq!(refused.error["param"], "idempotency-key");
    }
    // What is wrong has the same name under a key as without one.
    for (prompt, code) in
        [("".to_owned(), "invalid_value"), ("Hi! ".repeat(2_000), "context_length_exceeded")]
    {
        for ask in [Ask::go_on(prompt.clone()), Ask::go_on(prompt).keyed("wrong")] {
            let refused = world.client.plain(&ask).await.expect_err("a wrong prompt");
            assert_eq!(
                (&refused.error["param"], &refused.error["code"]),
                (&"prompt".into(), &code.into())
            );
        }
    }
    // Another account's key is another key.
    let (_, stranger) = world.client_with(CREDIT).await;
    assert!(!stranger.plain(&ask).await.expect("their own answer").replayed);

    drop(nodes);
    world.admin.no_job_runs().await;
    world.gateway.terminate();
    world.gateway.end().await;
    world.gateway.start_again().await;
    let after = world.client.plain(&ask).await.expect("the same answer, with no node there");
    assert_eq!((after.replayed, after.json), (true, first.json));
    world.admin = assay_tests::Admin::log_in(&world.gateway.url()).await;
    world.finish().await;
}

#[tokio::test]
async fn a_stream_is_given_again_as_a_stream_and_goes_on_without_its_client() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gates = closed();
    let _nodes = three(&world, &gates).await;
    let ask = Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(30).keyed("s");
    let expected = world.model.text(&world.model.expected(&ask).await.ids);

    // The client loses its connection in the middle, and finds the whole answer when it comes again.
    gates.iter().for_each(|gate| gate.allow(SOME));
    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    let job = stream.job.clone();
    drop(stream);
    open(&gates);
    let again = world.client.stream(&ask).await.expect("the same stream");
    assert_eq!((again.replayed, &again.job), (true, &job));
    let again = again.rest().await;
    assert!(again.done);
    assert_eq!((again.text, again.finish.as_deref()), (expected, Some("length")));
    assert_eq!(again.usage.expect("the usage")["completion_tokens"], 30);
    assert_eq!(again.verdict.expect("a verdict")["receipt"], job.as_str());
    all_settled(&world, 1).await;
    world.finish().await;
}

#[tokio::test]
async fn who_asks_while_it_is_answered_waits_for_that_answer() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gates = closed();
    let nodes = three(&world, &gates).await;
    let ask = Ask::say("Hello!").max_tokens(20).keyed("both");
    let other = Ask::say("Something else").keyed("both");
    let asking = async { tokio::join!(world.client.plain(&ask), world.client.plain(&ask)) };
    let opening = async {
        for node in &nodes {
            node.wait_for("has begun", |seen| seen.starts == 1).await;
        }
        let refused = world.client.plain(&other).await.expect_err("the key is taken");
        assert_eq!(refused.error["code"], "idempotency_key_reused");
        open(&gates);
    };
    let ((one, two), ()) = tokio::join!(asking, opening);
    let (one, two) = (one.expect("an answer"), two.expect("an answer"));
    assert_eq!(one.json, two.json);
    assert_ne!(one.replayed, two.replayed, "one of them did the work");
    all_settled(&world, 1).await;
    world.finish().await;
}

#[tokio::test]
async fn who_asks_while_it_is_answered_for_long_is_told_to_come_again() {
    let world = World::with("[idempotency]\njoin_ms = 0").await;
    let _scorer = world.scorer().await;
    let gates = closed();
    let nodes = three(&world, &gates).await;
    let ask = Ask::say("Hello!").max_tokens(20).keyed("busy");
    let refusing = async {
        nodes[0].wait_for("has begun", |seen| seen.starts == 1).await;
        let refused = world.client.plain(&ask).await.expect_err("it is being answered");
        open(&gates);
        refused
    };
    let (answer, refused) = tokio::join!(world.client.plain(&ask), refusing);
    answer.expect("an answer");
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.error["code"], "idempotency_key_in_progress");
    assert_eq!(
        (&refused.headers["retry-after"], &refused.headers["retry-after-ms"]),
        (&"1".parse().unwrap(), &"1000".parse().unwrap())
    );
    assert!(world.client.plain(&ask).await.expect("the same answer").replayed);
    world.finish().await;
}

#[tokio::test]
async fn a_request_that_fails_frees_its_key() {
    let world = World::new().await;
    let ask = Ask::say("Hello!").max_tokens(20).keyed("again");
    let refused = world.client.plain(&ask).await.expect_err("there is no node");
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    let refused = world.client.stream(&ask.clone().with("top_k", 3)).await.expect_err("nor now");
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    let (account, poor) = world.client_with(1).await;
    assert_eq!(poor.plain(&ask).await.expect_err("no credit").error["code"], "insufficient_quota");

    let _scorer = world.scorer().await;
    let gates = closed();
    open(&gates);
    let _nodes = three(&world, &gates).await;
    assert!(!world.client.plain(&ask).await.expect("an answer").replayed);
    world.admin.grant(account, CREDIT).await;
    assert!(!poor.plain(&ask).await.expect("an answer").replayed);
    world.finish().await;
}

/// Between the hold and the answer: the hold is given back, the key is free, and one answer is charged in the end.
#[tokio::test]
async fn a_gateway_that_is_killed_in_the_middle_leaves_no_key_taken_and_no_charge() {
    let mut world = World::new().await;
    let scorer = world.scorer().await;
    let gates = closed();
    let nodes = three(&world, &gates).await;
    let ask = Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(30).keyed("k");
    gates.iter().for_each(|gate| gate.allow(SOME));
    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    world.gateway.kill_nine();
    drop((stream, scorer, nodes));
    world.gateway.start_again().await;
    world.admin = assay_tests::Admin::log_in(&world.gateway.url()).await;
    world.admin.no_job_runs().await;
    assert_eq!(world.admin.balance(world.account).await.available, CREDIT, "nothing was charged");

    open(&gates);
    let _scorer = world.scorer().await;
    let _nodes = three(&world, &gates).await;
    let streamed = world.client.stream(&ask).await.expect("a stream");
    assert!(!streamed.replayed);
    assert!(streamed.rest().await.done);
    let replayed = wait_until("the answer is given again", async || {
        world.client.stream(&ask).await.ok().filter(|stream| stream.replayed)
    });
    assert!(replayed.await.rest().await.done);
    all_settled(&world, 2).await;
    world.finish().await;
}

//! What usually goes wrong between an OpenAI-compatible server and its clients, one story for each: what others' users
//! complain about most. Tool calls without an index are in `tools.rs`.

use std::time::{Duration, Instant};

use assay_protocol::CancelReason;
use assay_tests::{
    Ask, Behaviour, ChatClient, Gate, Pace, ScriptedNode, World,
    money::{Factor, Tokens, cost},
    scripted::{Manners, Told},
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::receipts::checked_choice;

const SOME: usize = 10;

async fn three(world: &World, pace: impl Into<Pace>) -> [ScriptedNode; 3] {
    let manners = Manners { pace: pace.into(), slots: 8, ..Behaviour::Honest.into() };
    let node = async || world.scripted_of(world.operator().await, manners.clone()).await;
    [node().await, node().await, node().await]
}

fn long(world: &World) -> Ask {
    Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(60)
}

#[tokio::test]
async fn usage_in_a_stream_comes_once_without_choices_and_is_what_is_charged() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = three(&world, Pace::Free).await;
    for ask in [Ask::say("Hello!"), Ask::say("Hello!").with("n", 2), Ask::go_on("Once")] {
        let stream = world.client.stream(&ask).await.expect("a stream");
        let jobs = stream.jobs.clone();
        let seen = stream.rest().await;
        let (last, others) = seen.chunks.split_last().expect("chunks");
        assert_eq!(last["choices"], json!([]));
        for chunk in others {
            assert_eq!(chunk.get("usage"), Some(&Value::Null), "{chunk}");
            assert_eq!(chunk["choices"].as_array().map(Vec::len), Some(1), "{chunk}");
        }
        world.admin.no_job_runs().await;
        let (mut prompt, mut completion, mut spent) = (0, 0, 0);
        for job in &jobs {
            let job = world.admin.job(job).await;
            (prompt, completion) = (prompt + job.prompt_tokens, completion + job.completion_tokens);
            spent += job.cost;
            let tokens = Tokens { prompt: job.prompt_tokens, completion: job.completion_tokens };
            assert_eq!(job.cost, cost(tokens, Factor::Standard));
        }
        let expected = json!({"prompt_tokens": prompt, "completion_tokens": completion,
            "total_tokens": prompt + completion});
        assert_eq!(last["usage"], expected);
        assert!(spent > 0);
    }
    world.finish().await;
}

#[tokio::test]
async fn a_stream_that_broke_ends_with_an_error_event_and_never_with_done() {
    let settings = "[serving]\nfailover_wait_ms = 300\nplace_wait_ms = 300";
    let world = World::with(settings).await;
    let scorer = world.scorer().await;
    let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
    let mut nodes = Vec::new();
    for gate in &gates {
        gate.allow(SOME);
        nodes.push(world.paced(Behaviour::Honest, gate).await);
    }
    let mut stream = world.client.stream(&long(&world)).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    drop((nodes, scorer));
    let seen = stream.rest().await;
    let error = seen.error.expect("an error event");
    assert!(!seen.done && seen.finish.is_none() && seen.usage.is_none());
    assert_eq!(seen.chunks.last(), Some(&json!({"error": error})), "it is the last event");
    for key in ["message", "type", "param", "code"] {
        assert!(error.get(key).is_some(), "{error}");
    }
    world.finish().await;
}

/// Nodes send a token each 50 ms: whoever stops in time has sent no more than the one that was on its way.
#[tokio::test]
async fn generation_stops_at_once_when_the_client_left() {
    const EACH: Duration = Duration::from_millis(50);
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes = three(&world, Pace::Each(EACH)).await;
    let mut stream = world.client.stream(&long(&world)).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    let before: Vec<u32> = nodes.iter().map(|node| node.seen().tokens_sent).collect();
    drop(stream);
    let dropped = Instant::now();
    for (node, before) in nodes.iter().zip(before) {
        let left = Told::Cancel(CancelReason::ClientLeft);
        let seen = node.wait_for("is told to stop", |seen| seen.told.contains(&left)).await;
        println!("told to stop within {:?}", dropped.elapsed());
        assert!(seen.tokens_sent <= before + 2, "{} after {before}", seen.tokens_sent);
    }
    world.finish().await;
}

/// Nobody says anything for longer than a connection may be silent: the stream begins all the same, and lives on comments.
#[tokio::test]
async fn a_silent_stream_is_kept_alive_from_its_beginning() {
    let settings =
        "[limits]\nkeep_alive_ms = 100\n[serving]\nfailover_wait_ms = 300\nplace_wait_ms = 300";
    let world = World::with(settings).await;
    let scorer = world.scorer().await;
    let gate = Gate::closed();
    let nodes = three(&world, &gate).await;
    let mut stream = world.client.stream(&long(&world)).await.expect("a stream");
    stream.comment().await;
    assert!(nodes.iter().all(|node| node.seen().tokens_sent == 0));
    gate.open();
    let streamed = stream.rest().await;
    assert!(streamed.done && streamed.error.is_none(), "{streamed:?}");
    assert_eq!(streamed.text, world.model.text(&world.model.expected(&long(&world)).await.ids));

    // What goes wrong after that ends the stream.
    drop(nodes);
    let nodes = three(&world, &Gate::closed()).await;
    let mut stream = world.client.stream(&long(&world)).await.expect("a stream");
    stream.comment().await;
    drop((nodes, scorer));
    let streamed = stream.rest().await;
    assert!(!streamed.done && streamed.finish.is_none());
    assert_eq!(streamed.error.expect("an error")["type"], "server_error");
    world.finish().await;
}

#[tokio::test]
async fn a_budget_is_not_overrun_by_requests_at_once() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gate = Gate::closed();
    let _nodes = three(&world, &gate).await;
    let ask = Ask::say("Hello!").max_tokens(8);
    let prompt = u32::try_from(world.model.prompt("Hello!").len()).expect("a short prompt");
    let most = cost(Tokens { prompt, completion: 8 }, Factor::Standard);
    // Enough for five; two of them ask for two choices.
    let key = world.admin.new_key(world.account, Some(5 * most)).await;
    let client = ChatClient::new(&world.gateway.url(), &key.key);
    let mut asking = JoinSet::new();
    for number in 0..10 {
        let (client, ask) = (client.clone(), ask.clone().with("n", 1 + number % 2));
        asking.spawn(async move { client.plain(&ask).await.map(|answer| answer.jobs.len()) });
    }
    let mut opened = 0;
    let mut refused = 0;
    // While the gate is closed only refusals come; what is held is then all there is.
    while refused < 5 {
        let one = asking.join_next().await.expect("more than five").expect("it ends");
        let refusal = one.expect_err("the gate is closed");
        assert_eq!(refusal.error["type"], "insufficient_quota");
        assert_eq!(refusal.error["code"], "key_budget_exceeded");
        refused += 1;
    }
    gate.open();
    while let Some(one) = asking.join_next().await {
        opened += one.expect("it ends").map_or(0, |choices| choices);
    }
    assert!((1..=5).contains(&opened), "{opened} choices of five");
    world.admin.no_job_runs().await;
    let spent: i64 = world.admin.jobs().await.iter().map(|job| job.cost).sum();
    assert!((1..=5 * most).contains(&spent), "{spent} of {}", 5 * most);
    world.finish().await;
}

/// The receipt binds what was really sampled with, and its check holds that to the request.
#[tokio::test]
async fn no_parameter_is_dropped_on_its_way() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = three(&world, Pace::Free).await;
    let all = |ask: Ask| {
        ask.with("temperature", 1.3)
            .with("top_p", 0.9)
            .with("top_k", 40)
            .with("min_p", 0.01)
            .with("presence_penalty", 0.5)
            .with("frequency_penalty", -0.5)
            .with("logit_bias", json!({"5": -3, "7": 2.5}))
            .with("stop", json!(["zzz", "yyy"]))
            .with("n", 2)
    };
    let chat = all(Ask::say("Tell me a story.")).with("max_completion_tokens", 9);
    let older = all(Ask::say("Tell me a story.")).max_tokens(9);
    let raw = all(Ask::go_on("Once upon")).max_tokens(9);
    for ask in [chat, older, raw] {
        let answer = world.client.plain(&ask).await.expect("an answer");
        for job in &answer.jobs {
            let checked = checked_choice(&world, &ask, &answer.json, job).await;
            let sampling = &checked.receipt.sampling;
            assert_eq!((sampling.temperature, sampling.top_k), (1.3, 40));
            assert_eq!(sampling.logit_bias, [(5, -3.0), (7, 2.5)]);
            assert_eq!(checked.receipt.max_tokens, 9);
        }
    }
    world.finish().await;
}

#[tokio::test]
async fn every_token_is_read_before_the_next_one_is_written() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
    let nodes = [
        world.paced(Behaviour::Honest, &gates[0]).await,
        world.paced(Behaviour::Honest, &gates[1]).await,
        world.paced(Behaviour::Honest, &gates[2]).await,
    ];
    let ask = long(&world);
    let ids = world.model.expected(&ask).await.ids;
    let opening = async { world.client.stream(&ask).await.expect("a stream") };
    let beginning = async {
        for gate in &gates {
            gate.allow(1);
        }
    };
    let (mut stream, ()) = tokio::join!(opening, beginning);
    for told in 1..SOME {
        let text = world.model.text(&ids[..told]);
        // The bytes of a character may wait for its last one.
        let readable = text.trim_end_matches('\u{fffd}').len();
        stream.read_until(|read| read.len() >= readable).await;
        for node in &nodes {
            node.wait_for("has sent one", |seen| seen.tokens_sent as usize == told).await;
        }
        gates.iter().for_each(|gate| gate.allow(1));
    }
    gates.iter().for_each(Gate::open);
    assert!(stream.rest().await.done);
    world.finish().await;
}

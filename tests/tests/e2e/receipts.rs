//! Receipts: every answer has one, and it is checked without believing the gateway.

use assay_model::TextModel;
use assay_tests::{
    Ask, Behaviour, ChatClient, Gate, Pace, World,
    binaries::demo_model,
    records::{TRUSTED, join, recorded},
};
use assay_verifier::{
    Receipt, Trust,
    receipt::{Bundle, Checked, Note, Request, Saved, State, check, replay},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Tokens that a client gets before it leaves.
const SOME: usize = 12;

/// Checks a receipt as its client would, all but the prefill.
async fn checked(world: &World, ask: &Ask, response: Option<&Value>, job: &str) -> Checked {
    let saved = response.map(|json| Saved::parse(json.to_string().as_bytes()).expect("a response"));
    check_saved(world, ask, saved.as_ref(), job).await
}

async fn check_saved(world: &World, ask: &Ask, saved: Option<&Saved>, job: &str) -> Checked {
    let file = world.client.receipt(job).await.expect("a receipt");
    let bundle = Bundle::decode(&file).expect("a receipt's file");
    let trust = Trust::parse(&world.client.log_page("keys").await).expect("keys");
    let request = Request::parse(ask.body.to_string().as_bytes()).expect("a request");
    let checked =
        check(&bundle, Some(&request), saved, &trust).unwrap_or_else(|refusal| panic!("{refusal}"));
    let model = TextModel::load(&demo_model()).expect("the demo model");
    let replayed = replay(&checked.receipt, &request, saved, &model)
        .unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(replayed.prompt.len(), checked.receipt.prompt_tokens as usize);
    assert_eq!(replayed.output.is_some(), saved.is_some(), "the response tells the ids");
    checked
}

/// Checks the receipt of one choice of a response.
pub(crate) async fn checked_choice(
    world: &World,
    ask: &Ask,
    response: &Value,
    job: &str,
) -> Checked {
    let job_id = job.parse().expect("a job's id");
    let saved = Saved::parse_choice(response.to_string().as_bytes(), job_id).expect("a response");
    check_saved(world, ask, Some(&saved), job).await
}

#[tokio::test]
async fn a_plain_answer_is_checked_by_its_receipt() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await, world.honest().await];
    let ask = Ask::say("Tell me a story.").max_tokens(40).with("temperature", 0.7);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_eq!(answer.json["x_assay"]["receipt"], json!(answer.job));

    let checked = checked(&world, &ask, Some(&answer.json), &answer.job).await;
    let Receipt { state, parts, money, .. } = &checked.receipt;
    assert_eq!(*state, State::Succeeded);
    let mut signers = checked.signers.clone();
    signers.sort_unstable();
    let mut all: Vec<_> = nodes.iter().map(|node| node.id()).collect();
    all.sort_unstable();
    assert_eq!(signers, all);
    let job = world.admin.job(&answer.job).await;
    for part in parts {
        assert_eq!(part.pay, job.part(part.node).pay.unsigned_abs(), "{part:?}");
    }
    assert_eq!(money.cost, job.cost.unsigned_abs());
    assert!(!checked.notes.contains(&Note::SeedOfGateway), "the seed is the client's");
    let other_key = ChatClient::new(&world.gateway.url(), &world.admin.key(world.account).await);
    assert_eq!(other_key.receipt(&answer.job).await, Err(StatusCode::NOT_FOUND));
    let (_, stranger) = world.client_with(1).await;
    assert_eq!(stranger.receipt(&answer.job).await, Err(StatusCode::NOT_FOUND));
    world.finish().await;
}

#[tokio::test]
async fn a_stream_is_checked_by_the_chunks_that_came() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await, world.honest().await];
    let ask = Ask::say("Tell me a story.").max_tokens(24);
    let stream = world.client.stream(&ask).await.expect("a stream");
    let job = stream.job.clone();
    let seen = stream.rest().await;
    assert_eq!(seen.verdict.as_ref().expect("a verdict")["receipt"], json!(job));
    let asked = ask.with("stream", true).with("stream_options", json!({"include_usage": true}));
    let checked = checked(&world, &asked, Some(&json!(seen.chunks)), &job).await;
    assert_eq!(checked.receipt.completion_tokens, seen.completion_tokens());
    world.finish().await;
}

#[tokio::test]
async fn a_stop_string_and_a_dissenter_are_in_the_receipt_too() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await];
    let liar = world.scripted(Behaviour::Canned).await;
    let whole = Ask::say("Tell me a story.").max_tokens(40);
    let text = world.client.plain(&whole).await.expect("an answer").text;
    let word = text.split(' ').nth(3).expect("a story has four words");
    let ask = whole.with("stop", format!(" {word}"));
    let answer = world.client.plain(&ask).await.expect("an answer");
    let checked = checked(&world, &ask, Some(&answer.json), &answer.job).await;
    let part = checked.receipt.parts.iter().find(|part| part.node == liar.id()).expect("a part");
    assert_eq!((part.pay, part.outcome.starts_with("failed")), (0, true), "{part:?}");
    world.finish().await;
}

#[tokio::test]
async fn an_answer_that_failed_has_a_receipt_too() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _liars = [world.scripted(Behaviour::Canned).await, world.scripted(Behaviour::Random).await];
    let ask = Ask::say("Tell me a story.").max_tokens(20);
    let refused = world.client.plain(&ask).await.expect_err("nobody is honest");
    let job = refused.headers["x-assay-receipt"].to_str().expect("an id").to_owned();
    let failed = checked(&world, &ask, None, &job).await;
    assert_eq!(failed.receipt.state, State::Failed);
    assert_eq!(failed.receipt.money.cost, 0);
    assert!(failed.notes.contains(&Note::NoAnswer));
    world.finish().await;
}

#[tokio::test]
async fn a_client_that_left_has_a_receipt_for_what_it_got() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
    let mut nodes = Vec::new();
    for gate in &gates {
        nodes.push(world.paced(Behaviour::Honest, gate).await);
        gate.allow(SOME);
    }
    let ask = Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(200);
    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    for node in &nodes {
        node.wait_for("has sent some", |seen| seen.tokens_sent as usize == SOME).await;
    }
    let (job, chunks) = (stream.job.clone(), json!(stream.seen().chunks));
    drop(stream);
    gates.iter().for_each(Gate::open);

    let asked = ask.with("stream", true).with("stream_options", json!({"include_usage": true}));
    let cut = checked(&world, &asked, None, &job).await;
    let ended = world.admin.job(&job).await;
    assert_eq!((cut.receipt.state, ended.state.as_str()), (State::Cancelled, "cancelled"));
    assert_eq!(cut.receipt.completion_tokens as usize, SOME);
    assert_eq!(cut.receipt.money.cost, ended.cost.unsigned_abs());
    assert!(cut.receipt.money.cost > 0, "what was agreed by then is charged");
    assert!(cut.notes.contains(&Note::CutOff));
    let saved = Saved::parse(chunks.to_string().as_bytes()).expect("what came is readable");
    assert_eq!(saved.id, format!("chatcmpl-{job}"));
    world.finish().await;
}

/// One proven node is believed alone, and its receipt says that nothing else was done.
#[tokio::test]
async fn a_trusted_node_that_answers_alone_has_a_receipt_that_holds() {
    let mut world = World::new().await;
    let [member] = recorded(&mut world, TRUSTED).await;
    let node = join(&world, member, Behaviour::Honest, Pace::Free).await;
    let _scorer = world.scorer().await;
    let mut alone = None;
    // One answer in twenty is audited.
    for seed in 0..20 {
        let ask = Ask::say("Hello!").max_tokens(8).risk("low").with("seed", seed);
        let answer = world.client.plain(&ask).await.expect("an answer");
        let checked = checked(&world, &ask, Some(&answer.json), &answer.job).await;
        assert_eq!(checked.signers, [node.id()]);
        assert!(checked.receipt.audit.q_ppm >= 50_000, "{:?}", checked.receipt.audit);
        if checked.receipt.parts[0].outcome == "trusted" {
            alone = Some(checked);
            break;
        }
    }
    let alone = alone.expect("twenty audits in a row are no accident");
    assert!(alone.receipt.parts[0].pay > 0);
    world.finish().await;
}

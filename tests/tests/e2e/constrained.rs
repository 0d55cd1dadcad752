//! Answers that have a form: they are what the schema says, verified like any other, and refused before any money moves
//! where nobody could give them.

use assay_model::TextModel;
use assay_tests::{Ask, Behaviour, World, binaries::demo_model, schemas::schema};
use assay_verifier::{
    Trust,
    receipt::{Bundle, Refusal, Request, Saved, check, replay},
};
use serde_json::{Value, json};

use crate::expect::assert_outcome;

/// Schemas that go all the way; `schemas.rs` has the other ones, without a gateway.
const SCHEMAS: u64 = 25;

fn format(schema: &Value) -> Value {
    json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": schema}})
}

fn ask(number: u64) -> Ask {
    let temperature = [0.0, 0.8][usize::try_from(number % 2).expect("a bit")];
    Ask::say("Tell me something as JSON.")
        .with("response_format", format(&schema(number)))
        .with("temperature", temperature)
        .with("seed", number)
        .max_tokens(800)
}

fn satisfies(schema: &Value, text: &str) {
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let validator = jsonschema::validator_for(schema).expect("a schema");
    assert!(validator.is_valid(&value), "{schema}: {text}");
}

#[tokio::test]
async fn answers_have_the_form_that_was_asked_for_and_are_verified() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await];
    let trust = Trust::parse(&world.client.log_page("keys").await).expect("keys");
    let model = TextModel::load(&demo_model()).expect("the demo model");
    for number in 0..SCHEMAS {
        let ask = ask(number);
        let answer = world.client.plain(&ask).await.expect("an answer");
        assert_eq!(answer.finish, "stop", "{}", answer.json);
        satisfies(&schema(number), &answer.text);
        // Two of three that were wanted: each answer is scored.
        assert!(answer.json["x_assay"]["positions_checked"].as_u64() > Some(0), "{}", answer.json);

        let file = world.client.receipt(&answer.job).await.expect("a receipt");
        let bundle = Bundle::decode(&file).expect("a receipt's file");
        let read = |ask: &Ask| Request::parse(ask.body.to_string().as_bytes()).expect("a request");
        let saved = Saved::parse(answer.json.to_string().as_bytes()).expect("a response");
        let receipt =
            check(&bundle, Some(&read(&ask)), Some(&saved), &trust).expect("it holds").receipt;
        assert!(receipt.grammar.is_some());
        let found = replay(&receipt, &read(&ask), Some(&saved), &model).expect("it is replayed");
        assert_eq!(found.sampling.grammar_hash(), receipt.grammar);
        let other = ask.with("response_format", json!({"type": "json_object"}));
        let refusal =
            replay(&receipt, &read(&other), Some(&saved), &model).expect_err("another form");
        assert_eq!(refusal, Refusal::Sampling("grammar"));
    }
    world.finish().await;
}

#[tokio::test]
async fn a_stream_brings_the_same_and_a_limit_cuts_it() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await, world.honest().await];
    let colours = json!({"type": "object", "properties": {"colours": {"type": "array", "items": {"enum": ["red", "green"]}, "minItems": 20, "maxItems": 20}},
        "required": ["colours"], "additionalProperties": false});
    let ask = Ask::say("Which colours?").with("response_format", format(&colours)).max_tokens(800);
    let plain = world.client.plain(&ask).await.expect("an answer");
    satisfies(&colours, &plain.text);
    let streamed = world.client.stream(&ask).await.expect("a stream").rest().await;
    assert_eq!((&streamed.text, streamed.finish.as_deref()), (&plain.text, Some("stop")));
    assert!(streamed.done);
    let cut = world.client.plain(&ask.max_tokens(9)).await.expect("an answer");
    assert_eq!(cut.finish, "length");
    assert!(plain.text.starts_with(&cut.text), "{}", cut.text);
    world.finish().await;
}

#[tokio::test]
async fn a_node_that_ignores_the_mask_is_caught() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _honest = [world.honest().await, world.honest().await];
    let cheat = world.scripted(Behaviour::NoMask).await;
    let answer = world.client.plain(&ask(3)).await.expect("an answer");
    satisfies(&schema(3), &answer.text);
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &cheat, "failed_spot_check");
    world.finish().await;
}

#[tokio::test]
async fn two_real_agents_and_a_real_scorer_agree_under_a_mask() {
    let world = World::new().await;
    let _scorer = world.scorer_agent().await;
    let _agents = [world.agent().await, world.agent().await];
    let answer = world.client.plain(&ask(7)).await.expect("an answer");
    satisfies(&schema(7), &answer.text);
    assert_eq!(answer.json["x_assay"]["nodes_agreed"], 2);
    world.finish().await;
}

#[tokio::test]
async fn what_nobody_can_write_is_refused_by_name_before_any_money_moves() {
    let world = World::new().await;
    let schema = "response_format.json_schema.schema";
    for (value, param) in [
        (json!({"type": "yaml"}), "response_format.type"),
        (json!({"type": "json_schema"}), "response_format.json_schema"),
        (format(&json!({"type": "integer", "minimum": 3, "maximum": 2})), schema),
        (format(&json!({"not": {"type": "string"}})), schema),
        (format(&json!({"enum": vec!["x".repeat(200_000)]})), schema),
    ] {
        let refused = world.client.plain(&Ask::say("Hi").with("response_format", value)).await;
        let refused = refused.expect_err("no such answer");
        assert_eq!(
            (refused.status.as_u16(), &refused.error["param"]),
            (400, &json!(param)),
            "{:?}",
            refused.error
        );
    }
    world.finish().await;
}

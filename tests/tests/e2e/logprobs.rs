//! Log probabilities: the model's own, at temperature 1, told by nodes that are held to them.

use assay_tests::{Ask, Behaviour, World};
use serde_json::{Value, json};

use crate::expect::assert_outcome;

fn told(choice: &Value) -> Vec<(String, f64, usize)> {
    let content = choice["logprobs"]["content"].as_array().expect("log probabilities");
    let one = |one: &Value| {
        let top = one["top_logprobs"].as_array().expect("alternatives").len();
        (one["token"].as_str().expect("a text").to_owned(), one["logprob"].as_f64().unwrap(), top)
    };
    content.iter().map(one).collect()
}

fn ask() -> Ask {
    let ask = Ask::say("Tell me a story.").with("temperature", 1.5).max_tokens(20);
    ask.with("logprobs", true).with("top_logprobs", 3)
}

#[tokio::test]
async fn each_token_comes_with_its_log_probability_plain_and_streamed() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let (_nodes, _agent) = ([world.honest().await, world.honest().await], world.agent().await);
    let answer = world.client.plain(&ask()).await.expect("an answer");
    let choice = &answer.json["choices"][0];
    let all = told(choice);
    let text: String = all.iter().map(|(token, ..)| token.as_str()).collect();
    assert_eq!(text, answer.text);
    assert!(all.iter().all(|(_, logprob, top)| *logprob <= 0.0 && *top == 3));
    let content = choice["logprobs"]["content"].as_array().unwrap();
    for one in content {
        let top = one["top_logprobs"].as_array().unwrap();
        let of = |one: &Value| one["logprob"].as_f64().unwrap();
        assert!(top.windows(2).all(|pair| of(&pair[0]) >= of(&pair[1])), "{one}");
        // Whatever the temperature is: likelier than the likeliest is nobody. A scripted node's two come from two passes.
        assert!(of(one) <= of(&top[0]) + 2e-3, "{one}");
    }
    let streamed = world.client.stream(&ask()).await.expect("a stream").rest().await;
    assert!(streamed.done);
    let pieces = streamed.chunks.iter().filter_map(|chunk| chunk["choices"].get(0));
    let streamed: Vec<_> =
        pieces.filter(|choice| !choice["logprobs"].is_null()).flat_map(told).collect();
    assert_eq!(streamed.len(), all.len());
    for ((token, logprob, _), (same, other, _)) in streamed.iter().zip(&all) {
        assert_eq!(token, same);
        assert!((logprob - other).abs() <= 2e-3, "{logprob} {other}");
    }
    let unasked = ask().with("logprobs", false).with("top_logprobs", Value::Null);
    let unasked = world.client.plain(&unasked).await.expect("an answer");
    assert_eq!(unasked.json["choices"][0]["logprobs"], Value::Null);
    assert_eq!(unasked.text, answer.text, "asking for them changes nothing");
    world.finish().await;
}

#[tokio::test]
async fn a_character_of_several_tokens_is_whole_in_their_bytes() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await];
    let schema = json!({"const": "a 🦀 b"});
    let format = json!({"type": "json_schema", "json_schema": {"name": "crab", "strict": true, "schema": schema}});
    let ask = Ask::say("Hello!").with("response_format", format).with("logprobs", true);
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_eq!(answer.text, "\"a 🦀 b\"");
    let content = answer.json["choices"][0]["logprobs"]["content"].as_array().expect("tokens");
    let read = |token: &Value| serde_json::from_value::<Vec<u8>>(token["bytes"].clone());
    let tokens: Vec<Vec<u8>> = content.iter().map(|token| read(token).expect("bytes")).collect();
    assert!(tokens.iter().any(|bytes| str::from_utf8(bytes).is_err()), "{tokens:?}");
    assert_eq!(tokens.concat(), answer.text.as_bytes());
    world.finish().await;
}

#[tokio::test]
async fn a_completion_has_them_in_its_own_shape() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await, world.honest().await];
    let ask = Ask::go_on("Once upon a time").max_tokens(8).with("logprobs", 2);
    let answer = world.client.plain(&ask).await.expect("an answer");
    let logprobs = &answer.json["choices"][0]["logprobs"];
    let tokens = logprobs["tokens"].as_array().expect("tokens");
    let text: String = tokens.iter().filter_map(Value::as_str).collect();
    assert_eq!(text, answer.text);
    for key in ["token_logprobs", "top_logprobs", "text_offset"] {
        assert_eq!(logprobs[key].as_array().map(Vec::len), Some(tokens.len()), "{key}");
    }
    assert_eq!(logprobs["text_offset"][0], json!(0));
    world.finish().await;
}

/// Its tokens and logits are right: only what it tells of them is not.
#[tokio::test]
async fn a_node_that_lies_about_log_probabilities_is_caught_and_not_paid() {
    let world = World::new().await;
    let scorer = world.scorer().await;
    let honest = [world.honest().await, world.honest().await];
    let liar = world.scripted(Behaviour::BendLogprobs).await;
    let answer = world.client.plain(&ask()).await.expect("an answer");
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &liar, "failed_logprobs");
    for node in &honest {
        assert_outcome(&job, node, "agreed");
    }
    assert!(scorer.seen().scored > 0, "they differ, so the model was asked");
    let unasked = Ask::say("Hello!").max_tokens(8);
    let unasked = world.client.plain(&unasked).await.expect("an answer");
    assert_outcome(&world.admin.job(&unasked.job).await, &liar, "agreed");
    world.finish().await;
}

/// Without anybody who could say which is right, nothing is told.
#[tokio::test]
async fn log_probabilities_that_nobody_vouches_for_are_never_told() {
    let world = World::with("[serving]\nplace_wait_ms = 300\nscorer_wait_ms = 300").await;
    let _honest = world.honest().await;
    let _liar = world.scripted(Behaviour::BendLogprobs).await;
    let refused = world.client.plain(&ask()).await.expect_err("two who differ, and no scorer");
    assert_eq!(refused.error["code"], "not_verified", "{refused:?}");
    let _third = [world.honest().await, world.honest().await];
    let answer = world.client.plain(&ask()).await.expect("two of them agree");
    assert!(!told(&answer.json["choices"][0]).is_empty());
    world.finish().await;
}

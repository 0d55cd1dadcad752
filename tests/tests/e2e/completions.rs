//! `POST /v1/completions`: raw prompts on the same verified path.

use assay_tests::{Ask, World};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::receipts::checked_choice;

async fn world() -> (World, Vec<assay_tests::ScriptedNode>) {
    let world = World::new().await;
    let mut nodes = vec![world.scorer().await];
    for _ in 0..3 {
        nodes.push(world.honest().await);
    }
    (world, nodes)
}

#[tokio::test]
async fn a_raw_prompt_is_gone_on_from_without_a_template() {
    let (world, _nodes) = world().await;
    let ask = Ask::go_on("Once upon a time");
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_eq!(answer.json["object"], "text_completion");
    assert_eq!(answer.json["id"], format!("cmpl-{}", answer.job));
    let choice = &answer.json["choices"][0];
    assert_eq!((&choice["index"], &choice["logprobs"]), (&json!(0), &Value::Null));
    assert!(answer.completion_tokens <= 16, "OpenAI's default");
    let ids = world.model.ids("Once upon a time");
    assert_eq!(answer.prompt_tokens as usize, ids.len(), "no template");
    checked_choice(&world, &ask, &answer.json, &answer.job).await;

    let same = world.client.plain(&Ask::go_on(json!(ids))).await.expect("the same by its ids");
    assert_eq!(same.text, answer.text);
    let ask = ask.with("stop", "no such text");
    let streamed = world.client.stream(&ask).await.expect("a stream");
    let job = streamed.job.clone();
    let streamed = streamed.rest().await;
    assert!(streamed.done);
    assert_eq!((&streamed.text, streamed.finish), (&answer.text, Some(answer.finish)));
    assert!(streamed.chunks.iter().all(|chunk| chunk["object"] == "text_completion"));
    checked_choice(&world, &ask.streamed(), &json!(streamed.chunks), &job).await;
    world.finish().await;
}

#[tokio::test]
async fn several_prompts_with_several_choices_are_answered_in_order() {
    let (world, _nodes) = world().await;
    let ask = Ask::go_on(json!(["Once", "The cat"])).with("n", 2).with("best_of", 2);
    let ask = ask.with("temperature", 1).with("echo", true).max_tokens(6);
    let answer = world.client.plain(&ask).await.expect("an answer");
    let choices = answer.json["choices"].as_array().expect("choices");
    assert_eq!(choices.len(), 4);
    for (index, begins) in ["Once", "Once", "The cat", "The cat"].into_iter().enumerate() {
        let text = choices[index]["text"].as_str().expect("a text");
        assert!(text.starts_with(begins) && text.len() > begins.len(), "{text}");
        checked_choice(&world, &ask, &answer.json, &answer.jobs[index]).await;
    }
    let by_ids = json!([world.model.ids("Once"), world.model.ids("The cat")]);
    let by_ids = world.client.plain(&ask.with("prompt", by_ids)).await.expect("the same by ids");
    let texts = |json: &Value| {
        let choices = json["choices"].as_array().expect("choices").iter();
        choices.map(|choice| choice["text"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&by_ids.json), texts(&answer.json));
    world.finish().await;
}

#[tokio::test]
async fn a_wrong_completion_is_refused_by_name() {
    let (world, _nodes) = world().await;
    let once = || Ask::go_on("Once");
    for (ask, param, code) in [
        (Ask::go_on(json!([])), "prompt", json!("invalid_value")),
        (Ask::go_on(""), "prompt", json!("invalid_value")),
        (Ask::go_on(json!([world.model.vocab_size])), "prompt", json!("invalid_value")),
        (Ask::go_on("many words ".repeat(2_000)), "prompt", json!("context_length_exceeded")),
        (once().with("suffix", "end"), "suffix", json!("unsupported_parameter")),
        (once().with("best_of", 3), "best_of", json!("unsupported_parameter")),
        (once().with("max_tokens", 0), "max_tokens", json!("invalid_value")),
    ] {
        for refused in [
            world.client.plain(&ask).await.expect_err("refused"),
            world.client.stream(&ask).await.expect_err("refused"),
        ] {
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{refused:?}");
            let error = &refused.error;
            assert_eq!((&error["param"], &error["code"]), (&json!(param), &code), "{error}");
        }
    }
    let unknown = world.client.plain(&once().with("model", "nobody/else")).await;
    assert_eq!(unknown.expect_err("no such model").error["code"], "model_not_found");
    world.finish().await;
}

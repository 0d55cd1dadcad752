//! `POST /v1/responses`: what a chat says, in items and typed events, on the same verified path.

use assay_tests::{Ask, Behaviour, Gate, ScriptedNode, World};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::receipts::checked_choice;

async fn world() -> (World, Vec<ScriptedNode>) {
    let world = World::new().await;
    let mut nodes = vec![world.scorer().await];
    for _ in 0..3 {
        nodes.push(world.honest().await);
    }
    (world, nodes)
}

fn names(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().expect("a name")).collect()
}

#[tokio::test]
async fn a_response_says_what_the_chat_says_and_has_a_receipt() {
    let (world, _nodes) = world().await;
    let chat =
        world.client.plain(&Ask::say("Tell me a story.").max_tokens(30)).await.expect("a chat");
    let ask = Ask::respond("Tell me a story.").with("max_output_tokens", 30);
    let answer = world.client.plain(&ask).await.expect("a response");
    assert_eq!((&answer.text, &answer.finish), (&chat.text, &"incomplete".to_owned()));
    assert_eq!(
        (answer.prompt_tokens, answer.completion_tokens),
        (chat.prompt_tokens, chat.completion_tokens)
    );
    let response = &answer.json;
    assert_eq!(response["id"], format!("resp_{}", answer.job));
    assert_eq!((&response["object"], &response["store"]), (&json!("response"), &json!(false)));
    assert_eq!(response["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(response["x_assay"]["receipt"], json!(answer.job));
    checked_choice(&world, &ask, response, &answer.job).await;

    let items =
        json!([{"role": "user", "content": [{"type": "input_text", "text": "Tell me a story."}]}]);
    let ask = Ask::respond(items).with("max_output_tokens", 30);
    let same = world.client.plain(&ask).await.expect("the same in items");
    assert_eq!(same.text, answer.text);
    checked_choice(&world, &ask, &same.json, &same.job).await;
    world.finish().await;
}

#[tokio::test]
async fn a_stream_is_typed_events_and_is_given_again_as_it_was() {
    let (world, _nodes) = world().await;
    let ask = Ask::respond("Say this is a test.").keyed("r");
    let stream = world.client.stream(&ask).await.expect("a stream");
    let job = stream.job.clone();
    let first = stream.rest().await;
    let names = names(&first.chunks);
    let begin = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ];
    assert_eq!(names[..4], begin);
    let end = [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(names[names.len() - 4..], end);
    assert!(names[4..names.len() - 4].iter().all(|name| *name == "response.output_text.delta"));
    assert!(!first.done, "the last event says that it is the last");
    for (number, event) in first.chunks.iter().enumerate() {
        assert_eq!(event["sequence_number"], json!(number));
    }
    let plain = world.client.plain(&Ask::respond("Say this is a test.")).await.expect("a response");
    let response = &first.chunks.last().expect("events")["response"];
    assert_eq!(
        (&first.text, &response["output"][0]["content"]),
        (&plain.text, &plain.json["output"][0]["content"])
    );
    assert_eq!(response["usage"], plain.json["usage"]);
    checked_choice(&world, &ask.clone().streamed(), &json!(first.chunks), &job).await;

    let again = world.client.stream(&ask).await.expect("the same stream");
    assert!(again.replayed);
    assert_eq!(again.rest().await.chunks, first.chunks);
    world.finish().await;
}

fn add() -> Value {
    let number = json!({"type": "integer", "minimum": 0, "maximum": 99});
    json!({"type": "function", "name": "add", "description": "Adds two numbers.", "parameters": {"type": "object",
        "properties": {"a": number, "b": number}, "required": ["a", "b"], "additionalProperties": false}})
}

#[tokio::test]
async fn a_function_is_called_and_its_output_taken() {
    let (world, _nodes) = world().await;
    let asked = json!({"role": "user", "content": "What is 4 + 5? Use the tool."});
    let ask =
        Ask::respond(json!([asked])).with("tools", json!([add()])).with("tool_choice", "required");
    let ask = ask.with("parallel_tool_calls", false);
    let answer = world.client.plain(&ask).await.expect("a response");
    let [call] = &answer.json["output"].as_array().expect("items")[..] else {
        panic!("{}", answer.json)
    };
    assert_eq!((&call["type"], &call["name"]), (&json!("function_call"), &json!("add")));
    let arguments: Value =
        serde_json::from_str(call["arguments"].as_str().expect("a text")).expect("an object");
    assert!(arguments["a"].is_u64() && arguments["b"].is_u64(), "{arguments}");
    checked_choice(&world, &ask, &answer.json, &answer.job).await;

    let streamed = world.client.stream(&ask).await.expect("a stream");
    let job = streamed.job.clone();
    let streamed = streamed.rest().await;
    let names = names(&streamed.chunks);
    assert_eq!(names[2], "response.output_item.added");
    assert!(names.contains(&"response.function_call_arguments.done"), "{names:?}");
    checked_choice(&world, &ask.clone().streamed(), &json!(streamed.chunks), &job).await;

    let output = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "9"});
    let ask = Ask::respond(json!([asked, call, output])).with("tools", json!([add()]));
    let answer = world.client.plain(&ask).await.expect("a response");
    checked_choice(&world, &ask, &answer.json, &answer.job).await;
    world.finish().await;
}

#[tokio::test]
async fn what_is_wrong_is_named_in_the_words_of_the_request() {
    let world = World::new().await;
    let hi = || Ask::respond("Hi");
    let image = json!([{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]);
    let (wrong, strange) = ("invalid_value", "unsupported_parameter");
    let broken = json!({"type": "json_schema", "name": "x", "schema": {"type": "nonsense"}});
    let tool = json!({"type": "function", "name": "f", "strict": true, "parameters": {"type": 7}});
    for (ask, param, code) in [
        (hi().with("input", Value::Null), "input", "missing_required_parameter"),
        (hi().with("previous_response_id", "resp_1"), "previous_response_id", strange),
        (hi().with("max_output_tokens", 0), "max_output_tokens", wrong),
        (hi().with("temperature", "hot"), "temperature", wrong),
        (hi().with("text", json!({"format": {"type": "yaml"}})), "text.format.type", wrong),
        (hi().with("tools", json!([{"type": "web_search"}])), "tools[0].type", strange),
        // What only shows when the prompt and the grammar are made.
        (Ask::respond("Hi! ".repeat(2_000)), "input", "context_length_exceeded"),
        (hi().with("text", json!({"format": broken})), "text.format.schema", wrong),
        (hi().with("tools", json!([tool])), "tools[0].parameters", wrong),
        (hi().with("metadata", 5), "metadata", wrong),
        (Ask::respond(image), "input[0].content[0].type", strange),
    ] {
        let refused = world.client.plain(&ask).await.expect_err(param);
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{refused:?}");
        let error = &refused.error;
        assert_eq!((&error["param"], &error["code"]), (&json!(param), &json!(code)), "{error}");
    }
    world.finish().await;
}

#[tokio::test]
async fn a_stream_that_broke_ends_with_an_error_event() {
    let world = World::with("[serving]\nfailover_wait_ms = 300\nplace_wait_ms = 300").await;
    let scorer = world.scorer().await;
    let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
    let mut nodes = Vec::new();
    for gate in &gates {
        gate.allow(9);
        nodes.push(world.paced(Behaviour::Honest, gate).await);
    }
    let ask = Ask::respond("Tell me a story.");
    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    drop((nodes, scorer));
    let seen = stream.rest().await;
    let last = seen.chunks.last().expect("events");
    assert_eq!(last["type"], "error");
    assert_eq!(last["sequence_number"], json!(seen.chunks.len() - 1));
    assert!(
        last["error"]["message"].is_string() && last["message"] == last["error"]["message"],
        "{last}"
    );
    assert!(!names(&seen.chunks).contains(&"response.completed"));
    world.finish().await;
}

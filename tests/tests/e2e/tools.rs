//! Functions that a model calls, over plain HTTP: their shape, whole and in pieces, and that they are verified.

use assay_model::TextModel;
use assay_tests::{Ask, Behaviour, Completion, Streamed, World, binaries::demo_model};
use assay_verifier::{
    Trust,
    receipt::{Bundle, Refusal, Request, Saved, check, replay},
};
use serde_json::{Value, json};

use crate::expect::assert_outcome;

fn weather() -> Value {
    json!({"type": "function", "function": {"name": "weather", "description": "The weather of a city", "strict": true, "parameters": {
        "type": "object", "additionalProperties": false, "required": ["city", "days"],
        "properties": {"city": {"enum": ["Rome", "Oslo", "Kyōto \"centre\""]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}}}}})
}

fn now() -> Value {
    json!({"type": "function", "function": {"name": "now"}})
}

fn ask() -> Ask {
    let ask = Ask::say("What is the weather in Rome?").with("tools", json!([now(), weather()]));
    ask.with("temperature", 0.8).max_tokens(300)
}

/// One call of `weather`.
fn must_call() -> Ask {
    let choice = json!({"type": "function", "function": {"name": "weather"}});
    ask().with("tool_choice", choice).with("parallel_tool_calls", false)
}

fn calls(answer: &Completion) -> &Vec<Value> {
    let message = &answer.json["choices"][0]["message"];
    assert_eq!(message["content"], Value::Null, "{message}");
    message["tool_calls"].as_array().expect("calls")
}

fn is_weather(arguments: &str) {
    let arguments: Value = serde_json::from_str(arguments).expect("an object");
    assert!((1..=9).contains(&arguments["days"].as_i64().expect("days")), "{arguments}");
    let tool = weather();
    let cities = tool["function"]["parameters"]["properties"]["city"]["enum"].as_array();
    assert!(cities.expect("cities").contains(&arguments["city"]), "{arguments}");
}

#[tokio::test]
async fn a_call_has_openais_shape_and_is_verified() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await];
    let ask = must_call();
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert_eq!(answer.finish, "tool_calls");
    let [call] = &calls(&answer)[..] else { panic!("one call: {}", answer.json) };
    assert_eq!((&call["type"], &call["function"]["name"]), (&json!("function"), &json!("weather")));
    assert!(call["id"].as_str().is_some_and(|id| id.starts_with("call_")), "{call}");
    is_weather(call["function"]["arguments"].as_str().expect("a text"));
    assert!(answer.json["x_assay"]["positions_checked"].as_u64() > Some(0), "{}", answer.json);

    let trust = Trust::parse(&world.client.log_page("keys").await).expect("keys");
    let bundle = Bundle::decode(&world.client.receipt(&answer.job).await.expect("a receipt"));
    let bundle = bundle.expect("a receipt's file");
    let request = Request::parse(ask.body.to_string().as_bytes()).expect("a request");
    let model = TextModel::load(&demo_model()).expect("the demo model");
    let judged = |json: &Value| {
        let saved = Saved::parse(json.to_string().as_bytes()).expect("a response");
        let checked = check(&bundle, Some(&request), Some(&saved), &trust)?;
        replay(&checked.receipt, &request, Some(&saved), &model)
    };
    assert!(judged(&answer.json).expect("it holds").output.is_some());
    let edits: [(&str, Value); 3] = [
        (
            "/choices/0/message/tool_calls/0/function/arguments",
            json!("{\"city\": \"Oslo\", \"days\": 10}"),
        ),
        ("/choices/0/message/tool_calls/0/function/name", json!("now")),
        ("/choices/0/message/tool_calls/0/id", json!("call_1")),
    ];
    for (place, value) in edits {
        let mut edited = answer.json.clone();
        *edited.pointer_mut(place).expect("a place") = value;
        let refusal = judged(&edited).expect_err(place);
        assert!(matches!(refusal, Refusal::Response(_)), "{place}: {refusal}");
    }
    world.finish().await;
}

/// The calls of a stream, put together as SDKs do.
fn together(streamed: &Streamed) -> Vec<Value> {
    let mut calls: Vec<Value> = Vec::new();
    let choices = streamed.chunks.iter().filter_map(|chunk| chunk["choices"].get(0));
    let pieces = choices.filter_map(|choice| choice["delta"]["tool_calls"].as_array()).flatten();
    for piece in pieces {
        let index = usize::try_from(piece["index"].as_u64().expect("an index")).expect("small");
        if index == calls.len() {
            assert_eq!(
                (&piece["type"], &piece["function"]["arguments"]),
                (&json!("function"), &json!(""))
            );
            assert!(piece["id"].is_string() && piece["function"]["name"].is_string(), "{piece}");
            calls.push(
                json!({"id": piece["id"], "type": "function", "function": piece["function"]}),
            );
            continue;
        }
        let unnamed = piece.get("id").is_none() && piece["function"].get("name").is_none();
        assert!(unnamed && index + 1 == calls.len(), "{piece}");
        let more = piece["function"]["arguments"].as_str().expect("a piece");
        let whole = &mut calls[index]["function"]["arguments"];
        *whole = json!(whole.as_str().expect("a text").to_owned() + more);
    }
    calls
}

#[tokio::test]
async fn a_stream_brings_the_name_first_and_the_arguments_in_pieces() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await, world.honest().await];
    for ask in [must_call(), ask().with("tool_choice", "required")] {
        let plain = world.client.plain(&ask).await.expect("an answer");
        let streamed = world.client.stream(&ask).await.expect("a stream").rest().await;
        assert!(streamed.done && streamed.error.is_none());
        assert_eq!(
            (streamed.text.as_str(), streamed.finish.as_deref()),
            ("", Some(plain.finish.as_str()))
        );
        let names = |calls: &[Value]| -> Vec<Value> {
            calls.iter().map(|call| call["function"].clone()).collect()
        };
        assert_eq!(names(&together(&streamed)), names(calls(&plain)));
        let saved =
            Saved::parse(json!(streamed.chunks).to_string().as_bytes()).expect("a response");
        assert_eq!(saved.tool_calls.len(), calls(&plain).len());
    }
    world.finish().await;
}

#[tokio::test]
async fn text_stays_text_and_none_means_none() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await];
    let told = Ask::say("Hello!").max_tokens(60).with("tools", json!([now(), weather()]));
    let answer = world.client.plain(&told).await.expect("an answer");
    assert_eq!(answer.json["choices"][0]["message"].get("tool_calls"), None, "{}", answer.json);
    assert!(!answer.text.is_empty() && answer.finish != "tool_calls");
    let none = told.with("tool_choice", "none");
    let without = Ask::say("Hello!").max_tokens(60);
    let (none, without) = (world.client.plain(&none).await, world.client.plain(&without).await);
    let (none, without) = (none.expect("an answer"), without.expect("an answer"));
    assert_eq!((none.text, none.prompt_tokens), (without.text, without.prompt_tokens));
    world.finish().await;
}

#[tokio::test]
async fn the_answer_of_a_tool_goes_back_to_the_model() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await];
    let asked = world.client.plain(&must_call()).await.expect("an answer");
    let message = asked.json["choices"][0]["message"].clone();
    let id = message["tool_calls"][0]["id"].clone();
    let turns = json!([{"role": "user", "content": "What is the weather in Rome?"}, message,
        {"role": "tool", "tool_call_id": id, "content": "{\"sky\": \"clear\"}"}]);
    let ask = must_call().with("messages", turns.clone()).with("tool_choice", "auto");
    let answer = world.client.plain(&ask).await.expect("an answer");
    assert!(answer.prompt_tokens > asked.prompt_tokens + 10, "the model reads call and result");
    let mut wrong = turns;
    wrong[1]["tool_calls"][0]["function"]["arguments"] = json!({"city": "Rome"});
    let refused = world.client.plain(&ask.with("messages", wrong)).await.expect_err("no text");
    assert_eq!(refused.error["param"], "messages[1].tool_calls[0].function.arguments");
    world.finish().await;
}

#[tokio::test]
async fn a_call_that_was_cut_goes_back_as_it_came() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await];
    let whole = world.client.plain(&must_call()).await.expect("an answer");
    let few = whole.completion_tokens - 6;
    let cut = world.client.plain(&must_call().max_tokens(few)).await.expect("an answer");
    assert_eq!(cut.finish, "length");
    let message = cut.json["choices"][0]["message"].clone();
    let half = message["tool_calls"][0]["function"]["arguments"].as_str().expect("a text");
    assert!(serde_json::from_str::<Value>(half).is_err(), "{half}");
    let id = message["tool_calls"][0]["id"].clone();
    let turns = json!([{"role": "user", "content": "What is the weather in Rome?"}, message,
        {"role": "tool", "tool_call_id": id, "content": "Error: the arguments are no JSON."}]);
    let ask = must_call().with("messages", turns);
    let answer = world.client.plain(&ask).await.expect("an answer");
    is_weather(calls(&answer)[0]["function"]["arguments"].as_str().expect("a text"));
    // Whoever checks the receipt reads the half call alike.
    let bundle = Bundle::decode(&world.client.receipt(&answer.job).await.expect("a receipt"));
    let request = Request::parse(ask.body.to_string().as_bytes()).expect("a request");
    let model = TextModel::load(&demo_model()).expect("the demo model");
    let saved = Saved::parse(answer.json.to_string().as_bytes()).expect("a response");
    let trust = Trust::parse(&world.client.log_page("keys").await).expect("keys");
    let checked = check(&bundle.expect("a file"), Some(&request), Some(&saved), &trust);
    let receipt = checked.expect("it holds").receipt;
    assert!(replay(&receipt, &request, Some(&saved), &model).expect("replayed").output.is_some());
    world.finish().await;
}

#[tokio::test]
async fn a_call_that_the_grammar_forbids_is_caught() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _honest = [world.honest().await, world.honest().await];
    let cheat = world.scripted(Behaviour::NoMask).await;
    let answer = world.client.plain(&must_call()).await.expect("an answer");
    assert_eq!(calls(&answer).len(), 1);
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &cheat, "failed_spot_check");
    world.finish().await;
}

#[tokio::test]
async fn tools_that_cannot_be_served_are_refused_by_name() {
    let world = World::new().await;
    let custom = json!({"type": "custom", "custom": {"name": "shell"}});
    let strange = json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"x": {"type": "thing"}}}}});
    for (field, value, param) in [
        ("tools", json!([now(), custom]), "tools[1].type"),
        ("tools", json!([now(), strange]), "tools[1].function.parameters"),
        (
            "tools",
            json!([{"type": "function", "function": {"name": "a b"}}]),
            "tools[0].function.name",
        ),
        (
            "tool_choice",
            json!({"type": "function", "function": {"name": "then"}}),
            "tool_choice.function.name",
        ),
    ] {
        let refused = world.client.plain(&ask().with(field, value)).await.expect_err(param);
        assert_eq!((refused.status.as_u16(), &refused.error["param"]), (400, &json!(param)));
    }
    world.finish().await;
}

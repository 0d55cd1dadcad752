//! What an app sees that speaks OpenAI's dialect without any SDK: shapes, headers, errors.

use assay_tests::{Ask, ChatClient, World};
use serde_json::{Value, json};

#[tokio::test]
async fn a_plain_answer_has_openais_shape() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await, world.honest().await];
    let answer = world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
    let json = &answer.json;
    assert_eq!(json["id"], format!("chatcmpl-{}", answer.job));
    assert_eq!((&json["object"], &json["model"]), (&json!("chat.completion"), &json!("assay-pip")));
    let choice = &json["choices"][0];
    assert_eq!((&choice["index"], &choice["logprobs"]), (&json!(0), &Value::Null));
    assert_eq!(choice["message"]["role"], "assistant");
    assert_eq!(choice["message"]["refusal"], Value::Null);
    let usage = &json["usage"];
    let sum = usage["prompt_tokens"].as_u64().zip(usage["completion_tokens"].as_u64());
    assert_eq!(usage["total_tokens"].as_u64(), sum.map(|(prompt, answer)| prompt + answer));
    assert_eq!(json["x_assay"]["rule"], "agreement", "{json}");
    world.finish().await;
}

#[tokio::test]
async fn errors_have_openais_shape_and_name_what_is_wrong() {
    let world = World::new().await;
    let stranger = ChatClient::new(&world.gateway.url(), "ak-made-up");
    let hello = Ask::say("Hello!");
    let too_long = Ask::say(&"many words ".repeat(2_000));
    let cases = [
        (
            &stranger,
            hello.clone(),
            401,
            "invalid_request_error",
            json!("invalid_api_key"),
            json!(null),
        ),
        (
            &world.client,
            hello.clone().with("model", "gpt-9"),
            404,
            "invalid_request_error",
            json!("model_not_found"),
            json!("model"),
        ),
        (
            &world.client,
            hello.clone().with("temperature", 3),
            400,
            "invalid_request_error",
            json!("invalid_value"),
            json!("temperature"),
        ),
        (
            &world.client,
            hello.clone().with("messages", json!([])),
            400,
            "invalid_request_error",
            json!("invalid_value"),
            json!("messages"),
        ),
        (
            &world.client,
            hello.clone().with("n", 129),
            400,
            "invalid_request_error",
            json!("invalid_value"),
            json!("n"),
        ),
        (
            &world.client,
            too_long,
            400,
            "invalid_request_error",
            json!("context_length_exceeded"),
            json!("messages"),
        ),
        (&world.client, hello, 503, "server_error", json!("no_nodes"), json!(null)),
    ];
    for (client, ask, status, kind, code, param) in cases {
        // Errors before the first token are the same for streams.
        let plain = client.plain(&ask).await.expect_err("an error");
        let stream = client.stream(&ask).await.expect_err("an error");
        for refusal in [plain, stream] {
            let error = &refusal.error;
            assert_eq!(refusal.status, status, "{refusal:?}");
            assert_eq!(
                (&error["type"], &error["code"], &error["param"]),
                (&json!(kind), &code, &param),
                "{error}"
            );
            assert!(error["message"].as_str().is_some_and(|text| text.len() > 10), "{error}");
            assert!(refusal.headers.contains_key("x-request-id"), "{refusal:?}");
        }
    }
    world.finish().await;
}

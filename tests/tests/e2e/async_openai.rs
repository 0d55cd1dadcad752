//! The async-openai crate, unchanged: plain and streaming chats, and the errors that it tells apart.

use assay_tests::World;
use async_openai::{
    Client,
    config::OpenAIConfig,
    error::OpenAIError,
    types::chat::{
        ChatCompletionRequestUserMessage, CreateChatCompletionRequest,
        CreateChatCompletionRequestArgs, FinishReason,
    },
};
use futures_util::StreamExt;

fn client(world: &World, key: &str) -> Client<OpenAIConfig> {
    let config =
        OpenAIConfig::new().with_api_base(format!("{}/v1", world.gateway.url())).with_api_key(key);
    Client::with_config(config)
}

fn request(model: &str) -> CreateChatCompletionRequest {
    CreateChatCompletionRequestArgs::default()
        .model(model)
        .messages([ChatCompletionRequestUserMessage::from("Tell me a story.").into()])
        .temperature(0.0)
        .build()
        .expect("a request")
}

async fn world_of_three() -> (World, [assay_tests::ScriptedNode; 4]) {
    let world = World::new().await;
    let nodes =
        [world.scorer().await, world.honest().await, world.honest().await, world.honest().await];
    (world, nodes)
}

#[tokio::test]
async fn it_chats_plainly() {
    let (world, _nodes) = world_of_three().await;
    let answer = client(&world, world.client.key())
        .chat()
        .create(request("assay-pip"))
        .await
        .expect("an answer");
    assert!(answer.id.starts_with("chatcmpl-"));
    assert_eq!(answer.model, "assay-pip");
    let choice = &answer.choices[0];
    assert_eq!(choice.finish_reason, Some(FinishReason::Stop));
    let expected = world.model.expected(&assay_tests::Ask::say("Tell me a story.")).await;
    assert_eq!(choice.message.content, Some(world.model.text(&expected.ids)));
    let usage = answer.usage.expect("a usage");
    assert_eq!(usage.completion_tokens as usize, expected.ids.len());
    assert_eq!(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
    world.finish().await;
}

#[tokio::test]
async fn it_streams() {
    let (world, _nodes) = world_of_three().await;
    let mut stream = client(&world, world.client.key())
        .chat()
        .create_stream(request("assay-pip"))
        .await
        .expect("a stream");
    let (mut text, mut finish) = (String::new(), None);
    while let Some(chunk) = assay_tests::within("a chunk", stream.next()).await {
        let choice = &chunk.expect("every chunk reads").choices[0];
        text.push_str(choice.delta.content.as_deref().unwrap_or_default());
        finish = choice.finish_reason.or(finish);
    }
    let expected = world.model.expected(&assay_tests::Ask::say("Tell me a story.")).await;
    assert_eq!(text, world.model.text(&expected.ids));
    assert_eq!(finish, Some(FinishReason::Stop));
    world.finish().await;
}

#[tokio::test]
async fn it_understands_the_errors() {
    let (world, _nodes) = world_of_three().await;
    let (_, poor) = world.client_with(1).await;
    let mut hot = request("assay-pip");
    hot.temperature = Some(3.0);
    let cases = [
        (client(&world, "ak-made-up"), request("assay-pip"), 401, Some("invalid_api_key"), None),
        (
            client(&world, world.client.key()),
            request("gpt-9"),
            404,
            Some("model_not_found"),
            Some("model"),
        ),
        (client(&world, world.client.key()), hot, 400, Some("invalid_value"), Some("temperature")),
        (client(&world, poor.key()), request("assay-pip"), 429, Some("insufficient_quota"), None),
    ];
    for (client, request, status, code, param) in cases {
        let error = client.chat().create(request).await.expect_err("an error");
        let OpenAIError::ApiError(error) = error else { panic!("not told apart: {error:?}") };
        assert_eq!(error.status_code.as_u16(), status, "{error:?}");
        assert_eq!(error.api_error.code.as_deref(), code, "{error:?}");
        assert_eq!(error.api_error.param.as_deref(), param, "{error:?}");
    }
    world.finish().await;
}

//! What OpenAI's SDKs meet before any node is asked.

use assay_gateway::auth::{Secret, SecretKind};
use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::gateway::{Gateway, MODEL};

const INVALID: &str = "invalid_request_error";
const CHAT: &str = "/v1/chat/completions";

fn hello() -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": "hello"}]})
}

#[tokio::test]
async fn only_a_good_key_opens_v1() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (_, key) = gateway.client(&admin).await;
    let unknown = Secret::new(SecretKind::ApiKey, [1; 20]);
    for wrong in ["", "nonsense", &key[..key.len() - 1], unknown.reveal(), &admin] {
        for (method, path) in [("GET", "/v1/models"), ("POST", CHAT)] {
            let answer = gateway.ask(method, path, wrong, Value::Null).await;
            answer.is_error(401, INVALID, Some("invalid_api_key"), None);
        }
    }
    assert_eq!(gateway.ask("GET", "/v1/models", &key, Value::Null).await.status, 200);
}

#[tokio::test]
async fn models_are_listed_and_found_by_name() {
    let gateway = Gateway::start().await;
    let (_, key) = gateway.client(&gateway.log_in().await).await;
    let list = gateway.ask("GET", "/v1/models", &key, Value::Null).await;
    assert_eq!(list.body["object"], "list");
    let model = &list.body["data"][0];
    assert_eq!((model["id"].as_str(), model["object"].as_str()), (Some(MODEL), Some("model")));
    let found = gateway.ask("GET", &format!("/v1/models/{MODEL}"), &key, Value::Null).await;
    assert_eq!(&found.body, model);
    let other = gateway.ask("GET", "/v1/models/some/model", &key, Value::Null).await;
    other.is_error(404, INVALID, Some("model_not_found"), Some("model"));
}

#[tokio::test]
async fn unknown_urls_and_methods_are_errors_in_openais_shape() {
    let gateway = Gateway::start().await;
    let answer = gateway.ask("POST", "/v1/audio/speech", "", json!({})).await;
    answer.is_error(404, INVALID, Some("unknown_url"), None);
    let answer = gateway.ask("GET", CHAT, "", Value::Null).await;
    answer.is_error(405, INVALID, Some("method_not_allowed"), None);
}

#[tokio::test]
async fn a_wrong_request_is_a_400_that_names_the_field() {
    let gateway = Gateway::start().await;
    let (_, key) = gateway.client(&gateway.log_in().await).await;
    for (param, value) in [
        ("temperature", json!("hot")),
        ("temperature", json!(9)),
        ("messages", json!("hello")),
        ("messages[0].content", json!([{"role": "user"}])),
        ("logit_bias.999999", json!({"999999": 1})),
        ("verification.risk", json!({"risk": "none"})),
        ("verification.checks", json!({"checks": -1})),
        ("verification.release", json!({"release": "never"})),
    ] {
        let mut body = hello();
        body[param.split(['.', '[']).next().unwrap()] = value;
        let answer = gateway.ask("POST", CHAT, &key, body).await;
        answer.is_error(400, INVALID, None, Some(param));
    }
    let mut tools = hello();
    tools["tools"] = json!([{"type": "custom", "custom": {"name": "f"}}]);
    let answer = gateway.ask("POST", CHAT, &key, tools).await;
    answer.is_error(400, INVALID, Some("unsupported_parameter"), Some("tools[0].type"));
    let no_json = gateway.ask("POST", CHAT, &key, Value::Null).await;
    no_json.is_error(400, INVALID, None, None);
}

#[tokio::test]
async fn an_unknown_model_is_a_plain_404_for_streams_too() {
    let gateway = Gateway::start().await;
    let (_, key) = gateway.client(&gateway.log_in().await).await;
    for stream in [false, true] {
        let mut body = hello();
        body["model"] = json!("gpt-99");
        body["stream"] = json!(stream);
        let answer = gateway.ask("POST", CHAT, &key, body).await;
        answer.is_error(404, INVALID, Some("model_not_found"), Some("model"));
    }
}

#[tokio::test]
async fn a_prompt_beyond_the_context_has_the_code_that_frameworks_look_for() {
    let gateway = Gateway::start().await;
    let (_, key) = gateway.client(&gateway.log_in().await).await;
    for (times, counted) in [(2_000, "tokens"), (20_000, "bytes")] {
        let mut body = hello();
        body["messages"][0]["content"] = json!("one two three ".repeat(times));
        let answer = gateway.ask("POST", CHAT, &key, body).await;
        answer.is_error(400, INVALID, Some("context_length_exceeded"), Some("messages"));
        let message = answer.body["error"]["message"].as_str().unwrap();
        assert!(message.contains(&format!(" {counted}")), "{message}");
    }
}

#[tokio::test]
async fn headers_about_verification_are_checked() {
    let gateway = Gateway::start().await;
    let (_, key) = gateway.client(&gateway.log_in().await).await;
    for (name, value) in [("x-assay-risk", "none".to_owned()), ("x-assay-nonce", "x".repeat(129))] {
        let request = Request::post(CHAT)
            .header("authorization", format!("Bearer {key}"))
            .header(name, value)
            .body(Body::from(hello().to_string()));
        gateway.send(request.unwrap()).await.is_error(400, INVALID, None, Some(name));
    }
}

#[tokio::test]
async fn without_credit_sdks_are_told_not_to_retry() {
    let gateway = Gateway::start().await;
    let (_, key) = gateway.client(&gateway.log_in().await).await;
    for stream in [false, true] {
        let mut body = hello();
        body["stream"] = json!(stream);
        let answer = gateway.ask("POST", CHAT, &key, body).await;
        answer.is_error(429, "insufficient_quota", Some("insufficient_quota"), None);
        assert_eq!(answer.header("x-should-retry"), "false");
        assert_eq!(answer.header("retry-after"), "");
    }
}

#[tokio::test]
async fn without_nodes_it_is_a_503_that_says_when_to_come_back_and_nothing_is_charged() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (account, key) = gateway.client(&admin).await;
    let path = format!("/admin/v1/accounts/{account}");
    let grant = json!({"amount_nano": 1_000_000_000});
    gateway.ask("POST", &format!("{path}/credits"), &admin, grant).await;
    let answer = gateway.ask("POST", CHAT, &key, hello()).await;
    answer.is_error(503, "server_error", Some("no_nodes"), None);
    let job = format!("/admin/v1/jobs/{}", answer.header("x-assay-job"));
    assert!(answer.header("retry-after").parse::<u32>().unwrap() >= 1);
    gateway.app.tasks.close();
    gateway.app.tasks.wait().await;
    let job = gateway.ask("GET", &job, &admin, Value::Null).await;
    assert_eq!(job.text("state"), "failed");
    assert_eq!(job.body["returned_nano"], job.body["hold_nano"]);
    let account = gateway.ask("GET", &path, &admin, Value::Null).await;
    assert_eq!(
        (&account.body["available_nano"], &account.body["held_nano"]),
        (&json!(1_000_000_000), &json!(0))
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_is_a_413() {
    let gateway = Gateway::with(|config| config.limits.body_bytes_max = 1_024).await;
    let (_, key) = gateway.client(&gateway.log_in().await).await;
    let mut body = hello();
    body["messages"][0]["content"] = json!("x".repeat(2_000));
    gateway.ask("POST", CHAT, &key, body).await.is_error(
        413,
        INVALID,
        Some("body_too_large"),
        None,
    );
}

#[tokio::test]
async fn each_key_has_its_own_rate_and_is_told_when_to_come_back() {
    let gateway = Gateway::with(|config| {
        config.rate_limit.per_second = 1;
        config.rate_limit.burst = 2;
    })
    .await;
    let admin = gateway.log_in().await;
    let ((_, first), (_, second)) = (gateway.client(&admin).await, gateway.client(&admin).await);
    let models = async |key: &str| gateway.ask("GET", "/v1/models", key, Value::Null).await;
    let answer = models(&first).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-ratelimit-limit-requests"), "2");
    assert_eq!(answer.header("x-ratelimit-remaining-requests"), "1");
    assert_eq!(answer.header("x-ratelimit-reset-requests"), "1s");
    models(&first).await;
    let refused = models(&first).await;
    refused.is_error(429, "requests", Some("rate_limit_exceeded"), None);
    assert!(refused.header("retry-after").parse::<u32>().unwrap() >= 1);
    assert!(refused.header("retry-after-ms").parse::<u32>().unwrap() >= 1);
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), "0");
    assert_eq!(models(&second).await.status, 200);
}

#[tokio::test]
async fn keys_that_are_made_up_share_the_rate_of_their_address() {
    let gateway = Gateway::with(|config| {
        config.rate_limit.per_second = 1;
        config.rate_limit.burst = 3;
    })
    .await;
    let (_, key) = gateway.client(&gateway.log_in().await).await;
    let models = async |key: &str| gateway.ask("GET", "/v1/models", key, Value::Null).await;
    let made_up = |random| Secret::new(SecretKind::ApiKey, [random; 20]);
    for random in 1..4 {
        let refused = models(made_up(random).reveal()).await;
        refused.is_error(401, INVALID, Some("invalid_api_key"), None);
    }
    let refused = models(made_up(4).reveal()).await;
    refused.is_error(429, "requests", Some("rate_limit_exceeded"), None);
    assert_eq!(models(&key).await.status, 200, "whoever has a key does not wait for them");
}

#[tokio::test]
async fn a_plain_request_id_is_kept_and_any_other_replaced() {
    let gateway = Gateway::start().await;
    let with = async |id: &str| {
        let request = Request::get("/healthz").header("x-request-id", id).body(Body::empty());
        gateway.send(request.unwrap()).await.header("x-request-id").to_owned()
    };
    assert_eq!(with("proxy-17").await, "proxy-17");
    for wrong in ["two words", &"x".repeat(65)] {
        assert!(with(wrong).await.starts_with("req-"));
    }
}

#[tokio::test]
async fn health_says_whether_requests_can_be_served() {
    let ready = Gateway::start().await.ask("GET", "/readyz", "", Value::Null).await;
    assert_eq!((ready.status.as_u16(), &ready.body["models"]), (200, &json!(1)));
    let empty = Gateway::with(|config| config.models.clear()).await;
    assert_eq!(empty.ask("GET", "/readyz", "", Value::Null).await.status, 503);
    assert_eq!(empty.ask("GET", "/healthz", "", Value::Null).await.status, 200);
    assert_eq!(empty.ask("GET", "/metrics", "", Value::Null).await.status, 200);
}

/// Whatever a client sends: SDKs would try a 5xx again and again.
#[tokio::test]
async fn a_clients_mistake_is_never_a_5xx() {
    let gateway = Gateway::with(|config| config.limits.body_bytes_max = 100_000).await;
    let (_, key) = gateway.client(&gateway.log_in().await).await;
    let deep = format!("{{\"messages\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let bodies: [&[u8]; 18] = [
        b"",
        b"null",
        b"[]",
        b"7",
        b"{",
        b"{}}",
        b"\xff\xfe",
        b"{\"model\":\"\xff\"}",
        b"{\"model\":{}}",
        b"{\"model\":\"assay-pip\",\"model\":\"assay-pip\"}",
        b"{\"model\":\"a/b/c\",\"prompt\":\"x\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}",
        b"{\"temperature\":1e999}",
        b"{\"seed\":99999999999999999999999}",
        b"{\"n\":4294967297}",
        b"{\"max_tokens\":-9223372036854775808}",
        b"{\"prompt\":[[1,2],[99999999999]]}",
        b"{\"stop\":{\"a\":1}}",
        deep.as_bytes(),
    ];
    for path in [CHAT, "/v1/completions", "/v1/responses", "/v1/embeddings"] {
        for body in bodies {
            let request = Request::post(path)
                .header("authorization", format!("Bearer {key}"))
                .body(Body::from(body.to_vec()));
            let answer = gateway.send(request.unwrap()).await;
            assert!(answer.status.is_client_error(), "{answer:?} to {body:?}");
            assert_eq!(
                answer.body["error"].as_object().map(|error| error.len()),
                Some(4),
                "{answer:?}"
            );
        }
        for (name, value) in
            [("idempotency-key", String::new()), ("idempotency-key", "k".repeat(256))]
        {
            let request = Request::post(path)
                .header("authorization", format!("Bearer {key}"))
                .header(name, value)
                .body(Body::from(hello().to_string()));
            gateway.send(request.unwrap()).await.is_error(400, INVALID, None, Some(name));
        }
    }
    for (method, path, status, code) in [
        ("POST", "/v1/moderations", 404, "unknown_url"),
        ("GET", "/v1", 404, "unknown_url"),
        ("GET", "/v1/", 404, "unknown_url"),
        ("GET", "/v1//models", 404, "unknown_url"),
        ("GET", "/v1/files/%ff", 404, "unknown_url"),
        ("PUT", "/v1/models", 405, "method_not_allowed"),
        ("GET", "/v1/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models/assay-pip", 405, "method_not_allowed"),
        ("GET", "/v1/models/some/body%20else/s", 404, "model_not_found"),
    ] {
        let answer = gateway.ask(method, path, &key, Value::Null).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body["error"]["code"].as_str()),
            (status, Some(code)),
            "{method} {path}"
        );
        assert_eq!(answer.body["error"].as_object().map(|error| error.len()), Some(4));
        assert!(!answer.header("x-request-id").is_empty());
    }
}

#[tokio::test]
async fn rate_figures_come_with_every_answer_of_v1() {
    let gateway = Gateway::start().await;
    let (_, key) = gateway.client(&gateway.log_in().await).await;
    let figures = ["limit", "remaining", "reset"];
    for (path, body) in
        [("/v1/models", Value::Null), (CHAT, hello()), ("/v1/completions", json!({}))]
    {
        let method = if body.is_null() { "GET" } else { "POST" };
        let answer = gateway.ask(method, path, &key, body).await;
        for figure in figures {
            let name = format!("x-ratelimit-{figure}-requests");
            assert!(!answer.header(&name).is_empty(), "{path}: {name}");
        }
    }
}

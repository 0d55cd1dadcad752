//! Every refusal says why, by a code of the table: walked over all operations of the document and over what is
//! beside it, each asked wrongly in several ways.

use assay_gateway::reasons::{About, Reason};
use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway};

/// What a path may name, and none of it is there.
const IDS: [&str; 6] =
    ["nonsense", "%ff", "a%00", "-1", "0", "00000000-0000-4000-8000-000000000000"];
const QUERIES: [&str; 5] =
    ["", "?limit=x", "?after=%ff", "?after=1.%00", "?from=x&before=x&pay=x&state=x&node_id=x"];
const BODIES: [&str; 6] =
    ["", "{", "[]", "{}", r#"{"amount_nano": "x", "secret": 5}"#, r#"{"name": "a\u0000"}"#];
/// Served, and in no document.
const BESIDE: [(&str, &str); 4] = [
    ("get", "/console/{id}"),
    ("get", "/node/v1/connect"),
    ("post", "/node/v1/connect"),
    ("get", "/nowhere/{id}"),
];

/// Method and path of everything that is served.
fn everything() -> Vec<(String, String)> {
    let document: Value = serde_json::from_str(&assay_gateway::router::document_json()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let documented = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(|method| (method.clone(), path.clone()))
    });
    let beside = BESIDE.map(|(method, path)| (method.to_owned(), path.to_owned()));
    let mut all: Vec<_> = documented.chain(beside).collect();
    // Whoever logs out is refused from then on for that alone.
    all.sort_by_key(|(_, path)| path.ends_with("/logout"));
    all
}

/// The path with every name in braces filled in.
fn about(path: &str, id: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { id } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// Whoever may ask: nobody, a client, an operator, an admin.
async fn bearers(gateway: &Gateway) -> [String; 4] {
    let admin = gateway.log_in().await;
    let (_, key) = gateway.client(&admin).await;
    let invited = gateway.ask("POST", "/admin/v1/invitations", &admin, json!({"note": "x"})).await;
    let sign_up = json!({"invitation": invited.text("invitation"), "name": "x"});
    let operator = gateway.ask("POST", "/operator/v1/sign-up", "", sign_up).await;
    let operator = operator.body["session"]["token"].as_str().unwrap().to_owned();
    [String::new(), key, operator, admin]
}

#[track_caller]
fn says_why(answer: &Answer, what: &str) {
    // What waits for something that is not there yet is no refusal of the request.
    if answer.status.is_success() || answer.status.is_redirection() || what == "get /readyz" {
        return;
    }
    let code = answer.body["error"]["code"].as_str();
    let code = code.unwrap_or_else(|| panic!("{what} is refused without a code: {answer:?}"));
    assert!(Reason::find(About::Request, code).is_some(), "{what}: `{code}` is in no table");
    let message = answer.body["error"]["message"].as_str();
    assert!(message.is_some_and(|text| text.len() > 10), "{what}: {answer:?}");
    assert_ne!(code, Reason::Internal.code(), "{what} broke something: {answer:?}");
}

#[tokio::test]
async fn every_operation_that_refuses_says_why_by_a_code_of_the_table() {
    let gateway = Gateway::with(|config| {
        let rates = &mut config.rate_limit;
        (rates.per_second, rates.burst) = (100_000, 100_000);
        (rates.enrolments_per_minute, rates.logins_per_minute) = (100_000, 100_000);
    })
    .await;
    let bearers = bearers(&gateway).await;
    let mut refused = 0;
    for (method, path) in everything() {
        let ids = if path.contains('{') { &IDS[..] } else { &IDS[..1] };
        let bodies = if method == "get" { &BODIES[..1] } else { &BODIES[..] };
        let queries = if method == "get" { &QUERIES[..] } else { &QUERIES[..1] };
        for bearer in &bearers {
            for (id, (body, query)) in ids.iter().flat_map(|id| {
                let pairs =
                    bodies.iter().flat_map(|body| queries.iter().map(move |query| (body, query)));
                pairs.map(move |pair| (id, pair))
            }) {
                let uri = format!("{}{query}", about(&path, id));
                let mut request =
                    Request::builder().method(method.to_uppercase().as_str()).uri(&uri);
                if !bearer.is_empty() {
                    request = request.header("authorization", format!("Bearer {bearer}"));
                }
                let answer = gateway.send(request.body(Body::from(*body)).unwrap()).await;
                says_why(&answer, &format!("{method} {path}"));
                refused += u32::from(answer.status.is_client_error());
            }
        }
    }
    assert!(refused > 1_000, "only {refused} were refused: this walks past most of them");
}

/// PostgreSQL stores no text with one, SQLite does: so none gets to a store.
#[tokio::test]
async fn text_with_a_nul_is_refused_wherever_it_comes_in() {
    let gateway = Gateway::start().await;
    let [_, key, operator, admin] = bearers(&gateway).await;
    let (account, _) = gateway.client(&admin).await;
    let credits = format!("/admin/v1/accounts/{account}/credits");
    let bodies = [
        (&admin, "/admin/v1/accounts", json!({"name": "a\0b"})),
        (&admin, "/admin/v1/invitations", json!({"note": "\0"})),
        (&admin, &*credits, json!({"amount_nano": 1, "note": "\0"})),
        (&admin, &*credits, json!({"amount_nano": 1, "idempotency_key": "\0"})),
        (&key, "/v1/credits/refunds", json!({"top_up_id": "\0", "amount_cents": 1})),
    ];
    for (bearer, path, body) in bodies {
        let answer = gateway.ask("POST", path, bearer, body).await;
        answer.is_error(400, "invalid_request_error", Some("invalid_request"), None);
        let said = answer.body["error"]["message"].as_str().unwrap();
        assert!(said.contains("U+0000"), "{path}: {said}");
    }
    let lists = [
        (&key, "/v1/credits/top-ups"),
        (&key, "/v1/credits/refunds"),
        (&operator, "/operator/v1/jobs"),
    ];
    for (bearer, path) in lists {
        let answer = gateway.ask("GET", &format!("{path}?after=1.%00"), bearer, Value::Null).await;
        answer.is_error(400, "invalid_request_error", Some("invalid_request"), None);
    }
    let escaped =
        gateway.ask("POST", "/admin/v1/accounts", &admin, json!({"name": "a \\u0000"})).await;
    assert_eq!(escaped.status, 201, "a backslash and five letters are text: {escaped:?}");
}

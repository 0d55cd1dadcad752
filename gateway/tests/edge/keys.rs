//! What an API key may be used for, and how it gives its place to another.

use assay_gateway::{
    auth::{KeyAsk, Permissions, Scope, issue_key},
    db::Actor,
    serving::Risk,
};
use assay_ledger::AccountId;
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway, MODEL};

const CHAT: &str = "/v1/chat/completions";
const INVALID: &str = "invalid_request_error";
const NO_SCOPE: Option<&str> = Some("insufficient_permissions");

fn hello() -> Value {
    json!({"model": MODEL, "messages": [{"role": "user", "content": "hello"}]})
}

async fn made(gateway: &Gateway, admin: &str, ask: Value) -> Answer {
    let answer = gateway.ask("POST", "/admin/v1/keys", admin, ask).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

#[tokio::test]
async fn a_key_is_good_for_what_it_was_made_for_and_for_nothing_else() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (account, all) = gateway.client(&admin).await;
    let receipt = format!("/v1/receipts/{}", uuid::Uuid::now_v7());
    let uses = [
        ("inference", "POST", CHAT, hello()),
        ("inference", "GET", receipt.as_str(), Value::Null),
        ("credits.read", "GET", "/v1/credits", Value::Null),
        ("credits.read", "GET", "/v1/credits/entries", Value::Null),
        ("credits.read", "GET", "/v1/credits/requests", Value::Null),
        ("credits.read", "GET", "/v1/credits/top-ups", Value::Null),
        ("credits.write", "POST", "/v1/credits/checkout", json!({"amount_cents": 500})),
        ("credits.write", "POST", "/v1/credits/refunds", json!({})),
    ];
    for scope in ["inference", "credits.read", "credits.write"] {
        let ask = json!({"account_id": account, "name": scope, "scopes": [scope]});
        let key = made(&gateway, &admin, ask).await.text("key");
        for (needed, method, path, body) in &uses {
            let answer = gateway.ask(method, path, &key, body.clone()).await;
            if *needed == scope {
                assert_ne!(answer.status, 403, "{path}: {answer:?}");
            } else {
                answer.is_error(403, INVALID, NO_SCOPE, None);
                assert!(answer.body["error"]["message"].to_string().contains(needed));
            }
        }
        assert_eq!(gateway.ask("GET", "/v1/models", &key, Value::Null).await.status, 200);
    }
    for (_, method, path, body) in &uses {
        assert_ne!(gateway.ask(method, path, &all, body.clone()).await.status, 403, "{path}");
    }
    for (field, wrong) in [("scopes", json!([])), ("models.0", json!(["no-such-model"]))] {
        let name = field.split('.').next().unwrap();
        let ask = json!({"account_id": account, "name": "n", name: wrong});
        let answer = gateway.ask("POST", "/admin/v1/keys", &admin, ask).await;
        answer.is_error(400, INVALID, None, Some(field));
    }
}

#[tokio::test]
async fn a_key_sees_and_asks_only_the_models_it_was_made_for() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (account, _) = gateway.client(&admin).await;
    let ask = json!({"account_id": account, "name": "n", "models": [MODEL]});
    let one = made(&gateway, &admin, ask).await;
    assert_eq!(one.body["models"], json!([MODEL]));
    assert_ne!(gateway.ask("POST", CHAT, &one.text("key"), hello()).await.status, 404);

    // A model that was served when the key was made, and is not any more.
    let ask = KeyAsk {
        account: AccountId(account),
        name: "another model's".into(),
        risk: Risk::Standard,
        expires_ms: None,
        budget_day: None,
        permissions: Permissions {
            scopes: Scope::ALL.to_vec(),
            models: vec!["another/model".into()],
        },
    };
    let actor = Actor { name: "a test".into(), at_ms: 1 };
    let (key, _) = issue_key(&gateway.app.db, ask, &actor).await.unwrap();
    let list = gateway.ask("GET", "/v1/models", key.reveal(), Value::Null).await;
    assert_eq!(list.body["data"], json!([]));
    for (method, path, body) in
        [("POST", CHAT, hello()), ("GET", &*format!("/v1/models/{MODEL}"), Value::Null)]
    {
        let answer = gateway.ask(method, path, key.reveal(), body).await;
        answer.is_error(404, INVALID, Some("model_not_found"), Some("model"));
    }
}

#[tokio::test]
async fn a_rotated_key_gives_its_place_to_one_that_may_do_the_same() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (account, _) = gateway.client(&admin).await;
    let ask = json!({
        "account_id": account, "name": "n", "risk": "low", "budget_day_nano": 7,
        "scopes": ["credits.read"], "models": [MODEL],
    });
    let old = made(&gateway, &admin, ask).await;
    let path = format!("/admin/v1/keys/{}/rotate", old.body["id"]);
    let answer = gateway.ask("POST", &path, &admin, json!({"overlap_minutes": 43_201})).await;
    answer.is_error(400, INVALID, None, Some("overlap_minutes"));

    let overlapping = gateway.ask("POST", &path, &admin, json!({})).await;
    assert_eq!(overlapping.status, 201, "{overlapping:?}");
    for same in ["account_id", "name", "risk", "budget_day_nano", "scopes", "models", "expires_ms"]
    {
        assert_eq!(overlapping.body[same], old.body[same], "{same}");
    }
    assert_eq!(overlapping.body["rotated_from"], old.body["id"]);
    for key in [&old, &overlapping] {
        let answer = gateway.ask("GET", "/v1/credits", &key.text("key"), Value::Null).await;
        assert_eq!(answer.status, 200, "both are good for a day");
    }

    let path = format!("/admin/v1/keys/{}/rotate", overlapping.body["id"]);
    let at_once = gateway.ask("POST", &path, &admin, json!({"overlap_minutes": 0})).await;
    assert_eq!(at_once.status, 201, "{at_once:?}");
    let ended = gateway.ask("GET", "/v1/credits", &overlapping.text("key"), Value::Null).await;
    ended.is_error(401, INVALID, Some("invalid_api_key"), None);
    let answer = gateway.ask("GET", "/v1/credits", &at_once.text("key"), Value::Null).await;
    assert_eq!(answer.status, 200);
    let again = gateway.ask("POST", &path, &admin, json!({})).await;
    assert_eq!(again.status, 409, "{again:?}");
}

#[tokio::test]
async fn the_last_use_of_a_key_is_noted() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (_, key) = gateway.client(&admin).await;
    let used = async || {
        let keys = gateway.ask("GET", "/admin/v1/keys", &admin, Value::Null).await;
        keys.body["data"][0]["last_used_ms"].clone()
    };
    assert_eq!(used().await, Value::Null, "never");
    gateway.ask("GET", "/v1/models", &key, Value::Null).await;
    gateway.app.tasks.close();
    gateway.app.tasks.wait().await;
    let first = used().await;
    assert!(first.is_i64(), "{first}");
    // Within the same minute nothing is written again.
    gateway.ask("GET", "/v1/models", &key, Value::Null).await;
    gateway.app.tasks.wait().await;
    assert_eq!(used().await, first);
}

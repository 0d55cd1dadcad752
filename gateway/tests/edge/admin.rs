//! The admin API: sessions, accounts, credit, keys, the log.

use assay_gateway::{auth::AdminSecret, db::Actor};
use axum::{
    body::Body,
    http::{HeaderValue, Request},
};
use serde_json::{Value, json};

use crate::gateway::{ADMIN_SECRET, Gateway};

const INVALID: &str = "invalid_request_error";

#[tokio::test]
async fn every_admin_route_but_the_log_in_needs_a_session() {
    let gateway = Gateway::start().await;
    let (_, key) = gateway.client(&gateway.log_in().await).await;
    let document = assay_gateway::router::document();
    let mut asked = 0;
    for (path, item) in &document.paths.paths {
        let operations = [
            ("GET", &item.get),
            ("POST", &item.post),
            ("PATCH", &item.patch),
            ("DELETE", &item.delete),
        ];
        for (method, _) in operations.iter().filter(|(_, operation)| operation.is_some()) {
            if !path.starts_with("/admin/") || path.ends_with("/login") {
                continue;
            }
            let path = path.replace("{id}", "1");
            for bearer in ["", &key, ADMIN_SECRET] {
                let answer = gateway.ask(method, &path, bearer, Value::Null).await;
                answer.is_error(401, INVALID, Some("invalid_session"), None);
            }
            asked += 1;
        }
    }
    assert!(asked >= 18, "{asked}");
}

#[tokio::test]
async fn log_ins_need_the_secret_and_are_few() {
    let gateway = Gateway::with(|config| config.rate_limit.logins_per_minute = 3).await;
    let log_in = async |secret: &str| {
        gateway.ask("POST", "/admin/v1/login", "", json!({"secret": secret})).await
    };
    log_in("").await.is_error(401, INVALID, Some("wrong_secret"), None);
    let near = format!("{ADMIN_SECRET} ");
    log_in(&near).await.is_error(401, INVALID, Some("wrong_secret"), None);
    assert_eq!(log_in(ADMIN_SECRET).await.status, 200);
    log_in(ADMIN_SECRET).await.is_error(429, "requests", Some("rate_limit_exceeded"), None);
}

#[tokio::test]
async fn a_new_admin_secret_ends_the_old_one_and_all_its_sessions() {
    let gateway = Gateway::start().await;
    let session = gateway.log_in().await;
    let by = Actor { name: "a test".into(), at_ms: 1 };
    let secret = AdminSecret::replace(&gateway.app.db, &by).await.unwrap();
    let late = gateway.ask("GET", "/admin/v1/log", &session, Value::Null).await;
    late.is_error(401, INVALID, Some("invalid_session"), None);
    let old = json!({"secret": ADMIN_SECRET});
    let old = gateway.ask("POST", "/admin/v1/login", "", old).await;
    old.is_error(401, INVALID, Some("wrong_secret"), None);
    let new = json!({"secret": secret.reveal()});
    let session = gateway.ask("POST", "/admin/v1/login", "", new).await.text("token");
    let log = gateway.ask("GET", "/admin/v1/log", &session, Value::Null).await;
    assert_eq!(log.body["data"][1]["action"], "admin.secret", "{log:?}");
    assert!(!log.body.to_string().contains(secret.reveal()));
}

#[tokio::test]
async fn a_grant_with_the_same_key_moves_money_once() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (account, _) = gateway.client(&admin).await;
    let path = format!("/admin/v1/accounts/{account}/credits");
    let grant = async |amount: i64| {
        let body = json!({"amount_nano": amount, "note": "a gift", "idempotency_key": "k1"});
        gateway.ask("POST", &path, &admin, body).await
    };
    let first = grant(500).await;
    assert_eq!(
        (&first.body["repeated"], &first.body["account"]["available_nano"]),
        (&json!(false), &json!(500))
    );
    let again = grant(500).await;
    assert_eq!(
        (&again.body["repeated"], &again.body["account"]["available_nano"]),
        (&json!(true), &json!(500))
    );
    grant(501).await.is_error(409, INVALID, Some("conflict"), None);
    grant(0).await.is_error(400, INVALID, Some("invalid_value"), Some("amount_nano"));
    let nobody = "/admin/v1/accounts/999999/credits";
    let answer = gateway.ask("POST", nobody, &admin, json!({"amount_nano": 1})).await;
    answer.is_error(404, INVALID, Some("not_found"), None);
    let audit = gateway.ask("GET", "/admin/v1/audit", &admin, Value::Null).await;
    assert_eq!((&audit.body["clean"], &audit.body["granted_nano"]), (&json!(true), &json!(500)));
}

#[tokio::test]
async fn a_grant_whose_key_or_note_cannot_be_kept_is_refused() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (account, _) = gateway.client(&admin).await;
    let path = format!("/admin/v1/accounts/{account}/credits");
    let grant = async |key: &[u8], body: Value| {
        let request = Request::builder().method("POST").uri(&path);
        let request = request.header("authorization", format!("Bearer {admin}"));
        let request = request.header("idempotency-key", HeaderValue::from_bytes(key).unwrap());
        gateway.send(request.body(Body::from(body.to_string())).unwrap()).await
    };
    let param = Some("idempotency-key");
    for key in ["Grüße".as_bytes(), b"", &[b'k'; 256]] {
        let answer = grant(key, json!({"amount_nano": 5})).await;
        answer.is_error(400, INVALID, Some("invalid_value"), param);
    }
    let two = grant(b"one", json!({"amount_nano": 5, "idempotency_key": "other"})).await;
    two.is_error(400, INVALID, Some("invalid_value"), Some("idempotency_key"));
    let long = json!({"amount_nano": 5, "note": "n".repeat(201)});
    grant(b"k", long).await.is_error(400, INVALID, Some("invalid_value"), Some("note"));

    for repeated in [false, true] {
        let same = grant(b"k", json!({"amount_nano": 5, "idempotency_key": "k"})).await;
        assert_eq!(same.body["repeated"], repeated, "{same:?}");
        assert_eq!(same.body["account"]["available_nano"], 5, "once: {same:?}");
    }
}

#[tokio::test]
async fn a_revoked_key_stops_working_and_lists_never_show_a_key() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (account, key) = gateway.client(&admin).await;
    let path = format!("/admin/v1/keys?account_id={account}");
    let listed = gateway.ask("GET", &path, &admin, Value::Null).await;
    let row = &listed.body["data"][0];
    assert!(key.starts_with(row["prefix"].as_str().unwrap()));
    assert!(!listed.body.to_string().contains(&key));
    let path = format!("/admin/v1/keys/{}", row["id"]);
    assert_eq!(gateway.ask("DELETE", &path, &admin, Value::Null).await.status, 204);
    let answer = gateway.ask("GET", "/v1/models", &key, Value::Null).await;
    answer.is_error(401, INVALID, Some("invalid_api_key"), None);
    let unknown = gateway.ask("DELETE", "/admin/v1/keys/999", &admin, Value::Null).await;
    unknown.is_error(404, INVALID, Some("not_found"), None);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    for _ in 0..3 {
        gateway.client(&admin).await;
    }
    let first = gateway.ask("GET", "/admin/v1/accounts?limit=2", &admin, Value::Null).await;
    assert_eq!(first.body["data"].as_array().unwrap().len(), 2);
    let path = format!("/admin/v1/accounts?limit=2&after={}", first.text("next"));
    let second = gateway.ask("GET", &path, &admin, Value::Null).await;
    assert_eq!(second.body["data"].as_array().unwrap().len(), 1);
    assert_eq!(second.body["next"], Value::Null);
    let wrong = gateway.ask("GET", "/admin/v1/accounts?after=x", &admin, Value::Null).await;
    wrong.is_error(400, INVALID, None, Some("after"));
    let wrong = gateway.ask("GET", "/admin/v1/accounts?limit=x", &admin, Value::Null).await;
    wrong.is_error(400, INVALID, None, Some("limit"));
    for limit in [0, 201] {
        let path = format!("/admin/v1/accounts?limit={limit}");
        let wrong = gateway.ask("GET", &path, &admin, Value::Null).await;
        wrong.is_error(400, INVALID, None, Some("limit"));
    }
}

#[tokio::test]
async fn what_admins_did_is_logged_without_secrets() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (_, key) = gateway.client(&admin).await;
    let log = gateway.ask("GET", "/admin/v1/log", &admin, Value::Null).await;
    let rows = log.body["data"].as_array().unwrap();
    let actions: Vec<_> = rows.iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["key.create", "account.create", "login"]);
    assert!(!log.body.to_string().contains(&key));
}

#[tokio::test]
async fn what_does_not_exist_is_a_404() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let id = "0190c5a0-0000-7000-8000-000000000000";
    for path in
        ["accounts/5000", "operators/5", &format!("nodes/{id}"), &format!("jobs/{id}"), "nodes/x"]
    {
        let answer = gateway.ask("GET", &format!("/admin/v1/{path}"), &admin, Value::Null).await;
        answer.is_error(404, INVALID, Some("not_found"), None);
    }
}

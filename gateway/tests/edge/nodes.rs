//! How a machine becomes a node, and what an admin can do about it.

use assay_protocol::{Bytes32, identity};
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway};

const INVALID: &str = "invalid_request_error";

async fn token(gateway: &Gateway, admin: &str) -> String {
    let operator = gateway.ask("POST", "/admin/v1/operators", admin, json!({"name": "Ada"})).await;
    let path = format!("/admin/v1/operators/{}/enrolment-tokens", operator.body["id"]);
    gateway.ask("POST", &path, admin, json!({})).await.text("token")
}

fn statement(token: &str, key: &SigningKey) -> Value {
    let public = Bytes32(key.verifying_key().to_bytes());
    let signature = identity::sign(key, &identity::enrol_statement(token, public));
    json!({"token": token, "name": "box", "public_key": public, "signature": signature})
}

async fn enrol(gateway: &Gateway, body: Value) -> Answer {
    gateway.ask("POST", "/node/v1/enrol", "", body).await
}

#[tokio::test]
async fn a_token_makes_one_node_for_the_key_that_signed() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let token = token(&gateway, &admin).await;
    let (key, other) = (SigningKey::from_bytes(&[1; 32]), SigningKey::from_bytes(&[2; 32]));

    let mut forged = statement(&token, &other);
    forged["public_key"] = statement(&token, &key)["public_key"].clone();
    enrol(&gateway, forged).await.is_error(401, INVALID, Some("wrong_secret"), None);

    let first = enrol(&gateway, statement(&token, &key)).await;
    assert_eq!(first.status, 200, "{first:?}");
    assert_eq!(first.text("gateway_id"), gateway.app.keys.gateway_id());
    let again = enrol(&gateway, statement(&token, &key)).await;
    assert_eq!(again.text("node_id"), first.text("node_id"));
    let second = enrol(&gateway, statement(&token, &other)).await;
    second.is_error(409, INVALID, Some("conflict"), None);

    let listed = gateway.ask("GET", "/admin/v1/nodes", &admin, Value::Null).await;
    let node = &listed.body["data"][0];
    assert_eq!(node["id"], json!(first.text("node_id")));
    assert_eq!((&node["state"], &node["trusted"]), (&json!("offline"), &json!(false)));
}

#[tokio::test]
async fn an_operator_has_so_many_unused_tokens_and_no_more() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let operator = gateway.ask("POST", "/admin/v1/operators", &admin, json!({"name": "Ada"})).await;
    let path = format!("/admin/v1/operators/{}/enrolment-tokens", operator.body["id"]);
    let mut last = gateway.ask("POST", &path, &admin, json!({})).await;
    let mut made = 0;
    while last.status == 201 && made < 1_000 {
        made += 1;
        last = gateway.ask("POST", &path, &admin, json!({})).await;
    }
    last.is_error(409, INVALID, Some("too_many_tokens"), None);
    assert_eq!(made, 100);
}

#[tokio::test]
async fn what_is_no_token_enrols_nobody() {
    let gateway = Gateway::start().await;
    let key = SigningKey::from_bytes(&[1; 32]);
    let unknown =
        assay_gateway::auth::Secret::new(assay_gateway::auth::SecretKind::Enrolment, [1; 20]);
    for token in ["", "et-1", unknown.reveal()] {
        let answer = enrol(&gateway, statement(token, &key)).await;
        answer.is_error(401, INVALID, Some("wrong_secret"), None);
    }
    let mut short = statement(unknown.reveal(), &key);
    short["public_key"] = json!("00");
    enrol(&gateway, short).await.is_error(400, INVALID, None, Some("public_key"));
    let missing = Some("missing_required_parameter");
    enrol(&gateway, json!({})).await.is_error(400, INVALID, missing, Some("token"));
}

#[tokio::test]
async fn an_admin_trusts_bans_with_a_reason_and_unbans() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let token = token(&gateway, &admin).await;
    let key = SigningKey::from_bytes(&[1; 32]);
    let id = enrol(&gateway, statement(&token, &key)).await.text("node_id");
    let path = format!("/admin/v1/nodes/{id}");

    let trusted = gateway.ask("PATCH", &path, &admin, json!({"trusted": true})).await;
    assert_eq!(trusted.body["trusted"], json!(true), "{trusted:?}");

    let ban = format!("{path}/ban");
    let answer = gateway.ask("POST", &ban, &admin, json!({"reason": " "})).await;
    answer.is_error(400, INVALID, None, Some("reason"));
    let banned = gateway.ask("POST", &ban, &admin, json!({"reason": "sold answers"})).await;
    let seen = (&banned.body["state"], &banned.body["reason"]);
    assert_eq!(seen, (&json!("banned"), &json!("sold answers")));

    let back = gateway.ask("POST", &format!("{path}/unban"), &admin, Value::Null).await;
    assert_eq!(back.body["state"], json!("offline"), "{back:?}");
}

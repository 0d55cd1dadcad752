//! The operators' API: signing up, sessions that are renewed once, and nothing of anybody else's.

use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway};

const INVALID: &str = "invalid_request_error";

async fn signed_up(gateway: &Gateway, admin: &str, name: &str) -> Answer {
    let invitation =
        gateway.ask("POST", "/admin/v1/invitations", admin, json!({"note": name})).await;
    assert_eq!(invitation.status, 201, "{invitation:?}");
    let body = json!({"invitation": invitation.text("invitation"), "name": name});
    let answer = gateway.ask("POST", "/operator/v1/sign-up", "", body.clone()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let again = gateway.ask("POST", "/operator/v1/sign-up", "", body).await;
    again.is_error(409, INVALID, Some("conflict"), None);
    answer
}

fn token(session: &Value) -> String {
    session["token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn somebody_with_an_invitation_becomes_an_operator_and_logs_in() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let answer = signed_up(&gateway, &admin, "Ada").await;
    let first = token(&answer.body["session"]);
    let me = gateway.ask("GET", "/operator/v1/me", &first, Value::Null).await;
    assert_eq!((&me.body["name"], &me.body["payout_address"]), (&json!("Ada"), &Value::Null));

    let secret = json!({"secret": answer.text("secret")});
    let session = gateway.ask("POST", "/operator/v1/login", "", secret.clone()).await;
    assert_eq!(session.status, 200, "{session:?}");
    // An admin's new secret ends what was logged in with the old one.
    let path = format!("/admin/v1/operators/{}/secret", answer.body["operator_id"]);
    assert_eq!(gateway.ask("POST", &path, &admin, Value::Null).await.status, 201);
    let late = gateway.ask("GET", "/operator/v1/me", &token(&session.body), Value::Null).await;
    late.is_error(401, INVALID, Some("invalid_session"), None);
    let old = gateway.ask("POST", "/operator/v1/login", "", secret).await;
    old.is_error(401, INVALID, Some("wrong_secret"), None);
}

#[tokio::test]
async fn a_refresh_token_that_is_used_twice_ends_the_log_in() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let answer = signed_up(&gateway, &admin, "Ada").await;
    let renew = async |session: &Value| {
        let body = json!({"refresh_token": session["refresh_token"]});
        gateway.ask("POST", "/operator/v1/refresh", "", body).await
    };
    let first = &answer.body["session"];
    let second = renew(first).await;
    assert_eq!(second.status, 200, "{second:?}");
    assert_ne!(second.body["refresh_token"], first["refresh_token"]);
    let me =
        async |token: &str| gateway.ask("GET", "/operator/v1/me", token, Value::Null).await.status;
    assert_eq!(me(&token(&second.body)).await, 200);

    // The answer was lost: the same one comes again.
    let again = renew(first).await;
    assert_eq!(again.body["refresh_token"], second.body["refresh_token"], "{again:?}");
    let third = renew(&again.body).await;
    assert_eq!(me(&token(&third.body)).await, 200);

    // Whoever stole the first one uses it now; nobody can tell who is who, so both are out.
    renew(first).await.is_error(401, INVALID, Some("wrong_secret"), None);
    assert_eq!(me(&token(&third.body)).await, 401);
    renew(&third.body).await.is_error(401, INVALID, Some("wrong_secret"), None);
}

#[tokio::test]
async fn every_operator_route_needs_an_operators_session() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (_, key) = gateway.client(&admin).await;
    let document = assay_gateway::router::document();
    let mut asked = 0;
    for (path, item) in &document.paths.paths {
        let open = ["/login", "/sign-up", "/refresh", "/reasons"];
        if !path.starts_with("/operator/") || open.iter().any(|end| path.ends_with(end)) {
            continue;
        }
        let methods = [("GET", &item.get), ("POST", &item.post), ("PUT", &item.put)];
        for (method, _) in methods.iter().filter(|(_, operation)| operation.is_some()) {
            let path = path.replace("{id}", "0190c5a0-0000-7000-8000-000000000000");
            for bearer in ["", &key, &admin] {
                let answer = gateway.ask(method, &path, bearer, Value::Null).await;
                answer.is_error(401, INVALID, Some("invalid_session"), None);
            }
            asked += 1;
        }
    }
    assert!(asked >= 11, "{asked}");
}

#[tokio::test]
async fn an_operator_sees_and_moves_nothing_of_another() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let ada = signed_up(&gateway, &admin, "Ada").await;
    let bob = signed_up(&gateway, &admin, "Bob").await;
    let (ada, bob) = (token(&ada.body["session"]), token(&bob.body["session"]));
    let address = format!("0x{}", "a1".repeat(20));
    let set = json!({"address": address});
    let set = gateway.ask("PUT", "/operator/v1/payout-address", &ada, set).await;
    assert_eq!(set.body["payout_address"], address, "the first counts at once");
    let other = json!({"address": format!("0x{}", "b2".repeat(20))});
    let changed = gateway.ask("PUT", "/operator/v1/payout-address", &ada, other).await;
    assert_eq!(changed.body["payout_address"], address, "a change cools off");
    assert!(changed.body["next_payout_address"]["usable_ms"].is_number());
    let wrong = json!({"address": "0x12"});
    let wrong = gateway.ask("PUT", "/operator/v1/payout-address", &ada, wrong).await;
    wrong.is_error(400, INVALID, None, Some("address"));

    let me = gateway.ask("GET", "/operator/v1/me", &bob, Value::Null).await;
    assert_eq!(me.body["payout_address"], Value::Null);
    for list in ["nodes", "jobs", "withdrawals"] {
        let path = format!("/operator/v1/{list}");
        let seen = gateway.ask("GET", &path, &bob, Value::Null).await;
        assert_eq!(seen.body["data"], json!([]), "{list}");
    }
    let sums = gateway.ask("GET", "/operator/v1/earnings", &bob, Value::Null).await;
    assert_eq!(sums.body["available_nano"], 0);
    let more = gateway
        .ask("POST", "/operator/v1/withdrawals", &bob, json!({"amount_nano": 1_000_000_000}))
        .await;
    more.is_error(400, INVALID, Some("no_payout_address"), None);
}

#[tokio::test]
async fn an_operators_session_may_ask_so_often_wherever_it_asks_from() {
    let gateway = Gateway::with(|config| {
        (config.rate_limit.per_second, config.rate_limit.burst) = (1, 4);
    })
    .await;
    let admin = gateway.log_in().await;
    let ada = signed_up(&gateway, &admin, "Ada").await;
    let bob = signed_up(&gateway, &admin, "Bob").await;
    let (ada, bob) = (&ada.body["session"], token(&bob.body["session"]));
    let me = async |token: &str| gateway.ask("GET", "/operator/v1/me", token, Value::Null).await;
    for _ in 0..4 {
        assert_eq!(me(&token(ada)).await.status, 200);
    }
    me(&token(ada)).await.is_error(429, "requests", Some("rate_limit_exceeded"), None);
    assert_eq!(me(&bob).await.status, 200, "another log-in has a bucket of its own");
    let renewed = json!({"refresh_token": ada["refresh_token"]});
    let renewed = gateway.ask("POST", "/operator/v1/refresh", "", renewed).await;
    let late = me(&token(&renewed.body)).await;
    late.is_error(429, "requests", Some("rate_limit_exceeded"), None);
}

#[tokio::test]
async fn a_payout_address_is_changed_so_often_a_day() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let ada = signed_up(&gateway, &admin, "Ada").await;
    let ada = token(&ada.body["session"]);
    let set = async |digit: &str| {
        let address = json!({"address": format!("0x{}", digit.repeat(40))});
        gateway.ask("PUT", "/operator/v1/payout-address", &ada, address).await
    };
    for number in 0..10 {
        let set = set(["a", "b"][number % 2]).await;
        assert_eq!(set.status, 200, "{set:?}");
    }
    set("c").await.is_error(409, INVALID, Some("address_changes"), None);
    assert_eq!(set("b").await.status, 200, "what it is already is no change");
}

/// Whatever an admin changes is in the log, and the log itself cannot be changed.
#[tokio::test]
async fn what_admins_do_with_operators_is_logged() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let answer = signed_up(&gateway, &admin, "Ada").await;
    let path = format!("/admin/v1/operators/{}/secret", answer.body["operator_id"]);
    let secret = gateway.ask("POST", &path, &admin, Value::Null).await;
    let export = gateway.ask("POST", "/admin/v1/withdrawals/export", &admin, Value::Null).await;
    assert_eq!(export.status, 200);
    let log = gateway.ask("GET", "/admin/v1/log", &admin, Value::Null).await;
    let rows = log.body["data"].as_array().expect("a list");
    let actions: Vec<_> = rows.iter().map(|row| row["action"].as_str().expect("a word")).collect();
    assert_eq!(actions, ["withdrawal.export", "operator.secret", "invitation.create", "login"]);
    let text = log.body.to_string();
    assert!(!text.contains(&secret.text("secret")) && !text.contains(&answer.text("secret")));
}

#[tokio::test]
async fn the_console_is_served_and_takes_nothing_from_elsewhere() {
    let gateway = Gateway::start().await;
    for (file, kind) in
        [("", "text/html"), ("app.js", "text/javascript"), ("style.css", "text/css")]
    {
        let answer = gateway.ask("GET", &format!("/console/{file}"), "", Value::Null).await;
        assert_eq!(answer.status, 200, "{file}");
        assert!(answer.header("content-type").starts_with(kind), "{file}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"));
    }
    let none = gateway.ask("GET", "/console/../Cargo.toml", "", Value::Null).await;
    assert_eq!(none.status, 404);
}

//! What a client can read of its own money.

use serde_json::{Value, json};

use crate::gateway::{Answer, Gateway};

async fn grant(gateway: &Gateway, admin: &str, account: i64, nano: i64, note: &str) {
    let body = json!({"amount_nano": nano, "note": note, "idempotency_key": note});
    let path = format!("/admin/v1/accounts/{account}/credits");
    let answer = gateway.ask("POST", &path, admin, body).await;
    assert!(answer.status.is_success(), "{answer:?}");
}

async fn get(gateway: &Gateway, key: &str, path: &str) -> Answer {
    let answer = gateway.ask("GET", path, key, Value::Null).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

#[tokio::test]
async fn an_account_reads_its_credit_and_every_movement_in_pages() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (ada, key) = gateway.client(&admin).await;
    let (bob, other) = gateway.client(&admin).await;
    for (at, nano) in [50, 70, 90].into_iter().enumerate() {
        grant(&gateway, &admin, ada, nano, &format!("grant {at}")).await;
    }
    grant(&gateway, &admin, bob, 5, "=1+1, \"quoted\"").await;

    let credits = get(&gateway, &key, "/v1/credits").await.body;
    assert_eq!(credits, json!({"available_nano": 210, "held_nano": 0}));

    let mut seen = Vec::new();
    let mut path = "/v1/credits/entries?limit=2".to_owned();
    loop {
        let page = get(&gateway, &key, &path).await.body;
        let rows = page["data"].as_array().expect("rows");
        assert!((1..=2).contains(&rows.len()), "{page}");
        seen.extend(rows.iter().map(|row| row["amount_nano"].as_i64().expect("an amount")));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/credits/entries?limit=2&after={next}");
    }
    assert_eq!(seen, [90, 70, 50], "the last first, nothing twice, nobody else's");

    let wrong = gateway.ask("GET", "/v1/credits/entries?after=x", &key, Value::Null).await;
    wrong.is_error(400, "invalid_request_error", None, Some("after"));
    for path in ["/v1/credits", "/v1/credits/entries", "/v1/credits/usage"] {
        assert_eq!(gateway.ask("GET", path, "", Value::Null).await.status, 401, "{path}");
    }

    // As a table for a spreadsheet, in pages too.
    let csv = get(&gateway, &key, "/v1/credits/entries?format=csv&limit=2").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(!csv.header("x-assay-next").is_empty(), "{csv:?}");
    let csv = get(&gateway, &other, "/v1/credits/entries?format=csv").await;
    assert_eq!(csv.header("x-assay-next"), "", "all of it: {csv:?}");
    let lines: Vec<&str> = csv.body.as_str().expect("text").lines().collect();
    assert_eq!(lines[0], "journal,at_ms,kind,bucket,amount_nano,key,note");
    assert!(lines[1].ends_with(r#","'=1+1, ""quoted""""#), "{lines:?}");
    assert_eq!(lines.len(), 2, "{lines:?}");

    let usage = get(&gateway, &key, "/v1/credits/usage").await.body;
    assert_eq!(usage, json!({"data": [], "next": null}), "no request yet");
}

//! What a client paid in is what operators can take out, and nothing else. The whole circle, with a cheat that sees why it
//! was not paid, is what `cargo xtask demo --circle` plays and `cargo xtask test` checks.

use assay_tests::{Ask, Credits, FakeStripe, OperatorClient, World, stripe::Delivery};
use reqwest::{Method, StatusCode};
use serde_json::json;

const PAYOUTS: &str = "[economy]\npay_matures_ms = 0\npay_matures_jobs = 0\n[payouts]\nrail = 'demo'\n\
    withdrawal_nano_min = 1000\napproval_above_nano = 1000000\nday_operator_nano_max = 100000000\n";

fn address(digit: char) -> String {
    format!("0x{}", digit.to_string().repeat(40))
}

#[tokio::test]
async fn what_was_paid_in_can_be_taken_out() {
    let stripe = FakeStripe::start().await;
    let world = World::with(&format!("{}{PAYOUTS}", stripe.settings())).await;
    let url = world.gateway.url();
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await];

    // In: this client has nothing but what it pays.
    let account = world.admin.account("a buyer").await;
    let key = world.admin.key(account).await;
    let credits = Credits::new(&url, &key);
    let top_up = credits.checkout(1_000, "k").await;
    let paid = Delivery::honest(&stripe.pay(&stripe.session_of(&top_up.id).id));
    let sent = paid.send(&reqwest::Client::new(), &url).await.expect("an answer");
    assert_eq!(sent, 200);
    let client = assay_tests::ChatClient::new(&url, &key);
    let mut paid_out = [0, 0];
    for _ in 0..3 {
        let answer = client.plain(&Ask::say("Hello!").max_tokens(40)).await.expect("an answer");
        let job = world.admin.job(&answer.job).await;
        for (sum, node) in paid_out.iter_mut().zip(&nodes) {
            *sum += job.part(node.id()).pay;
        }
    }

    // Out.
    for (node, paid) in nodes.iter().zip(paid_out) {
        let operator = OperatorClient::of(&world.admin, &url, node.operator).await;
        assert_eq!(operator.available().await, paid, "all of it came from outside");
        let all = paid - paid % 1_000;
        let none = operator.ask(Method::POST, "withdrawals", json!({"amount_nano": all})).await;
        assert_eq!(none.body["error"]["code"], "no_payout_address");
        let set = json!({"address": address('a')});
        let set = operator.ask(Method::PUT, "payout-address", set).await;
        assert_eq!(set.status, StatusCode::OK, "{:#}", set.body);
        let more = json!({"amount_nano": all + 1_000});
        let more = operator.ask(Method::POST, "withdrawals", more).await;
        assert_eq!(more.body["error"]["code"], "too_much");
        let sent = operator.ask(Method::POST, "withdrawals", json!({"amount_nano": all})).await;
        assert_eq!((sent.status, &sent.body["state"]), (StatusCode::CREATED, &"sent".into()));
        assert_eq!(operator.available().await, paid - all);
    }
    world.finish().await;
}

/// Granted credit pays for answers, and the pay counts; but nobody paid money for it.
#[tokio::test]
async fn what_was_granted_cannot_be_taken_out() {
    let world = World::with(PAYOUTS).await;
    let url = world.gateway.url();
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await, world.honest().await];
    let answer = world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
    let job = world.admin.job(&answer.job).await;
    for node in &nodes {
        let operator = OperatorClient::of(&world.admin, &url, node.operator).await;
        let sums = operator.get("earnings").await;
        let pay = job.part(node.id()).pay;
        assert!(pay > 0);
        assert_eq!((&sums["promotional_nano"], &sums["available_nano"]), (&pay.into(), &0.into()));
        operator.ask(Method::PUT, "payout-address", json!({"address": address('b')})).await;
        let more = operator.ask(Method::POST, "withdrawals", json!({"amount_nano": 1000})).await;
        assert_eq!(more.body["error"]["code"], "too_much", "{:#}", more.body);
    }
    world.finish().await;
}

//! The circle: money comes in, answers are paid for, a cheat sees why it was not, and the money goes out.

use assay_tests::{Ask, Behaviour, Credits, FakeStripe, OperatorClient, World, stripe::Delivery};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const PAYOUTS: &str = "[economy]\npay_matures_ms = 0\npay_matures_jobs = 0\n[payouts]\nrail = 'demo'\n\
    withdrawal_nano_min = 1000\napproval_above_nano = 1000000\nday_operator_nano_max = 100000000\n";

fn address(digit: char) -> String {
    format!("0x{}", digit.to_string().repeat(40))
}

#[tokio::test]
async fn money_comes_in_pays_honest_operators_and_goes_out() {
    let stripe = FakeStripe::start().await;
    let world = World::with(&format!("{}{PAYOUTS}", stripe.settings())).await;
    let url = world.gateway.url();
    let _scorer = world.scorer().await;
    let honest = [world.honest().await, world.honest().await];
    let cheat = world.scripted(Behaviour::Random).await;

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
        for (sum, node) in paid_out.iter_mut().zip(&honest) {
            *sum += job.part(node.id()).pay;
        }
    }

    // The cheat sees why, and nothing of anybody else's.
    let liar = OperatorClient::of(&world.admin, &url, cheat.operator).await;
    let jobs = liar.get("jobs").await;
    let parts = jobs["data"].as_array().expect("a list");
    assert!(!parts.is_empty(), "the cheat took part");
    for part in parts {
        assert_eq!(part["node_id"], cheat.id().to_string());
        assert_eq!(part["pay_nano"], 0);
        assert!(part["outcome"].as_str().expect("a code").starts_with("failed_"), "{part:#}");
        assert!(part["reason"].as_str().expect("a sentence").contains("position"), "{part:#}");
        assert!(part["evidence"]["first_fault"]["margin"].is_number(), "{part:#}");
        assert!(part["meaning"].as_str().expect("a sentence").starts_with("Not paid"), "{part:#}");
    }
    assert_eq!(liar.available().await, 0);

    // Out.
    for (node, paid) in honest.iter().zip(paid_out) {
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
        // Nothing of the other's, by name or by list.
        let id = sent.body["id"].as_str().expect("an id");
        let strange =
            liar.ask(Method::POST, &format!("withdrawals/{id}/cancel"), Value::Null).await;
        assert_eq!(strange.status, StatusCode::NOT_FOUND);
        let strange = liar.ask(Method::GET, &format!("nodes/{}", node.id()), Value::Null).await;
        assert_eq!(strange.status, StatusCode::NOT_FOUND);
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

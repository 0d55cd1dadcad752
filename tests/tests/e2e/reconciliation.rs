//! The books and the payment provider say the same in the end, whatever was lost on the way: webhooks, answers, time.

use std::{fs, time::Duration};

use assay_gateway::db::{Db, tampering};
use assay_tests::{
    Admin,
    credits::TopUpView,
    stripe::{Delivery, Gate, RefundStatus, Trouble},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::top_ups::{CENT, Shop};

/// Further back than any comparison of sessions looks.
const LONG_AGO: Duration = Duration::from_secs(3 * 24 * 3_600);

/// Sessions of the provider's that one run reads.
const SESSIONS_READ: usize = 10_000;

async fn paid(shop: &Shop, cents: i64, key: &str) -> TopUpView {
    let top_up = shop.credits.checkout(cents, key).await;
    let session = shop.stripe.session_of(&top_up.id).id;
    assert_eq!(shop.tell(&Delivery::honest(&shop.stripe.pay(&session))).await, 200);
    top_up
}

async fn state_of(shop: &Shop, refund: &Value) -> String {
    let refunds = shop.credits.refunds().await;
    let found = refunds.into_iter().find(|found| refund["id"] == found.id.as_str());
    found.expect("a refund of this name").state
}

/// So long ago that nobody is in the middle of anything.
async fn age(shop: &Shop, by: Duration) {
    let url = format!("sqlite:{}", shop.world.folder().join("data/assay.db").display());
    let db = Db::open(&url).await.expect("the database");
    let by_ms = i64::try_from(by.as_millis()).expect("a few days");
    tampering::age_payments(&db, by_ms).await.expect("rows");
    db.close().await;
    shop.stripe.age(by);
}

#[tokio::test]
async fn a_refund_that_comes_back_is_credited_again() {
    let shop = Shop::open().await;
    let top_up = paid(&shop, 500, "k").await;
    let sent = shop.credits.refund(&top_up.id, 200, "some").await;
    assert_eq!(sent.body["state"], "sent", "{:#}", sent.body);
    assert_eq!(shop.available().await, 300 * CENT);

    // The provider says so, more than once ...
    let id = shop.stripe.refunds()[0].id.clone();
    let failed = Delivery::honest(&shop.stripe.end_refund(&id, RefundStatus::Failed));
    for _ in 0..3 {
        assert_eq!(shop.tell(&failed).await, 200);
        assert_eq!(shop.available().await, 500 * CENT, "once");
    }
    assert_eq!(state_of(&shop, &sent.body).await, "failed");
    assert_eq!(shop.credits.top_up(&top_up.id).await.refundable_cents, 500);

    // ... or nobody hears it, and it is found.
    let again = shop.credits.refund(&top_up.id, 500, "all").await;
    assert_eq!((again.body["state"].as_str(), shop.available().await), (Some("sent"), 0));
    shop.stripe.end_refund(&shop.stripe.refunds()[1].id, RefundStatus::Failed);
    let report = shop.world.admin.reconcile().await;
    assert_eq!(
        (&report["refunds"], &report["refunds_ended"]),
        (&2.into(), &1.into()),
        "{report:#}"
    );
    assert_eq!(report["problems"], json!([]), "{report:#}");
    assert_eq!(state_of(&shop, &again.body).await, "failed");
    assert_eq!(shop.available().await, 500 * CENT);
    shop.world.finish().await;
}

#[tokio::test]
async fn refunds_are_compared_with_what_the_provider_reports() {
    let shop = Shop::open().await;
    let top_up = paid(&shop, 500, "k").await;
    shop.stripe.let_refunds_wait();
    let held = shop.credits.refund(&top_up.id, 200, "some").await;
    assert_eq!(held.body["state"], "held", "{:#}", held.body);
    shop.stripe.end_refund(&shop.stripe.refunds()[0].id, RefundStatus::Succeeded);
    let report = shop.world.admin.reconcile().await;
    assert_eq!(
        (&report["refunds"], &report["refunds_ended"]),
        (&1.into(), &1.into()),
        "{report:#}"
    );
    assert_eq!((&report["refunded_cents"], &report["sent_cents"]), (&200.into(), &200.into()));
    assert_eq!(report["problems"], json!([]), "{report:#}");
    assert_eq!(state_of(&shop, &held.body).await, "sent");

    // What somebody gave back past the gateway is for a person to look at.
    shop.stripe.refund_by_hand(&shop.stripe.session_of(&top_up.id).id, 50);
    let report = shop.world.admin.reconcile().await;
    let problems = report["problems"].as_array().expect("sentences");
    let stranger = shop.stripe.refunds()[1].id.clone();
    assert_eq!(problems.len(), 1, "{report:#}");
    assert!(problems[0].as_str().is_some_and(|said| said.contains(&stranger)), "{report:#}");
    assert_eq!(shop.available().await, 300 * CENT);

    // They look: the client got it, so it is not credit any more. Once, and only that.
    let found = json!({"reference": stranger, "account_id": shop.account, "amount_cents": -50,
        "note": "given back in the provider's pages"});
    let path = "payments/settlements";
    for _ in 0..2 {
        let settled = shop.world.admin.try_ask(Method::POST, path, found.clone()).await;
        assert_eq!(settled.status, StatusCode::CREATED, "{:#}", settled.body);
        assert_eq!(shop.available().await, 250 * CENT);
    }
    for wrong in [
        json!({"reference": stranger, "amount_cents": 0, "note": "otherwise"}),
        json!({"reference": "re_2", "account_id": shop.account, "amount_cents": -251, "note": "x"}),
        json!({"reference": shop.stripe.session_of(&top_up.id).id, "account_id": shop.account,
            "amount_cents": 500, "note": "it was credited"}),
    ] {
        let refused = shop.world.admin.try_ask(Method::POST, path, wrong).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{:#}", refused.body);
    }
    let report = shop.world.admin.reconcile().await;
    assert_eq!(report["problems"], json!([]), "it is settled: {report:#}");
    assert_eq!(shop.credits.top_up(&top_up.id).await.refundable_cents, 250);
    shop.world.finish().await;
}

#[tokio::test]
async fn what_has_been_open_for_long_is_asked_about_and_one_trouble_keeps_no_other_waiting() {
    let shop = Shop::open().await;
    let known = paid(&shop, 1_000, "known").await;
    let lost = shop.credits.checkout(100, "its webhook is lost").await;
    shop.stripe.pay(&shop.stripe.session_of(&lost.id).id);
    let failed = shop.credits.checkout(200, "its money never arrives").await;
    let session = shop.stripe.session_of(&failed.id).id;
    shop.stripe.pay_later(&session);
    shop.stripe.fail(&session);
    let expired = shop.credits.checkout(300, "nobody pays").await;
    shop.stripe.expire(&shop.stripe.session_of(&expired.id).id);
    shop.stripe.trouble([Trouble::Status(429)]);
    let never = shop.credits.try_checkout(400, "never made").await;
    assert_eq!(never.status, StatusCode::SERVICE_UNAVAILABLE);
    let mut held = Vec::new();
    for (cents, key) in [(10, "first"), (20, "second")] {
        shop.stripe.trouble([Trouble::Status(429)]);
        let refund = shop.credits.refund(&known.id, cents, key).await;
        assert_eq!(refund.body["state"], "held", "{:#}", refund.body);
        held.push(refund.body);
    }
    age(&shop, LONG_AGO).await;

    // The list of sessions; a session each for three, one's payment; a list for the fourth; the list of refunds; then
    // the first refund meets trouble, and the second does not.
    let calls = [Trouble::None, Trouble::None, Trouble::None, Trouble::None].into_iter();
    let calls = calls.chain([Trouble::None, Trouble::None, Trouble::None]);
    shop.stripe.trouble(calls.chain([Trouble::Status(500)]));
    let report = shop.world.admin.reconcile().await;
    assert_eq!(
        (&report["credited_now"], &report["ended_now"]),
        (&1.into(), &3.into()),
        "{report:#}"
    );
    assert_eq!(report["refunds_asked"], 1, "{report:#}");
    let problems = report["problems"].as_array().expect("sentences");
    assert_eq!(problems.len(), 1, "{report:#}");
    let first = held[0]["id"].as_str().expect("an id");
    assert!(problems[0].as_str().is_some_and(|said| said.contains(first)), "{report:#}");
    let states = [state_of(&shop, &held[0]).await, state_of(&shop, &held[1]).await];
    assert_eq!(states, ["held", "sent"]);
    let state = async |top_up: &TopUpView| shop.credits.top_up(&top_up.id).await.state;
    assert_eq!(state(&lost).await, "paid");
    assert_eq!([state(&failed).await, state(&expired).await], ["failed", "expired"]);

    let report = shop.world.admin.reconcile().await;
    assert_eq!(
        (&report["refunds_asked"], &report["problems"]),
        (&1.into(), &json!([])),
        "{report:#}"
    );
    assert_eq!(state_of(&shop, &held[0]).await, "sent");
    assert_eq!(shop.available().await, (1_000 + 100 - 10 - 20) * CENT);
    shop.world.finish().await;
}

/// What a run could not read to its end proves nothing about what is missing from it.
#[tokio::test]
async fn more_sessions_than_a_run_reads_make_no_false_alarm() {
    let shop = Shop::open().await;
    let top_up = paid(&shop, 500, "k").await;
    age(&shop, Duration::from_secs(600)).await;
    shop.stripe.crowd(SESSIONS_READ + 1);
    let report = shop.world.admin.reconcile().await;
    assert_eq!(report["sessions"], SESSIONS_READ, "{report:#}");
    let problems = report["problems"].as_array().expect("sentences");
    assert_eq!(problems.len(), 1, "{report:#}");
    assert!(problems[0].as_str().is_some_and(|said| said.contains("more sessions")), "{report:#}");
    assert_eq!(shop.credits.top_up(&top_up.id).await.state, "paid");
    shop.world.finish().await;
}

/// Somebody paid on a page that is not the gateway's: a person finds out who, and the credit is no gift.
#[tokio::test]
async fn money_that_came_in_past_the_gateway_is_given_to_whoever_paid_it() {
    let shop = Shop::open().await;
    let own = paid(&shop, 500, "k").await;
    shop.stripe.crowd(1);
    let past = shop.stripe.sessions().pop().expect("another's page").id;
    shop.stripe.pay(&past);
    let report = shop.world.admin.reconcile().await;
    let problems = report["problems"].as_array().expect("sentences");
    assert_eq!(problems.len(), 1, "{report:#}");
    assert!(problems[0].as_str().is_some_and(|said| said.contains(&past)), "{report:#}");

    let found = json!({"reference": past, "account_id": shop.account, "amount_cents": 500,
        "note": "they showed the transaction"});
    let path = "payments/settlements";
    let settled = shop.world.admin.try_ask(Method::POST, path, found).await;
    assert_eq!(settled.status, StatusCode::CREATED, "{:#}", settled.body);
    let report = shop.world.admin.reconcile().await;
    assert_eq!(report["problems"], json!([]), "{report:#}");
    assert_eq!(shop.available().await, 1_000 * CENT);
    assert_eq!(shop.credits.top_up(&own.id).await.refundable_cents, 500, "what this one paid");
    shop.world.finish().await;
}

/// The provider lost a payment that was credited: that is an alarm.
#[tokio::test]
async fn a_credited_payment_that_the_provider_does_not_know_is_a_problem() {
    let shop = Shop::open().await;
    let top_up = paid(&shop, 500, "k").await;
    age(&shop, Duration::from_secs(600)).await;
    shop.stripe.lose(&shop.stripe.session_of(&top_up.id).id);
    let report = shop.world.admin.reconcile().await;
    let problems = report["problems"].as_array().expect("sentences");
    assert_eq!(problems.len(), 1, "{report:#}");
    assert!(problems[0].as_str().is_some_and(|said| said.contains(&top_up.id)), "{report:#}");
    shop.world.finish().await;
}

#[tokio::test]
async fn a_key_that_the_provider_does_not_accept_is_said_so() {
    let shop = Shop::open().await;
    let open = shop.credits.checkout(500, "open").await;
    let paid = Delivery::honest(&shop.stripe.pay(&shop.stripe.session_of(&open.id).id));
    let misconfigured = Value::from("payments_misconfigured");
    for status in [401, 403] {
        shop.stripe.lock_out(Some(status));
        let answer = shop.credits.try_checkout(600, "k").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{:#}", answer.body);
        assert_eq!(answer.body["error"]["code"], misconfigured);
        let said = answer.body["error"]["message"].as_str().expect("a sentence");
        assert!(said.contains("payments.stripe_secret_key"), "{said}");
        assert_eq!(shop.tell(&paid).await, 503, "to be delivered again");
        let path = "payments/reconcile";
        let report = shop.world.admin.try_ask(Method::POST, path, Value::Null).await;
        assert_eq!(report.body["error"]["code"], misconfigured, "{:#}", report.body);
    }
    shop.stripe.lock_out(None);
    assert_eq!(shop.credits.checkout(600, "k").await.state, "open");
    assert_eq!(shop.tell(&paid).await, 200);
    assert_eq!(shop.available().await, 500 * CENT);
    shop.world.finish().await;
}

/// The provider refuses other words under the same name; the page is there already.
#[tokio::test]
async fn a_page_that_was_asked_for_before_the_settings_changed_is_the_same_page() {
    let mut shop = Shop::open().await;
    let gate = Gate::default();
    shop.stripe.trouble([Trouble::After(gate.clone())]);
    let (credits, mut asking) = (shop.credits.clone(), JoinSet::new());
    asking.spawn(async move { credits.try_checkout(500, "k").await });
    gate.reached().await;
    shop.world.gateway.kill_nine();
    gate.open();
    asking.join_all().await;

    let path = shop.world.folder().join("gateway.toml");
    let mut settings: toml::Table =
        fs::read_to_string(&path).expect("settings").parse().expect("TOML");
    let gateway = settings["gateway"].as_table_mut().expect("a section");
    gateway.insert("public_name".into(), "Another name".into());
    fs::write(&path, settings.to_string()).expect("settings");
    shop.world.gateway.start_again().await;
    shop.world.admin = Admin::log_in(&shop.world.gateway.url()).await;

    let top_up = shop.credits.checkout(500, "k").await;
    let [session] = &shop.stripe.sessions()[..] else { panic!("one page") };
    assert_eq!((top_up.state.as_str(), top_up.url.as_deref()), ("open", Some(&*session.url)));
    shop.world.finish().await;
}

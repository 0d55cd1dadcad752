//! Credit for stablecoin: each payment is credited once, whatever webhooks, the provider and the gateway's
//! own end do; unused credit goes back to where it came from.

use assay_tests::{
    Credits, FakeStripe, World,
    stripe::{Delivery, Gate, RefundStatus, Trouble},
};
use reqwest::StatusCode;
use serde_json::Value;

pub(crate) const CENT: i64 = 10_000_000;

/// A gateway that takes payments, and a client that has nothing yet.
pub(crate) struct Shop {
    pub(crate) world: World,
    pub(crate) stripe: FakeStripe,
    pub(crate) account: i64,
    key: String,
    pub(crate) credits: Credits,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let stripe = FakeStripe::start().await;
        let world = World::with(&stripe.settings()).await;
        let account = world.admin.account("a buyer").await;
        let key = world.admin.key(account).await;
        let credits = Credits::new(&world.gateway.url(), &key);
        Self { world, stripe, account, key, credits }
    }

    pub(crate) async fn available(&self) -> i64 {
        self.world.admin.balance(self.account).await.available
    }

    pub(crate) async fn tell(&self, delivery: &Delivery) -> u16 {
        delivery.send(&reqwest::Client::new(), &self.world.gateway.url()).await.expect("an answer")
    }
}

#[tokio::test]
async fn without_keys_the_endpoint_says_so() {
    let world = World::new().await;
    let credits = Credits::new(&world.gateway.url(), &world.admin.key(world.account).await);
    let answer = credits.try_checkout(500, "k").await;
    assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED);
    assert_eq!(answer.body["error"]["code"], "payments_not_configured");
    let said = answer.body["error"]["message"].as_str().expect("a sentence");
    assert!(said.contains("payments.stripe_secret_key"), "{said}");
    world.finish().await;
}

#[tokio::test]
async fn a_payment_is_credited_once_however_often_it_is_told() {
    let shop = Shop::open().await;
    let top_up = shop.credits.checkout(1_234, "one").await;
    assert_eq!((top_up.state.as_str(), top_up.amount_cents), ("open", 1_234));
    assert_eq!(shop.credits.checkout(1_234, "one").await, top_up, "the same key, the same page");
    let other = shop.credits.try_checkout(1_235, "one").await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    assert_eq!(shop.stripe.sessions().len(), 1);

    let session = shop.stripe.session_of(&top_up.id);
    assert_eq!(session.amount, 1_234);
    assert!(session.success_url.contains(&top_up.id));
    let paid = shop.stripe.pay(&session.id);
    for forged in [Delivery::forged(&paid), Delivery::altered(&paid), Delivery::aged(&paid, 301)] {
        assert_eq!(shop.tell(&forged).await, 400);
    }
    assert_eq!(shop.available().await, 0, "only the provider's own word counts");
    for _ in 0..3 {
        assert_eq!(shop.tell(&Delivery::honest(&paid)).await, 200);
        assert_eq!(shop.available().await, 1_234 * CENT);
    }
    assert_eq!(shop.credits.top_up(&top_up.id).await.state, "paid");
    shop.world.finish().await;
}

/// The money is on its way for a while; only its arrival counts.
#[tokio::test]
async fn an_asynchronous_failure_credits_nothing() {
    let shop = Shop::open().await;
    let top_up = shop.credits.checkout(500, "fails").await;
    let session = shop.stripe.session_of(&top_up.id).id;
    assert_eq!(shop.tell(&Delivery::honest(&shop.stripe.pay_later(&session))).await, 200);
    assert_eq!(shop.credits.top_up(&top_up.id).await.state, "open");
    assert_eq!(shop.tell(&Delivery::honest(&shop.stripe.fail(&session))).await, 200);
    let failed = shop.credits.top_up(&top_up.id).await;
    assert_eq!((failed.state.as_str(), failed.refundable_cents), ("failed", 0));
    assert_eq!(shop.available().await, 0);

    let top_up = shop.credits.checkout(500, "arrives").await;
    let session = shop.stripe.session_of(&top_up.id).id;
    let (later, arrived) = (shop.stripe.pay_later(&session), shop.stripe.arrive(&session));
    // In the wrong order.
    assert_eq!(shop.tell(&Delivery::honest(&arrived)).await, 200);
    assert_eq!(shop.tell(&Delivery::honest(&later)).await, 200);
    assert_eq!(shop.available().await, 500 * CENT);
    shop.world.finish().await;
}

/// Without any webhook: the client who looks, and the comparison with the provider, both find the payment.
#[tokio::test]
async fn a_payment_whose_webhook_is_lost_is_found() {
    let shop = Shop::open().await;
    let looked_at = shop.credits.checkout(300, "looked at").await;
    shop.stripe.pay(&shop.stripe.session_of(&looked_at.id).id);
    assert_eq!(shop.credits.top_up(&looked_at.id).await.state, "paid");

    let forgotten = shop.credits.checkout(400, "forgotten").await;
    shop.stripe.pay(&shop.stripe.session_of(&forgotten.id).id);
    let expired = shop.credits.checkout(500, "expired").await;
    shop.stripe.expire(&shop.stripe.session_of(&expired.id).id);
    let report = shop.world.admin.reconcile().await;
    assert_eq!(report["problems"], Value::Array(Vec::new()), "{report:#}");
    let found = (&report["sessions"], &report["credited_now"], &report["ended_now"]);
    assert_eq!(found, (&3.into(), &1.into(), &1.into()), "{report:#}");
    assert_eq!((&report["paid_cents"], &report["credited_cents"]), (&700.into(), &700.into()));
    assert_eq!(shop.available().await, 700 * CENT);
    assert_eq!(shop.credits.top_up(&expired.id).await.state, "expired");
    shop.world.finish().await;
}

#[tokio::test]
async fn a_provider_in_trouble_costs_nobody_anything() {
    let shop = Shop::open().await;
    let slow = Trouble::Slow(std::time::Duration::from_secs(3));
    for (cents, trouble) in [
        (601, Trouble::Status(500)),
        (602, Trouble::Status(429)),
        (603, Trouble::DoneButLost),
        (604, slow),
    ] {
        let key = cents.to_string();
        shop.stripe.trouble([trouble]);
        let answer = shop.credits.try_checkout(cents, &key).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{:#}", answer.body);
        let top_up = shop.credits.checkout(cents, &key).await;
        let asked = |session: &&assay_tests::stripe::Session| session.amount == cents;
        assert_eq!(shop.stripe.sessions().iter().filter(asked).count(), 1, "one page");

        let paid = Delivery::honest(&shop.stripe.pay(&shop.stripe.session_of(&top_up.id).id));
        shop.stripe.trouble([Trouble::Status(500)]);
        assert_eq!(shop.tell(&paid).await, 503, "to be delivered again");
        assert_eq!(shop.tell(&paid).await, 200);
    }
    assert_eq!(shop.available().await, (601 + 602 + 603 + 604) * CENT);
    shop.world.finish().await;
}

#[tokio::test]
async fn unused_credit_goes_back_and_used_or_granted_credit_does_not() {
    let shop = Shop::open().await;
    shop.world.admin.grant(shop.account, 250 * CENT).await;
    let top_up = shop.credits.checkout(500, "k").await;
    let session = shop.stripe.session_of(&top_up.id).id;
    assert_eq!(shop.tell(&Delivery::honest(&shop.stripe.pay(&session))).await, 200);
    assert_eq!(shop.credits.top_up(&top_up.id).await.refundable_cents, 500);

    let refused = shop.credits.refund(&top_up.id, 501, "too much").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{:#}", refused.body);
    assert_eq!(refused.body["error"]["code"], "refund_too_much");
    let open = shop.credits.checkout(600, "not paid").await;
    let refused = shop.credits.refund(&open.id, 1, "of nothing").await;
    assert_eq!(refused.body["error"]["code"], "not_paid", "{:#}", refused.body);
    shop.stripe.let_refunds_wait();
    let sent = shop.credits.refund(&top_up.id, 200, "some").await;
    assert_eq!((sent.status, &sent.body["state"]), (StatusCode::CREATED, &"held".into()));
    let balance = shop.world.admin.balance(shop.account).await;
    assert_eq!((balance.available, balance.held), (550 * CENT, 200 * CENT), "held first");
    let again = shop.credits.refund(&top_up.id, 200, "some").await;
    assert_eq!(again.body["id"], sent.body["id"], "one key, one refund");
    let other = shop.credits.refund(&top_up.id, 201, "some").await;
    assert_eq!(other.status, StatusCode::CONFLICT);

    let refund = &shop.stripe.refunds()[0];
    let done = Delivery::honest(&shop.stripe.end_refund(&refund.id, RefundStatus::Succeeded));
    for _ in 0..2 {
        assert_eq!(shop.tell(&done).await, 200);
    }
    let balance = shop.world.admin.balance(shop.account).await;
    assert_eq!((balance.available, balance.held), (550 * CENT, 0));
    assert_eq!(shop.credits.top_up(&top_up.id).await.refundable_cents, 300);

    // One that the provider cannot pay out comes back.
    let failing = shop.credits.refund(&top_up.id, 300, "fails").await;
    let id = shop.stripe.refunds()[1].id.clone();
    let failed = Delivery::honest(&shop.stripe.end_refund(&id, RefundStatus::Failed));
    assert_eq!(shop.tell(&failed).await, 200);
    let refunds = shop.credits.refunds().await;
    let failing = refunds.iter().find(|refund| failing.body["id"] == refund.id.as_str());
    assert_eq!(failing.map(|refund| refund.state.as_str()), Some("failed"));
    assert_eq!(shop.available().await, 550 * CENT);
    shop.world.finish().await;
}

/// The answer is lost, and by the time it is asked again the provider has forgotten the key.
#[tokio::test]
async fn a_refund_that_was_made_and_not_heard_of_is_not_made_again() {
    let shop = Shop::open().await;
    let top_up = shop.credits.checkout(500, "k").await;
    let session = shop.stripe.session_of(&top_up.id).id;
    assert_eq!(shop.tell(&Delivery::honest(&shop.stripe.pay(&session))).await, 200);

    // All of it, so that the provider would refuse another one, and half of it, so that it would not.
    for (cents, key) in [(200, "some"), (300, "rest")] {
        // Looked for, made; then each try again by the library meets trouble, too.
        shop.stripe.trouble([Trouble::None, Trouble::DoneButLost]);
        shop.stripe.trouble([500, 500, 500, 500].map(Trouble::Status));
        let lost = shop.credits.refund(&top_up.id, cents, key).await;
        assert!(lost.status.is_server_error() || lost.body["state"] == "held", "{:#}", lost.body);
        shop.stripe.no_trouble();
        shop.stripe.forget_keys();
        let again = shop.credits.refund(&top_up.id, cents, key).await;
        assert_eq!((again.status, &again.body["state"]), (StatusCode::CREATED, &"sent".into()));
    }
    let refunded: Vec<i64> = shop.stripe.refunds().iter().map(|refund| refund.amount).collect();
    assert_eq!(refunded, [200, 300], "each once");
    assert_eq!(shop.available().await, 0, "and none of it came back");
    shop.world.finish().await;
}

/// Where a gateway is killed, and what it was doing.
#[derive(Clone, Copy, Debug)]
enum Step {
    Checkout,
    Webhook,
    Refund,
}

/// At every call to the provider, before it is done there and after: each step of ours lies between two.
#[tokio::test]
async fn kill_nine_between_any_two_steps_changes_nothing() {
    let mut shop = Shop::open().await;
    let mut credited = 0;
    for (cents, step, after) in [
        (700, Step::Checkout, false),
        (701, Step::Checkout, true),
        (702, Step::Webhook, false),
        (703, Step::Webhook, true),
        (704, Step::Refund, false),
        (705, Step::Refund, true),
    ] {
        let gate = Gate::default();
        let trouble =
            if after { Trouble::After(gate.clone()) } else { Trouble::Before(gate.clone()) };
        let key = cents.to_string();
        let mut top_up = None;
        if !matches!(step, Step::Checkout) {
            top_up = Some(shop.credits.checkout(cents, &key).await);
        }
        let pay =
            |top_up: &str| Delivery::honest(&shop.stripe.pay(&shop.stripe.session_of(top_up).id));
        let mut paid = top_up.as_ref().map(|top_up| pay(&top_up.id));
        if matches!(step, Step::Refund) {
            assert_eq!(shop.tell(paid.as_ref().expect("paid")).await, 200);
            credited += cents;
        }
        // A refund is looked for before it is asked for.
        let looks = matches!(step, Step::Refund).then_some(Trouble::None);
        shop.stripe.trouble(looks.into_iter().chain([trouble]));
        let (url, credits) = (shop.world.gateway.url(), shop.credits.clone());
        let (id, told) = (top_up.as_ref().map(|top_up| top_up.id.clone()), paid.clone());
        let asked = key.clone();
        let mut doing = tokio::task::JoinSet::new();
        doing.spawn(async move {
            match step {
                Step::Checkout => drop(credits.try_checkout(cents, &asked).await),
                Step::Refund => drop(credits.refund(&id.expect("paid"), cents, &asked).await),
                Step::Webhook => {
                    drop(told.expect("paid").send(&reqwest::Client::new(), &url).await);
                }
            }
        });
        gate.reached().await;
        shop.world.gateway.kill_nine();
        gate.open();
        doing.join_all().await;
        shop.world.books_are_clean();
        shop.world.gateway.start_again().await;
        shop.world.admin = assay_tests::Admin::log_in(&shop.world.gateway.url()).await;

        // Whoever was cut off asks again with the same key; the provider delivers again.
        match step {
            Step::Checkout => {
                let again = shop.credits.checkout(cents, &key).await;
                paid = Some(pay(&again.id));
                top_up = Some(again);
            }
            Step::Refund => {
                let id = &top_up.as_ref().expect("paid").id;
                let again = shop.credits.refund(id, cents, &key).await;
                assert_eq!(again.status, StatusCode::CREATED, "{:#}", again.body);
                assert_eq!(again.body["state"], "sent");
                credited -= cents;
            }
            Step::Webhook => {}
        }
        if !matches!(step, Step::Refund) {
            assert_eq!(shop.tell(paid.as_ref().expect("paid")).await, 200);
            credited += cents;
        }
        let top_up = top_up.expect("asked for");
        let of_this =
            |session: &&assay_tests::stripe::Session| session.client_reference_id == top_up.id;
        assert_eq!(shop.stripe.sessions().iter().filter(of_this).count(), 1, "{step:?}: one page");
        assert_eq!(shop.available().await, credited * CENT, "{step:?}, after: {after}");
    }
    let refunded: Vec<i64> = shop.stripe.refunds().iter().map(|refund| refund.amount).collect();
    assert_eq!(refunded, [704, 705], "each once");
    shop.world.finish().await;
}

#[tokio::test]
async fn nobody_sees_or_moves_the_money_of_another_account() {
    let shop = Shop::open().await;
    let top_up = shop.credits.checkout(500, "mine").await;
    let session = shop.stripe.session_of(&top_up.id).id;
    assert_eq!(shop.tell(&Delivery::honest(&shop.stripe.pay(&session))).await, 200);

    let stranger = shop.world.admin.account("a stranger").await;
    let key = shop.world.admin.key(stranger).await;
    assert_ne!(key, shop.key);
    let strange = Credits::new(&shop.world.gateway.url(), &key);
    let path = format!("top-ups/{}", top_up.id);
    let seen = strange.ask(reqwest::Method::GET, &path, None, Value::Null).await;
    assert_eq!(seen.status, StatusCode::NOT_FOUND);
    for list in ["top-ups", "refunds"] {
        let seen = strange.ask(reqwest::Method::GET, list, None, Value::Null).await;
        assert_eq!(seen.body["data"], Value::Array(Vec::new()), "{list}");
    }
    let moved = strange.refund(&top_up.id, 100, "theirs").await;
    assert_eq!(moved.status, StatusCode::NOT_FOUND);
    // The same key of another account is another payment.
    assert_ne!(strange.checkout(600, "mine").await.id, top_up.id);
    assert_eq!(shop.available().await, 500 * CENT);
    shop.world.finish().await;
}

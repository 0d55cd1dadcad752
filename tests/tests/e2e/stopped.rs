//! Books that are wrong let no money leave: what is asked back stays held until somebody has looked. A job that they keep
//! from being settled is not tried for ever: its hold is given back.

use assay_gateway::db::{AccountId, Db, ledger_state, tampering};
use assay_ledger::{AccountKind, Nano};
use assay_tests::{Admin, Ask, World, stripe::Delivery, wait_until, world::CREDIT};

use crate::top_ups::{CENT, Shop};

#[tokio::test]
async fn wrong_books_keep_refunds_held_until_a_person_has_looked() {
    let mut shop = Shop::open().await;
    let top_up = shop.credits.checkout(500, "k").await;
    let session = shop.stripe.session_of(&top_up.id).id;
    assert_eq!(shop.tell(&Delivery::honest(&shop.stripe.pay(&session))).await, 200);

    // Somebody helps themselves while the gateway is down; it looks at its books when it starts.
    shop.world.gateway.terminate();
    shop.world.gateway.end().await;
    let url = format!("sqlite:{}", shop.world.folder().join("data/assay.db").display());
    let db = Db::open(&url).await.expect("the database");
    let account = AccountId(shop.account);
    tampering::add_credit(&db, account, Nano(1)).await.expect("a balance");
    shop.world.gateway.start_again().await;
    shop.world.admin = Admin::log_in(&shop.world.gateway.url()).await;
    let why = wait_until("the gateway finds it", async || {
        ledger_state::withdrawals_stopped(&db).await.expect("a setting")
    })
    .await;
    assert!(why.contains(&shop.account.to_string()), "{why}");

    let refund = shop.credits.refund(&top_up.id, 200, "back").await;
    assert_eq!(refund.body["state"], "held", "{:#}", refund.body);
    assert!(shop.stripe.refunds().is_empty(), "nothing leaves");
    let balance = shop.world.admin.balance(shop.account).await;
    assert_eq!((balance.available, balance.held), (300 * CENT + 1, 200 * CENT));

    // The books are put right, and a person says so.
    tampering::add_credit(&db, account, Nano(-1)).await.expect("a balance");
    assert!(shop.world.gateway.audit().0, "clean again");
    assert!(ledger_state::withdrawals_stopped(&db).await.expect("a setting").is_some());
    let (clean, report) = shop.world.gateway.allow_withdrawals();
    assert!(clean, "{report}");
    assert_eq!(ledger_state::withdrawals_stopped(&db).await.expect("a setting"), None);
    let log = shop.world.admin.log().await;
    assert_eq!(
        (&log[0]["actor"], &log[0]["action"]),
        (&"command line".into(), &"withdrawals.allow".into())
    );
    let refund = shop.credits.refund(&top_up.id, 200, "back").await;
    assert_eq!(refund.body["state"], "sent", "{:#}", refund.body);
    db.close().await;
    shop.world.finish().await;
}

#[tokio::test]
async fn a_settlement_that_is_refused_for_good_gives_the_hold_back() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await, world.honest().await];
    let url = format!("sqlite:{}", world.folder().join("data/assay.db").display());
    let db = Db::open(&url).await.expect("the database");
    let paid = AccountId(nodes[0].operator.account_id);
    tampering::set_kind(&db, paid, AccountKind::Client).await.expect("an account");

    let answer = world.client.plain(&Ask::say("Hello!").max_tokens(8)).await.expect("an answer");
    world.admin.no_job_runs().await;
    let job = world.admin.job_now(&answer.job).await;
    assert_eq!((job.state.as_str(), job.cost, job.returned), ("failed", 0, job.hold), "{job:#?}");
    let balance = world.admin.balance(world.account).await;
    assert_eq!((balance.available, balance.held), (CREDIT, 0));

    tampering::set_kind(&db, paid, AccountKind::Operator).await.expect("an account");
    db.close().await;
    world.client.plain(&Ask::say("Hello!").max_tokens(8)).await.expect("the next one");
    world.admin.no_job_runs().await;
    let earned = world.admin.earned(nodes[0].operator).await;
    assert!(earned > 0, "the next one pays");
    world.finish().await;
}

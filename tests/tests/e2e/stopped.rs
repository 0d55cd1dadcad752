//! Books that are wrong let no money leave: what is asked back stays held until somebody has looked.

use assay_gateway::db::{AccountId, Db, ledger_state, tampering};
use assay_ledger::Nano;
use assay_tests::{Admin, stripe::Delivery, wait_until};

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
    ledger_state::allow_withdrawals(&db).await.expect("a setting");
    let refund = shop.credits.refund(&top_up.id, 200, "back").await;
    assert_eq!(refund.body["state"], "sent", "{:#}", refund.body);
    db.close().await;
    shop.world.finish().await;
}

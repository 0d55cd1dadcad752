//! An operator's way from an invitation to money: sessions that end, limits on what leaves and where it goes, and books
//! that must be clean first.

use assay_gateway::db::{Db, ledger_state};
use assay_tests::{
    Ask, Behaviour, ChatClient, Credits, FakeStripe, Gate, OperatorClient, World, stripe::Delivery,
    wait_until,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// Two withdrawals of one operator a day, and three of everybody.
const PAYOUTS: &str = "[economy]\npay_matures_ms = 0\npay_matures_jobs = 0\n[payouts]\nrail = 'manual'\n\
    withdrawal_nano_min = 1000\naddress_cooling_minutes = 60\n\
    day_operator_nano_max = 2000\nday_total_nano_max = 3000\n";
const EACH: i64 = 1_000;

fn address(digit: char) -> String {
    format!("0x{}", digit.to_string().repeat(40))
}

async fn set_address(operator: &OperatorClient, digit: char) -> Value {
    let body = json!({"address": address(digit)});
    operator.ask(Method::PUT, "payout-address", body).await.expect(StatusCode::OK)
}

/// Asks for money; what is said, and the code if it is refused.
async fn withdraw(operator: &OperatorClient) -> (StatusCode, Value) {
    let body = json!({"amount_nano": EACH});
    let answer = operator.ask(Method::POST, "withdrawals", body).await;
    let said = if answer.status.is_success() { "state" } else { "code" };
    let about = if answer.status.is_success() { &answer.body } else { &answer.body["error"] };
    (answer.status, about[said].clone())
}

fn refused(status: StatusCode, code: &str) -> (StatusCode, Value) {
    (status, code.into())
}

/// Two operators that earned of a client who paid in.
async fn earners(world: &World, stripe: &FakeStripe) -> [OperatorClient; 2] {
    let url = world.gateway.url();
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await];
    let account = world.admin.account("a buyer").await;
    let key = world.admin.key(account).await;
    let top_up = Credits::new(&url, &key).checkout(1_000, "k").await;
    let paid = Delivery::honest(&stripe.pay(&stripe.session_of(&top_up.id).id));
    assert_eq!(paid.send(&reqwest::Client::new(), &url).await.expect("an answer"), 200);
    let answer = ChatClient::new(&url, &key).plain(&Ask::say("Hello!").max_tokens(40)).await;
    world.admin.job(&answer.expect("an answer").job).await;
    let mut operators = Vec::new();
    for node in &nodes {
        let operator = OperatorClient::of(&world.admin, &url, node.operator).await;
        assert!(operator.available().await >= 3 * EACH, "it earned enough");
        operators.push(operator);
    }
    operators.try_into().expect("two of them")
}

#[tokio::test]
async fn an_operator_sees_what_its_own_nodes_are_doing() {
    const SOME: usize = 7;
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let gates = [Gate::closed(), Gate::closed()];
    let node = world.paced(Behaviour::Honest, &gates[0]).await;
    let _another = world.paced(Behaviour::Honest, &gates[1]).await;
    let url = world.gateway.url();
    let operator = OperatorClient::of(&world.admin, &url, node.operator).await;
    let stranger = OperatorClient::of(&world.admin, &url, world.operator().await).await;
    let nothing = json!({"data": [], "total": 0});
    let nothing_runs = async || (operator.get("jobs/running").await == nothing).then_some(());
    wait_until("the self-test is over", nothing_runs).await;

    gates.iter().for_each(|gate| gate.allow(SOME));
    let ask = Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(40);
    let stream = world.client.stream(&ask).await.expect("a stream");
    let running = wait_until("its tokens are seen", async || {
        let running = operator.get("jobs/running").await;
        (running["data"][0]["tokens"] == SOME).then_some(running)
    })
    .await;
    assert_eq!(running["total"], 1, "{running:#}");
    let part = &running["data"][0];
    assert_eq!(
        (&part["job_id"], &part["node_id"], &part["kind"], &part["round"]),
        (&json!(stream.job), &json!(node.id()), &json!("generate"), &json!(1))
    );
    assert_eq!(operator.get("earnings").await["pending_jobs"], 1);
    assert_eq!(stranger.get("jobs/running").await, nothing);

    gates.iter().for_each(Gate::open);
    assert!(stream.rest().await.done);
    wait_until("nothing runs any more", nothing_runs).await;
    world.finish().await;
}

#[tokio::test]
async fn what_leaves_is_limited_cools_off_and_waits_for_clean_books() {
    let stripe = FakeStripe::start().await;
    let world = World::with(&format!("{}{PAYOUTS}", stripe.settings())).await;
    let [ada, bob] = earners(&world, &stripe).await;
    let (too_many, conflict) = (StatusCode::BAD_REQUEST, StatusCode::CONFLICT);
    let approved = (StatusCode::CREATED, Value::from("approved"));

    assert_eq!(withdraw(&ada).await, refused(too_many, "no_payout_address"));
    assert_eq!(set_address(&ada, 'a').await["payout_address"], address('a'), "at once");
    set_address(&bob, 'b').await;

    // A day's limit, of one and of all.
    assert_eq!(withdraw(&ada).await, approved);
    assert_eq!(withdraw(&ada).await, approved);
    assert_eq!(withdraw(&ada).await, refused(too_many, "day_limit"));
    assert_eq!(withdraw(&bob).await, approved);
    assert_eq!(withdraw(&bob).await, refused(too_many, "day_limit"), "everybody's");

    // Another address cools off, however often it is changed; what counted before is shown all the time.
    for digit in ['c', 'd'] {
        let changed = set_address(&ada, digit).await;
        assert_eq!(changed["payout_address"], address('a'), "{changed:#}");
        assert_eq!(changed["next_payout_address"]["address"], address(digit), "{changed:#}");
        assert_eq!(withdraw(&ada).await, refused(too_many, "address_cooling"));
    }
    let back = set_address(&ada, 'a').await;
    assert_eq!(back["payout_address"], address('a'));
    assert_eq!(back["next_payout_address"], Value::Null);

    // While the books are in doubt nothing more is taken, and nothing is handed out to be paid.
    let url = format!("sqlite:{}", world.folder().join("data/assay.db").display());
    let db = Db::open(&url).await.expect("the database");
    ledger_state::stop_withdrawals(&db, "a story").await.expect("a setting");
    let stopped = refused(StatusCode::SERVICE_UNAVAILABLE, "withdrawals_stopped");
    assert_eq!(withdraw(&bob).await, stopped);
    let none = world.admin.try_ask(Method::POST, "withdrawals/export", Value::Null).await;
    assert_eq!(
        (none.status, &none.body["error"]["code"]),
        (conflict, &"withdrawals_stopped".into())
    );
    let (clean, report) = world.gateway.allow_withdrawals();
    assert!(clean, "{report}");
    db.close().await;

    // Then it is: each of them once, and each with its line in the log.
    let before = world.admin.log().await.len();
    let csv = world.admin.try_ask(Method::POST, "withdrawals/export", Value::Null).await;
    let csv: String = csv.expect(StatusCode::OK);
    let of = async |operator: &OperatorClient| {
        let list = operator.get("withdrawals").await["data"].clone();
        let ids = list.as_array().expect("a list").iter().map(|row| row["id"].clone());
        ids.map(|id| id.as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    let ids = [of(&ada).await, of(&bob).await].concat();
    let log = world.admin.log().await;
    assert_eq!((ids.len(), log.len() - before), (3, 3), "{log:#?}");
    for id in &ids {
        assert_eq!(csv.matches(id.as_str()).count(), 1, "{csv}");
        let line = log.iter().find(|line| line["subject"] == id.as_str());
        assert_eq!(line.map(|line| &line["action"]), Some(&"withdrawal.export".into()));
    }
    let late = ada.ask(Method::POST, &format!("withdrawals/{}/cancel", ids[0]), Value::Null).await;
    assert_eq!(late.status, conflict, "{:#}", late.body);

    // Paid is paid: the same word again changes nothing, another proof is refused and says why.
    let sent = async |reference: &str| {
        let path = format!("withdrawals/{}/sent", ids[0]);
        world.admin.try_ask(Method::POST, &path, json!({"reference": reference})).await
    };
    assert_eq!(sent("0x01").await.status, StatusCode::OK);
    assert_eq!(sent("0x01").await.body["reference"], "0x01");
    let other = sent("0x02").await;
    assert_eq!(other.status, conflict);
    assert!(other.body["error"]["message"].to_string().contains("0x01"), "{:#}", other.body);
    for id in &ids[1..] {
        let body = json!({"reason": "a story"});
        let path = format!("withdrawals/{id}/failed");
        assert_eq!(world.admin.try_ask(Method::POST, &path, body).await.status, StatusCode::OK);
    }
    world.finish().await;
}

#[tokio::test]
async fn an_invitation_becomes_one_operator_whose_sessions_end_when_they_should() {
    let world = World::new().await;
    let nobody = OperatorClient::nobody(&world.gateway.url());
    let invited = world.admin.try_ask(Method::POST, "invitations", json!({"note": "Ada"})).await;
    let invited: Value = invited.expect(StatusCode::CREATED);
    let body = json!({"invitation": invited["invitation"], "name": "Ada"});
    let first = nobody.ask(Method::POST, "sign-up", body.clone()).await;
    let first: Value = first.expect(StatusCode::CREATED);
    let again = nobody.ask(Method::POST, "sign-up", body).await;
    assert_eq!(
        (again.status, &again.body["error"]["code"]),
        (StatusCode::CONFLICT, &"conflict".into())
    );

    let secret = first["secret"].as_str().expect("a secret").to_owned();
    let session = nobody.with_session(&first["session"]);
    let other = OperatorClient::log_in(&world.gateway.url(), &secret).await.expect(StatusCode::OK);
    let me =
        async |session: &OperatorClient| session.ask(Method::GET, "me", Value::Null).await.status;
    let renew = async |session: &OperatorClient| {
        nobody.ask(Method::POST, "refresh", json!({"refresh_token": session.refresh})).await
    };
    // A token renews once; used again it ends all that came of its log-in, and nothing of another log-in.
    let renewed: Value = renew(&session).await.expect(StatusCode::OK);
    let renewed = nobody.with_session(&renewed);
    assert_ne!(renewed.refresh, session.refresh);
    assert_eq!((me(&renewed).await, me(&other).await), (StatusCode::OK, StatusCode::OK));
    // Only whoever missed the answer gets it again, until the next token is used.
    let again: Value = renew(&session).await.expect(StatusCode::OK);
    assert_eq!(again["refresh_token"], renewed.refresh.as_str());
    assert_eq!(renew(&renewed).await.status, StatusCode::OK);
    assert_eq!(renew(&session).await.status, StatusCode::UNAUTHORIZED);
    for of_family in [&session, &renewed] {
        assert_eq!(me(of_family).await, StatusCode::UNAUTHORIZED);
        assert_eq!(renew(of_family).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(me(&other).await, StatusCode::OK);

    // Whoever logs out is out at once, by either token.
    let out = other.ask(Method::POST, "logout", Value::Null).await;
    assert_eq!(out.status, StatusCode::NO_CONTENT);
    assert_eq!(me(&other).await, StatusCode::UNAUTHORIZED);
    assert_eq!(renew(&other).await.status, StatusCode::UNAUTHORIZED);

    // A replaced secret ends what was begun with it.
    let third = OperatorClient::log_in(&world.gateway.url(), &secret).await.expect(StatusCode::OK);
    let path = format!("operators/{}/secret", first["operator_id"]);
    let replaced = world.admin.try_ask(Method::POST, &path, Value::Null).await;
    let replaced: Value = replaced.expect(StatusCode::CREATED);
    assert_eq!(me(&third).await, StatusCode::UNAUTHORIZED);
    assert_eq!(renew(&third).await.status, StatusCode::UNAUTHORIZED);
    let old = OperatorClient::log_in(&world.gateway.url(), &secret).await;
    assert_eq!(old.answer.status, StatusCode::UNAUTHORIZED);
    let new = replaced["secret"].as_str().expect("a secret");
    let last = OperatorClient::log_in(&world.gateway.url(), new).await.expect(StatusCode::OK);
    assert_eq!(me(&last).await, StatusCode::OK);
    world.finish().await;
}

//! Ten thousand webhook deliveries, shuffled, duplicated, forged and stale, at two gateways on one
//! PostgreSQL: exactly the paid sessions are credited, once. Payments go on while they are delivered, clients look, and
//! the books are compared with the provider's.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use assay_tests::{
    Admin, Credits, FakeStripe, Gateway,
    postgres::PostgresServer,
    stripe::{Delivery, Trouble},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::{sync::Semaphore, task::JoinSet};

const CENT: i64 = 10_000_000;
const DELIVERIES: usize = 10_000;
const SESSIONS: usize = 200;
/// Looks of clients, and comparisons of the books, in between.
const LOOKS: usize = 300;
const COMPARISONS: usize = 8;
/// As many at once as a busy hour of Stripe's.
const AT_ONCE: usize = 16;
/// A delivery that is answered 5xx comes again; this often is for ever.
const TRIES_MAX: usize = 50;

/// What the client of a session did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Paid,
    Arrived,
    Failed,
    Expired,
    Open,
}

const FATES: [Fate; 8] = [
    Fate::Paid,
    Fate::Arrived,
    Fate::Failed,
    Fate::Paid,
    Fate::Expired,
    Fate::Arrived,
    Fate::Open,
    Fate::Paid,
];

/// What the provider does with a session, one after the other: each makes an event that is delivered from then on.
type Change = fn(&FakeStripe, &str) -> Value;

impl Fate {
    fn changes(self) -> Vec<Change> {
        match self {
            Self::Paid => vec![FakeStripe::pay],
            Self::Arrived => vec![FakeStripe::pay_later, FakeStripe::arrive],
            Self::Failed => vec![FakeStripe::pay_later, FakeStripe::fail],
            Self::Expired => vec![FakeStripe::expire],
            Self::Open => Vec::new(),
        }
    }

    fn ends(self) -> &'static str {
        match self {
            Self::Paid | Self::Arrived => "paid",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Open => "open",
        }
    }
}

/// A payment that a client was asked for.
struct Asked {
    fate: Fate,
    who: usize,
    session: String,
    top_up: String,
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// Of this session, its change of this number.
    Change(usize, usize),
    /// The event of that change, in one of ten ways.
    Deliver(usize, usize, u8),
    Look(usize),
    Compare,
}

/// All acts in the order of their time; an event is delivered any time after its change, so a later one may overtake it.
fn acts(asked: &[Asked], rng: &mut StdRng) -> Vec<Act> {
    let mut at: Vec<(f64, Act)> = Vec::new();
    let events: usize = asked.iter().map(|asked| asked.fate.changes().len()).sum();
    let mut number = 0;
    for (session, asked) in asked.iter().enumerate() {
        let mut from = 0.0;
        for change in 0..asked.fate.changes().len() {
            // Late enough that some deliveries of the change before come first.
            from = rng.random_range(from..0.95);
            at.push((from, Act::Change(session, change)));
            let times = DELIVERIES / events + usize::from(number < DELIVERIES % events);
            for time in 0..times {
                // Stripe delivers each event honestly at least once.
                let way = if time == 0 { 9 } else { rng.random_range(0..10) };
                at.push((rng.random_range(from..1.0), Act::Deliver(session, change, way)));
            }
            number += 1;
        }
    }
    let looks = (0..LOOKS).map(|_| (rng.random(), Act::Look(rng.random_range(0..asked.len()))));
    at.extend(looks.collect::<Vec<_>>());
    at.extend((0..COMPARISONS).map(|_| (rng.random(), Act::Compare)));
    // What happens at one moment stays in its order: the change first.
    at.sort_by(|one, other| one.0.total_cmp(&other.0));
    at.into_iter().map(|(_, act)| act).collect()
}

#[tokio::test]
async fn ten_thousand_deliveries_to_two_gateways_credit_each_paid_session_once() {
    let Some(postgres) = PostgresServer::start().await else {
        eprintln!("PostgreSQL is not installed: two gateways on one store are not tested here");
        return;
    };
    let stripe = Arc::new(FakeStripe::start().await);
    let settings = format!(
        "{}\n[gateway]\ndatabase_url = '{}'\n[rate_limit]\nburst = 100000\nper_second = 100000\n",
        stripe.settings(),
        postgres.url()
    );
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let mut gateways = [
        Gateway::start(folders[0].path(), &settings).await,
        Gateway::start(folders[1].path(), &settings).await,
    ];
    let urls = [gateways[0].url(), gateways[1].url()];
    let admins = [Arc::new(Admin::log_in(&urls[0]).await), Arc::new(Admin::log_in(&urls[1]).await)];
    let admin = &admins[0];
    let accounts = [admin.account("a").await, admin.account("b").await, admin.account("c").await];
    let keys =
        [admin.key(accounts[0]).await, admin.key(accounts[1]).await, admin.key(accounts[2]).await];

    // Who is to pay what, and how it will go.
    let mut rng = StdRng::seed_from_u64(7);
    let (mut asked, mut expected) = (Vec::new(), [0_i64; 3]);
    for number in 0..SESSIONS {
        let (who, fate) = (number % 3, FATES[number % FATES.len()]);
        let cents = rng.random_range(100..5_000);
        let credits = Credits::new(&urls[number % 2], &keys[who]);
        let top_up = credits.checkout(cents, &number.to_string()).await.id;
        let session = stripe.session_of(&top_up).id;
        asked.push(Asked { fate, who, session, top_up });
        if fate.ends() == "paid" {
            expected[who] += cents * CENT;
        }
    }
    let acts = acts(&asked, &mut rng);
    // The provider has a bad day, too.
    stripe.trouble((0..300).map(|number| match number % 3 {
        0 => Trouble::Status(500),
        1 => Trouble::Status(429),
        _ => Trouble::None,
    }));

    let (places, http) = (Arc::new(Semaphore::new(AT_ONCE)), reqwest::Client::new());
    let (mut running, mut events) = (JoinSet::new(), vec![Vec::new(); asked.len()]);
    let seen_early = Arc::new(AtomicUsize::new(0));
    for (number, act) in acts.into_iter().enumerate() {
        let place = places.clone().acquire_owned().await.expect("never closed");
        let url = urls[number % 2].clone();
        match act {
            Act::Change(session, change) => {
                let Asked { fate, session: id, .. } = &asked[session];
                events[session].push(fate.changes()[change](&stripe, id));
            }
            Act::Deliver(session, change, way) => {
                let (http, event) = (http.clone(), events[session][change].clone());
                let age_s = rng.random_range(301..100_000);
                running.spawn(async move {
                    let _place = place;
                    delivered(&http, &url, &of(&event, way, age_s)).await;
                });
            }
            Act::Look(session) => {
                let Asked { fate, who, session, top_up } = &asked[session];
                let (credits, stripe) = (Credits::new(&url, &keys[*who]), stripe.clone());
                let (session, top_up, ends) = (session.clone(), top_up.clone(), fate.ends());
                let seen_early = seen_early.clone();
                running.spawn(async move {
                    let _place = place;
                    let seen = credits.top_up(&top_up).await.state;
                    // Money that has come stays: whatever was seen as paid is paid now.
                    assert!(
                        seen != "paid" || stripe.session(&session).paid,
                        "{top_up} is not paid"
                    );
                    seen_early.fetch_add(usize::from(seen != ends), Ordering::Relaxed);
                });
            }
            Act::Compare => {
                let admin = admins[number % 2].clone();
                running.spawn(async move {
                    let _place = place;
                    compared(&admin).await;
                });
            }
        }
        while let Some(done) = running.try_join_next() {
            done.expect("it ends as it must");
        }
    }
    while let Some(done) = running.join_next().await {
        done.expect("it ends as it must");
    }
    assert!(seen_early.load(Ordering::Relaxed) > LOOKS / 10, "clients looked while it went on");

    for (account, expected) in accounts.iter().zip(expected) {
        let balance = admin.balance(*account).await;
        assert_eq!((balance.available, balance.held), (expected, 0), "account {account}");
    }
    for Asked { fate, who, top_up, .. } in &asked {
        let seen = Credits::new(&urls[0], &keys[*who]).top_up(top_up).await;
        assert_eq!(seen.state, fate.ends(), "{top_up}: {fate:?}");
    }
    let report = admin.reconcile().await;
    assert_eq!(report["credited_now"], 0, "nothing was missed: {report:#}");
    assert_eq!(report["paid_cents"], report["credited_cents"], "{report:#}");
    assert_eq!(report["problems"].as_array().map(Vec::len), Some(0), "{report:#}");
    for gateway in &mut gateways {
        gateway.terminate();
        assert!(gateway.end().await.success());
    }
    let (clean, report) = gateways[1].audit();
    assert!(clean, "gateway audit:\n{report}");
}

/// Three in ten are not genuine. Signed as late as it is sent.
fn of(event: &Value, way: u8, age_s: u64) -> Delivery {
    match way {
        0 => Delivery::forged(event),
        1 => Delivery::altered(event),
        2 => Delivery::aged(event, age_s),
        _ => Delivery::honest(event),
    }
}

/// Sends it until it is taken, as Stripe does; what is not genuine is refused at once.
async fn delivered(http: &reqwest::Client, url: &str, delivery: &Delivery) {
    for _ in 0..TRIES_MAX {
        let status = delivery.send(http, url).await.expect("an answer");
        match (delivery.genuine, status) {
            (true, 200) | (false, 400) => return,
            (true, 503) => {}
            (genuine, status) => panic!("genuine: {genuine}, answered {status}"),
        }
    }
    panic!("a genuine delivery was never taken");
}

/// Compares the books with the provider's: it may not answer, and nothing that it does not answer is wrong.
async fn compared(admin: &Admin) {
    let report = admin.try_ask(Method::POST, "payments/reconcile", Value::Null).await;
    if report.status == StatusCode::SERVICE_UNAVAILABLE {
        return;
    }
    assert_eq!(report.status, StatusCode::OK, "{:#}", report.body);
    for problem in report.body["problems"].as_array().expect("sentences") {
        let said = problem.as_str().expect("a sentence");
        assert!(said.contains("does not answer") || said.contains("answers no more"), "{said}");
    }
}

//! Ten thousand webhook deliveries, shuffled, duplicated, forged and stale, at two gateways on one
//! PostgreSQL: exactly the paid sessions are credited, once.

use std::sync::Arc;

use assay_tests::{
    Admin, Credits, FakeStripe, Gateway,
    postgres::PostgresServer,
    stripe::{Delivery, Trouble},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::SliceRandom};
use tokio::{sync::Semaphore, task::JoinSet};

const CENT: i64 = 10_000_000;
const DELIVERIES: usize = 10_000;
const SESSIONS: usize = 200;
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
    let admin = Admin::log_in(&gateways[0].url()).await;
    let accounts = [admin.account("a").await, admin.account("b").await, admin.account("c").await];
    let keys =
        [admin.key(accounts[0]).await, admin.key(accounts[1]).await, admin.key(accounts[2]).await];

    // Who pays what, and how it goes.
    let mut rng = StdRng::seed_from_u64(7);
    let mut events = Vec::new();
    let mut expected = [0_i64; 3];
    for number in 0..SESSIONS {
        let (who, fate) = (number % 3, FATES[number % FATES.len()]);
        let credits = Credits::new(&gateways[number % 2].url(), &keys[who]);
        let cents = rng.random_range(100..5_000);
        let session = stripe.session_of(&credits.checkout(cents, &number.to_string()).await.id).id;
        events.extend(match fate {
            Fate::Paid => vec![stripe.pay(&session)],
            Fate::Arrived => vec![stripe.pay_later(&session), stripe.arrive(&session)],
            Fate::Failed => vec![stripe.pay_later(&session), stripe.fail(&session)],
            Fate::Expired => vec![stripe.expire(&session)],
            Fate::Open => Vec::new(),
        });
        if [Fate::Paid, Fate::Arrived].contains(&fate) {
            expected[who] += cents * CENT;
        }
    }

    let mut deliveries: Vec<Delivery> = (0..DELIVERIES)
        .map(|number| {
            let event = &events[number % events.len()];
            match rng.random_range(0..10) {
                0 => Delivery::forged(event),
                1 => Delivery::altered(event),
                2 => Delivery::aged(event, rng.random_range(301..100_000)),
                _ => Delivery::honest(event),
            }
        })
        .collect();
    deliveries.shuffle(&mut rng);
    // The provider has a bad day, too.
    stripe.trouble((0..300).map(|number| match number % 3 {
        0 => Trouble::Status(500),
        1 => Trouble::Status(429),
        _ => Trouble::None,
    }));

    let (places, http) = (Arc::new(Semaphore::new(AT_ONCE)), reqwest::Client::new());
    let mut sending = JoinSet::new();
    for (number, delivery) in deliveries.into_iter().enumerate() {
        let place = places.clone().acquire_owned().await.expect("never closed");
        let (http, url) = (http.clone(), gateways[number % 2].url());
        sending.spawn(async move {
            let _place = place;
            delivered(&http, &url, &delivery).await;
        });
    }
    while let Some(sent) = sending.join_next().await {
        sent.expect("a delivery ends as it must");
    }

    for (account, expected) in accounts.iter().zip(expected) {
        let balance = admin.balance(*account).await;
        assert_eq!((balance.available, balance.held), (expected, 0), "account {account}");
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

//! Bounds on what one account or key may have running.

use assay_ledger::{AccountId, Nano};
use assay_protocol::Bytes32;
use uuid::Uuid;

use super::{Client, admin, client, failure, job, node, on_each_engine, success};
use crate::{
    audit::audit,
    db::{
        Bound, DbError, JobEnd, NewJob, NewKey, OpenJobError, accounts, jobs, keys,
        top_ups::{self, NewTopUp, TopUpState},
    },
};

const DAY_MS: i64 = 86_400_000;

#[tokio::test]
async fn an_account_has_so_many_payments_open_and_no_more() {
    on_each_engine(async |db| {
        let (ada, bob) = (client(db, Nano::ZERO).await, client(db, Nano::ZERO).await);
        let begin = async |account, key: &str| {
            let (id, client_key) = (Uuid::new_v4().to_string(), key.to_owned());
            let new = NewTopUp { id, account, client_key, cents: 100, created_ms: 1 };
            top_ups::begin(db, &new).await
        };
        let first = begin(ada.account, "0").await.unwrap();
        for number in 1..top_ups::OPEN_MAX {
            begin(ada.account, &number.to_string()).await.unwrap();
        }
        let refused = begin(ada.account, "one more").await.unwrap_err();
        let bound = Bound::OpenTopUps(top_ups::OPEN_MAX);
        assert!(matches!(refused, DbError::Full(full) if full == bound), "{refused:?}");
        assert_eq!(begin(ada.account, "0").await.unwrap(), first, "asked for before");
        begin(bob.account, "0").await.expect("another account's count for nothing");
        top_ups::ended(db, &first.id, TopUpState::Expired, "late").await.unwrap();
        begin(ada.account, "one more").await.expect("one is closed");

        let refused = begin(AccountId(9_999), "0").await.unwrap_err();
        assert!(matches!(refused, DbError::NotFound(_)), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn the_jobs_of_one_request_are_opened_together_or_not_at_all() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(1_000)).await;
        let three = |amount, max| -> Vec<NewJob> {
            let one = |id| NewJob { holds_open_max: max, ..job(&ada, id, Nano(amount)) };
            (1..=3).map(one).collect()
        };
        let refused = jobs::open_all(db, three(334, 3)).await.unwrap_err();
        let (available, needed) = (Nano(1_000), Nano(1_002));
        assert!(
            matches!(refused, OpenJobError::InsufficientCredit { available: a, needed: n }
                if (a, n) == (available, needed)),
            "{refused}"
        );
        let refused = jobs::open_all(db, three(1, 2)).await.unwrap_err();
        assert!(matches!(refused, OpenJobError::TooManyHolds { max: 2 }), "{refused}");
        jobs::open_all(db, three(333, 3)).await.expect("nothing was held before");
        jobs::open_all(db, three(333, 3)).await.expect("told again, they are open already");
        let balance = accounts::balance(db, ada.account).await.unwrap();
        assert_eq!((balance.available, balance.held), (Nano(1), Nano(999)));
        for open in three(333, 3) {
            jobs::end(db, &failure(&open)).await.unwrap();
        }
        assert!(audit(db).await.unwrap().is_clean());
    })
    .await;
}

#[tokio::test]
async fn an_account_may_have_so_many_jobs_running_and_no_more() {
    on_each_engine(async |db| {
        let (ada, bob) = (client(db, Nano(10_000)).await, client(db, Nano(10_000)).await);
        let new = |client, id| NewJob {
            holds_open_max: 2,
            ..job(client, id, Nano(i64::from(id % 2 == 1)))
        };
        for id in 1..=2 {
            jobs::open(db, &new(&ada, id)).await.unwrap();
        }
        let refused = jobs::open(db, &new(&ada, 3)).await.unwrap_err();
        assert!(matches!(refused, OpenJobError::TooManyHolds { max: 2 }), "{refused:?}");
        jobs::open(db, &new(&ada, 2)).await.expect("told again, it is open already");
        jobs::open(db, &new(&bob, 4)).await.expect("it is another account");
        jobs::end(db, &failure(&new(&ada, 2))).await.unwrap();
        jobs::open(db, &new(&ada, 3)).await.expect("one has ended");
        let full = crate::audit::audit(db).await.unwrap();
        assert!(full.is_clean(), "{full}");
    })
    .await;
}

#[tokio::test]
async fn a_key_spends_its_budget_and_no_more_until_the_next_day() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(100_000)).await;
        let asked = [node(db, 1).await];
        let new = NewKey {
            account: ada.account,
            name: "small".into(),
            prefix: "sk-assay-5678".into(),
            hash: Bytes32([200; 32]),
            risk: "low".into(),
            created_ms: 2,
            expires_ms: None,
            budget_day: Some(Nano(1_000)),
            scopes: String::new(),
            models: String::new(),
            rotated_from: None,
        };
        let small = Client {
            account: ada.account,
            key: keys::create(db, &new, &admin(2)).await.unwrap().id,
        };
        let new = |id: u128, hold| NewJob { created_ms: 5, ..job(&small, id, Nano(hold)) };

        jobs::open(db, &new(1, 700)).await.unwrap();
        let refused = jobs::open(db, &new(2, 301)).await.unwrap_err();
        let OpenJobError::OverBudget { left, needed } = refused else { panic!("{refused:?}") };
        assert_eq!((left, needed), (Nano(300), Nano(301)));
        // What was not spent may be spent.
        let end = JobEnd { ended_ms: 10, ..success(&new(1, 700), Nano(100), &asked, 1) };
        jobs::end(db, &end).await.unwrap();
        jobs::open(db, &new(2, 900)).await.unwrap();
        let refused = jobs::open(db, &new(3, 1)).await.unwrap_err();
        assert!(matches!(refused, OpenJobError::OverBudget { left: Nano(0), .. }), "{refused:?}");

        jobs::open(db, &job(&ada, 4, Nano(5_000))).await.expect("the other key has no bound");
        let tomorrow = NewJob { created_ms: DAY_MS + 1, ..new(5, 1_000) };
        jobs::open(db, &tomorrow).await.expect("it is another day");
    })
    .await;
}

//! Who may answer under an idempotency key, and what is kept of it.

use assay_ledger::{AccountId, Nano};
use assay_protocol::Bytes32;
use uuid::Uuid;

use super::{client, on_each_engine};
use crate::db::{
    Db, LeaseId,
    kept_answers::{Begun, KeyedRequest, begin, forget, keep, prune},
    leases,
};

const HOUR_MS: i64 = 3_600_000;

fn request(account: AccountId, key: u8, digest: u8) -> KeyedRequest {
    let (key, digest) = (Bytes32([key; 32]), Bytes32([digest; 32]));
    KeyedRequest { account, key, digest, owner: Uuid::new_v4() }
}

async fn account_and_lease(db: &Db) -> (AccountId, LeaseId) {
    let account = client(db, Nano::ZERO).await.account;
    (account, leases::take(db, "gateway-1", HOUR_MS).await.unwrap())
}

#[tokio::test]
async fn a_key_has_one_owner_and_then_one_answer() {
    on_each_engine(async |db| {
        let (ada, lease) = account_and_lease(db).await;
        let (first, again) = (request(ada, 1, 1), request(ada, 1, 1));
        assert_eq!(begin(db, &first, lease, HOUR_MS).await.unwrap(), Begun::Own);
        assert_eq!(begin(db, &again, lease, HOUR_MS).await.unwrap(), Begun::Running);
        let other = request(ada, 1, 2);
        assert_eq!(begin(db, &other, lease, HOUR_MS).await.unwrap(), Begun::Other);
        assert!(!keep(db, &again, "theirs".into()).await.unwrap(), "it is not the owner");
        assert!(keep(db, &first, "mine".into()).await.unwrap());
        assert!(!keep(db, &first, "another".into()).await.unwrap(), "it is kept once");
        let answered = Begun::Answered("mine".into());
        assert_eq!(begin(db, &again, lease, HOUR_MS).await.unwrap(), answered);
        assert_eq!(begin(db, &other, lease, HOUR_MS).await.unwrap(), Begun::Other);
        forget(db, &first).await.unwrap();
        assert_eq!(begin(db, &again, lease, HOUR_MS).await.unwrap(), answered);

        let bob = client(db, Nano::ZERO).await.account;
        let theirs = request(bob, 1, 2);
        assert_eq!(begin(db, &theirs, lease, HOUR_MS).await.unwrap(), Begun::Own);
    })
    .await;
}

#[tokio::test]
async fn a_key_is_free_when_its_request_failed_or_its_gateway_is_gone() {
    on_each_engine(async |db| {
        let (ada, lease) = account_and_lease(db).await;
        let failed = request(ada, 1, 1);
        begin(db, &failed, lease, HOUR_MS).await.unwrap();
        forget(db, &failed).await.unwrap();
        let next = request(ada, 1, 2);
        assert_eq!(begin(db, &next, lease, HOUR_MS).await.unwrap(), Begun::Own);

        leases::lose_all_of(db, "gateway-1").await.unwrap();
        let lease = leases::take(db, "gateway-1", HOUR_MS).await.unwrap();
        let after = request(ada, 1, 3);
        assert_eq!(begin(db, &after, lease, HOUR_MS).await.unwrap(), Begun::Own);
        assert!(!keep(db, &next, "late".into()).await.unwrap(), "it was taken over");

        let over = request(ada, 2, 1);
        begin(db, &over, lease, -1).await.unwrap();
        let (one, two) = (request(ada, 2, 1), request(ada, 2, 1));
        let both = tokio::join!(begin(db, &one, lease, HOUR_MS), begin(db, &two, lease, HOUR_MS));
        let mut both = [both.0.unwrap(), both.1.unwrap()];
        both.sort_by_key(|begun| *begun == Begun::Running);
        assert_eq!(both, [Begun::Own, Begun::Running], "one of them takes it over");
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_is_bounded_by_age_and_by_number() {
    on_each_engine(async |db| {
        let (ada, lease) = account_and_lease(db).await;
        for key in 1..=5 {
            let request = request(ada, key, 1);
            begin(db, &request, lease, HOUR_MS).await.unwrap();
            assert!(keep(db, &request, key.to_string()).await.unwrap());
        }
        assert_eq!(prune(db, HOUR_MS, 5).await.unwrap(), 0);
        assert_eq!(prune(db, HOUR_MS, 2).await.unwrap(), 3);
        begin(db, &request(ada, 6, 1), lease, HOUR_MS).await.unwrap();
        assert_eq!(prune(db, -HOUR_MS, 5).await.unwrap(), 2, "what is worked on stays");
        let running = begin(db, &request(ada, 6, 1), lease, HOUR_MS).await.unwrap();
        assert_eq!(running, Begun::Running);
    })
    .await;
}

//! Enrolment, trust, bans, reputation.

use assay_ledger::Nano;
use assay_protocol::{Bytes32, NodeId};
use uuid::Uuid;

use super::{client, job, node, on_each_engine, redeem, success};
use crate::db::{
    DbError, NewEnrolment, OperatorId, Page, Redeem, RedeemError, Standing, enrolments, jobs,
    nodes, reputation,
};

#[tokio::test]
async fn a_token_makes_one_node() {
    on_each_engine(async |db| {
        let first = node(db, 1).await;
        let again = Redeem { node: NodeId(Uuid::from_u128(77)), ..redeem(1) };
        assert_eq!(enrolments::redeem(db, &again).await.unwrap(), first, "the answer was lost");

        let other = Redeem { public_key: Bytes32([8; 32]), ..redeem(1) };
        let used = enrolments::redeem(db, &other).await.unwrap_err();
        assert!(matches!(used, RedeemError::Used), "{used:?}");
        let unknown = enrolments::redeem(db, &redeem(2)).await.unwrap_err();
        assert!(matches!(unknown, RedeemError::Unknown), "{unknown:?}");
    })
    .await;
}

#[tokio::test]
async fn a_late_token_and_a_known_key_make_no_node() {
    on_each_engine(async |db| {
        let operator = node(db, 1).await.operator;
        let token_hash = Bytes32([2; 32]);
        let new = NewEnrolment { token_hash, operator, created_ms: 5, expires_ms: 100 };
        enrolments::create(db, &new).await.unwrap();

        let late = Redeem { now_ms: 100, ..redeem(2) };
        let expired = enrolments::redeem(db, &late).await.unwrap_err();
        assert!(matches!(expired, RedeemError::Expired), "{expired:?}");
        let known = Redeem { public_key: redeem(1).public_key, ..redeem(2) };
        let taken = enrolments::redeem(db, &known).await.unwrap_err();
        assert!(matches!(taken, RedeemError::KeyTaken), "{taken:?}");
        enrolments::redeem(db, &redeem(2)).await.unwrap();

        let nobody = NewEnrolment { token_hash: Bytes32([3; 32]), operator: OperatorId(9), ..new };
        let refused = enrolments::create(db, &nobody).await.unwrap_err();
        assert!(matches!(refused, DbError::NotFound(_)), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_node_is_trusted_banned_and_seen() {
    on_each_engine(async |db| {
        let (one, two) = (node(db, 1).await, node(db, 2).await);
        nodes::set_trusted(db, one.id, true).await.unwrap();
        nodes::ban(db, two.id, "it lied").await.unwrap();
        nodes::set_last_seen(db, two.id, 70).await.unwrap();

        let listed = nodes::list(db, &Page::default()).await.unwrap().rows;
        assert_eq!(listed.iter().map(|node| node.trusted).collect::<Vec<_>>(), [true, false]);
        let banned = &listed[1];
        assert!(banned.is_banned() && !listed[0].is_banned());
        assert_eq!((banned.reason.as_str(), banned.last_seen_ms), ("it lied", Some(70)));

        nodes::unban(db, two.id).await.unwrap();
        let two = nodes::find(db, two.id).await.unwrap().unwrap();
        assert_eq!((two.standing, two.reason.as_str()), (Standing::Enrolled, ""));
        let nobody = NodeId(Uuid::from_u128(99));
        assert!(matches!(nodes::ban(db, nobody, "x").await, Err(DbError::NotFound(_))));
        assert_eq!(nodes::find(db, nobody).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn reputation_fades_by_weight_and_is_kept_with_the_job() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(1_000_000)).await;
        let asked = [node(db, 1).await, node(db, 2).await, node(db, 3).await];
        for id in 1..=2 {
            let job = job(&ada, id, Nano(1500));
            jobs::open(db, &job).await.unwrap();
            let end = success(&job, Nano(1000), &asked, 2);
            jobs::end(db, &end).await.unwrap();
            jobs::end(db, &end).await.unwrap();
        }
        let known = reputation::load_all(db).await.unwrap();
        assert_eq!(known.len(), 3);
        let (node, model, honest) = &known[0];
        assert_eq!((*node, model.as_str()), (asked[0].id, "demo"));
        assert_eq!((honest.passes, honest.failures), (0.999_134, 0.0));
        let liar = &known[2].2;
        assert_eq!((liar.passes, liar.failures), (0.0, 1.996_540));
    })
    .await;
}

//! Enrolment, trust, bans, reputation.

use assay_ledger::{Maturity, Nano};
use assay_protocol::{Bytes32, NodeId, StandingCode};
use uuid::Uuid;

use super::{admin, client, job, node, on_each_engine, redeem, success};
use crate::db::{
    Bound, By, DbError, NewEnrolment, OperatorId, Out, Page, Redeem, RedeemError, Standing,
    changes, enrolments,
    forfeits::{self, NewBan},
    jobs, nodes, payout_addresses, reputation, standing,
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
        enrolments::create(db, &new, By::Own).await.unwrap();

        let late = Redeem { now_ms: 100, ..redeem(2) };
        let expired = enrolments::redeem(db, &late).await.unwrap_err();
        assert!(matches!(expired, RedeemError::Expired), "{expired:?}");
        let known = Redeem { public_key: redeem(1).public_key, ..redeem(2) };
        let taken = enrolments::redeem(db, &known).await.unwrap_err();
        assert!(matches!(taken, RedeemError::KeyTaken), "{taken:?}");
        enrolments::redeem(db, &redeem(2)).await.unwrap();

        let nobody = NewEnrolment { token_hash: Bytes32([3; 32]), operator: OperatorId(9), ..new };
        let refused = enrolments::create(db, &nobody, By::Own).await.unwrap_err();
        assert!(matches!(refused, DbError::NotFound(_)), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn an_operator_has_so_many_unused_tokens_and_no_more() {
    on_each_engine(async |db| {
        let (ada, bob) = (node(db, 1).await.operator, node(db, 2).await.operator);
        let make = async |number: u8, operator, created_ms| {
            let token_hash = Bytes32([number; 32]);
            let new = NewEnrolment { token_hash, operator, created_ms, expires_ms: 100 };
            enrolments::create(db, &new, By::Own).await
        };
        for number in 0..u8::try_from(enrolments::OPEN_MAX).unwrap() {
            make(10 + number, ada, 5).await.unwrap();
        }
        let refused = make(200, ada, 5).await.unwrap_err();
        let bound = Bound::EnrolmentTokens(enrolments::OPEN_MAX);
        assert!(matches!(refused, DbError::Full(full) if full == bound), "{refused:?}");
        make(201, bob, 5).await.expect("another operator's count for nothing");
        let spent = Redeem { token_hash: Bytes32([10; 32]), ..redeem(10) };
        enrolments::redeem(db, &spent).await.unwrap();
        make(202, ada, 5).await.expect("one was used");
        make(203, ada, 5).await.unwrap_err();
        make(204, ada, 100).await.expect("all have expired");
    })
    .await;
}

#[tokio::test]
async fn a_node_is_trusted_banned_and_seen() {
    on_each_engine(async |db| {
        let (one, two) = (node(db, 1).await, node(db, 2).await);
        nodes::set_trusted(db, one.id, true, &admin(50)).await.unwrap();
        standing::ban(db, two.id, "it lied", &admin(60)).await.unwrap();
        nodes::set_last_seen(db, two.id, 70).await.unwrap();

        let listed = nodes::list(db, &Page::default()).await.unwrap().rows;
        assert_eq!(listed.iter().map(|node| node.trusted).collect::<Vec<_>>(), [true, false]);
        let banned = &listed[1];
        assert!(banned.is_banned() && !listed[0].is_banned());
        assert_eq!((banned.reason.as_str(), banned.last_seen_ms), ("it lied", Some(70)));
        let out = banned.out.as_ref().unwrap();
        assert_eq!((out.code, out.until_ms), (StandingCode::ByAdmin, None));

        standing::let_back(db, two.id, &admin(70)).await.unwrap();
        let two = nodes::find(db, two.id).await.unwrap().unwrap();
        assert_eq!((two.standing, two.reason.as_str(), two.out), (Standing::Enrolled, "", None));
        let nobody = NodeId(Uuid::from_u128(99));
        let unknown = standing::ban(db, nobody, "x", &admin(60)).await;
        assert!(matches!(unknown, Err(DbError::NotFound(_))));
        assert_eq!(nodes::find(db, nobody).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_quarantine_ends_with_a_passed_test_and_a_ban_does_not() {
    on_each_engine(async |db| {
        let (one, two) = (node(db, 1).await, node(db, 2).await);
        let out = Out {
            code: StandingCode::FailedChecks,
            reason: "two checks failed".into(),
            until_ms: Some(900),
        };
        standing::quarantine(db, one.id, &out, 60).await.unwrap();
        standing::quarantine(db, two.id, &out, 60).await.unwrap();
        assert_eq!(nodes::find(db, one.id).await.unwrap().unwrap().out, Some(out));
        standing::ban(db, two.id, "it lied", &admin(70)).await.unwrap();
        for node in [one.id, two.id] {
            standing::end_quarantine(db, node).await.unwrap();
        }
        assert_eq!(nodes::find(db, one.id).await.unwrap().unwrap().out, None);
        let two = nodes::find(db, two.id).await.unwrap().unwrap();
        assert_eq!(two.out.unwrap().code, StandingCode::ByAdmin);
    })
    .await;
}

#[tokio::test]
async fn every_change_of_where_a_node_stands_is_found_by_who_does_not_know_it() {
    on_each_engine(async |db| {
        let (one, two, three) = (node(db, 1).await, node(db, 2).await, node(db, 3).await);
        let known = async |change: &str, expected: &[NodeId], before: i64| {
            let number = changes::last(db).await.unwrap();
            assert_eq!(changes::since(db, before).await.unwrap(), expected, "{change}");
            assert_eq!(changes::since(db, number).await.unwrap(), [], "{change}");
            number
        };
        let start = known("nothing", &[], 0).await;
        let out = Out {
            code: StandingCode::FailedChecks,
            reason: "two checks failed".into(),
            until_ms: Some(900),
        };
        nodes::set_trusted(db, one.id, true, &admin(50)).await.unwrap();
        let at = known("trust", &[one.id], start).await;
        standing::quarantine(db, two.id, &out, 60).await.unwrap();
        let at = known("a quarantine", &[two.id], at).await;
        standing::ban(db, one.id, "it lied", &admin(70)).await.unwrap();
        let at = known("a ban", &[one.id], at).await;
        standing::let_back(db, two.id, &admin(80)).await.unwrap();
        let at = known("an end of a quarantine", &[two.id], at).await;
        let address = "0x1111111111111111111111111111111111111111";
        payout_addresses::set(db, three.operator, address, 0, 90).await.unwrap();
        let at = known("an address", &[three.id], at).await;
        let new = NewBan {
            node: three.id,
            reason: "proven".into(),
            at_ms: 95,
            maturity: Maturity::default(),
        };
        forfeits::ban(db, &new).await.unwrap();
        known("a ban on proof", &[three.id], at).await;
        assert_eq!(changes::since(db, start).await.unwrap(), [one.id, two.id, three.id]);
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
        let reputation::Known { node, model, record: honest, checks } = &known[0];
        assert_eq!((*node, model.as_str(), *checks), (asked[0].id, "demo", 2));
        assert_eq!((honest.evidence.passes, honest.evidence.failures), (0.999_134, 0.0));
        assert_eq!((honest.cusum, honest.checks_due, honest.proofs), (0.0, 0.0, 0));
        assert_eq!(reputation::of_node(db, asked[0].id).await.unwrap(), [known[0].clone()]);
        let liar = &known[2].record;
        assert_eq!((liar.evidence.passes, liar.evidence.failures), (0.0, 1.996_540));
        assert_eq!((liar.cusum, liar.checks_due, liar.proofs), (2.0 * 2.996, 20.0, 0));
    })
    .await;
}

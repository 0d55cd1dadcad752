//! Leases, checkpoints, and jobs that nobody owns any more.

use assay_ledger::{Nano, PayRules, Round, Settlement, Share, payout};
use assay_protocol::JobId;
use uuid::Uuid;

use super::{client, disarm, failure, job, node, on_each_engine, tamper, words};
use crate::{
    audit::audit,
    db::{
        Checkpoint, CheckpointAsked, CheckpointPart, CheckpointSettlement, Db, DbError, JobState,
        NewJob, NodeRow, OpenJobError, Orphan, jobs, leases,
    },
    ownership::reap,
};

const HOUR_MS: i64 = 3_600_000;

async fn orphans(db: &Db) -> Vec<u128> {
    found(db).await.iter().map(|orphan| orphan.id.0.as_u128()).collect()
}

async fn found(db: &Db) -> Vec<Orphan> {
    let found = leases::orphans(db, "gateway-1", "").await.unwrap();
    found.into_iter().map(|found| found.orphan.unwrap()).collect()
}

fn delivered(job: &NewJob, node: &NodeRow, tokens: u32) -> Checkpoint {
    let passed = [Share { account: node.account, tokens }];
    let round = Round {
        held: job.hold,
        cost: Nano(10 * i64::from(tokens)),
        asked: 1,
        tokens,
        passed: &passed,
        majority_refuted: false,
    };
    let charge = payout(&round, &PayRules { fee_ppm: 50_000, cap_per_mille: None });
    let pay = charge.pays[0].1;
    let parts = vec![CheckpointPart { node: node.id, tokens, pay, elapsed_ms: 5 }];
    let asked = Vec::new();
    let settlement =
        CheckpointSettlement { completion_tokens: tokens, round: 1, charge, parts, asked };
    Checkpoint { job: job.id, settlement }
}

#[tokio::test]
async fn jobs_of_a_lost_lease_have_no_owner() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(10_000)).await;
        let kept = leases::take(db, "gateway-1", HOUR_MS).await.unwrap();
        let expired = leases::take(db, "gateway-2", -1).await.unwrap();
        let deadline_over = NewJob { lasts_ms_max: -1, ..job(&ada, 5, Nano(100)) };
        for new in [
            NewJob { lease: Some(kept), ..job(&ada, 1, Nano(100)) },
            NewJob { lease: Some(expired), ..job(&ada, 2, Nano(100)) },
            NewJob { lease: None, gateway: "gateway-1".into(), ..job(&ada, 3, Nano(100)) },
            NewJob { lease: None, gateway: "gateway-2".into(), ..job(&ada, 4, Nano(100)) },
            NewJob { lease: Some(kept), ..deadline_over },
        ] {
            jobs::open(db, &new).await.unwrap();
        }
        assert_eq!(orphans(db).await, [3, 5], "a lease is lost only when somebody says so");
        leases::lose_expired(db).await.unwrap();
        assert_eq!(orphans(db).await, [2, 3, 5]);
        assert!(leases::renew(db, kept, HOUR_MS).await.unwrap());
        assert!(!leases::renew(db, expired, HOUR_MS).await.unwrap(), "what is lost stays lost");

        for orphan in found(db).await {
            let ended = job(&ada, orphan.id.0.as_u128(), orphan.hold);
            jobs::end(db, &failure(&ended)).await.unwrap();
        }
        assert_eq!(orphans(db).await, [0; 0]);
        leases::lose_all_of(db, "gateway-1").await.unwrap();
        assert_eq!(orphans(db).await, [1], "a new run owns nothing of the one before");
        assert!(audit(db).await.unwrap().is_clean());
    })
    .await;
}

#[tokio::test]
async fn the_last_checkpoint_of_a_running_job_is_what_is_settled() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(10_000)).await;
        let node = node(db, 1).await;
        let lease = leases::take(db, "gateway-2", -1).await.unwrap();
        let new = |id| NewJob { lease: Some(lease), ..job(&ada, id, Nano(1_000)) };
        for id in 1..=3 {
            jobs::open(db, &new(id)).await.unwrap();
        }
        let unknown = Checkpoint { job: JobId(Uuid::from_u128(9)), ..delivered(&new(1), &node, 1) };
        let first = vec![delivered(&new(1), &node, 3), delivered(&new(2), &node, 4), unknown];
        leases::checkpoint(db, first).await.unwrap();
        leases::checkpoint(db, vec![delivered(&new(1), &node, 7)]).await.unwrap();
        jobs::end(db, &failure(&new(2))).await.unwrap();
        leases::checkpoint(db, vec![delivered(&new(2), &node, 9)]).await.unwrap();

        leases::lose_expired(db).await.unwrap();
        let orphans = found(db).await;
        let noted = orphans.iter().map(|orphan| {
            let tokens = orphan.settlement.as_ref().map(|settlement| settlement.completion_tokens);
            (orphan.id.0.as_u128(), tokens)
        });
        assert_eq!(noted.collect::<Vec<_>>(), [(1, Some(7)), (3, None)]);
        let settled = delivered(&new(1), &node, 7).settlement;
        assert_eq!(orphans[0].settlement.as_ref(), Some(&settled));
    })
    .await;
}

#[tokio::test]
async fn everybody_who_got_the_work_of_an_orphan_is_told_how_it_ended() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(10_000)).await;
        let nodes = [node(db, 1).await, node(db, 2).await];
        let new = |id| NewJob { gateway: "gateway-1".into(), ..job(&ada, id, Nano(1_000)) };
        for id in 1..=3 {
            jobs::open(db, &new(id)).await.unwrap();
        }
        let asked = vec![
            CheckpointAsked { node: nodes[0].id, round: 1 },
            CheckpointAsked { node: nodes[1].id, round: 2 },
        ];
        let with = |settlement| CheckpointSettlement { asked: asked.clone(), ..settlement };
        let noted = [
            with(delivered(&new(1), &nodes[0], 7).settlement),
            with(CheckpointSettlement::nothing(Nano(1_000))),
            // Its sums are wrong.
            CheckpointSettlement {
                charge: Settlement::nothing(Nano(999)),
                ..with(delivered(&new(3), &nodes[0], 7).settlement)
            },
        ];
        let noted =
            (1..).zip(noted).map(|(id, settlement)| Checkpoint { job: new(id).id, settlement });
        leases::checkpoint(db, noted.collect()).await.unwrap();
        reap(db, "gateway-1").await.unwrap();
        for (id, state, first) in [
            (1, JobState::Cancelled, "agreed"),
            (2, JobState::Failed, "cancelled"),
            (3, JobState::Failed, "cancelled"),
        ] {
            let job = jobs::find(db, new(id).id).await.unwrap().unwrap();
            assert_eq!(job.state, state, "{job:#?}");
            let told =
                job.nodes.iter().map(|part| (part.node, part.outcome.as_str(), part.pay.0 > 0));
            let expected = [(nodes[0].id, first, id == 1), (nodes[1].id, "cancelled", false)];
            assert_eq!(told.collect::<Vec<_>>(), expected, "{job:#?}");
            assert!(job.nodes[1].reason.contains("the gateway stopped"), "{job:#?}");
            let own = jobs::own::of_job(db, nodes[1].operator, job.id).await.unwrap();
            assert_eq!((own.len(), own[0].round), (1, 2));
        }
        assert!(audit(db).await.unwrap().is_clean());
    })
    .await;
}

#[tokio::test]
async fn whoever_ends_an_orphan_first_decides() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(10_000)).await;
        let job = job(&ada, 1, Nano(100));
        jobs::open(db, &job).await.unwrap();
        jobs::end(db, &failure(&job)).await.unwrap();
        let late = crate::db::JobEnd { reason: "reaped".into(), ..failure(&job) };
        assert!(matches!(jobs::end(db, &late).await, Err(DbError::Conflict(_))));
        assert!(audit(db).await.unwrap().is_clean());
    })
    .await;
}

#[tokio::test]
async fn no_job_is_opened_under_a_lost_lease() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(10_000)).await;
        let lost = leases::take(db, "gateway-1", HOUR_MS).await.unwrap();
        let first = NewJob { lease: Some(lost), ..job(&ada, 1, Nano(100)) };
        jobs::open(db, &first).await.unwrap();
        leases::lose_all_of(db, "gateway-1").await.unwrap();
        let held = leases::take(db, "gateway-1", HOUR_MS).await.unwrap();
        let late = NewJob { lease: Some(lost), ..job(&ada, 2, Nano(100)) };
        let refused = jobs::open(db, &late).await.unwrap_err();
        assert!(matches!(refused, OpenJobError::Store(DbError::LeaseLost)), "{refused:?}");
        jobs::open(db, &first).await.expect("told again, it is open already");
        jobs::open(db, &NewJob { lease: Some(held), ..late }).await.unwrap();
        assert_eq!(orphans(db).await, [1]);
        assert!(audit(db).await.unwrap().is_clean());
    })
    .await;
}

#[tokio::test]
async fn a_job_that_cannot_be_ended_keeps_no_other_waiting() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(10_000)).await;
        let node = node(db, 1).await;
        let new = |id| NewJob { gateway: "gateway-1".into(), ..job(&ada, id, Nano(1_000)) };
        for id in 1..=4 {
            jobs::open(db, &new(id)).await.unwrap();
        }
        let noted = [1, 3, 4].map(|id| delivered(&new(id), &node, 7));
        leases::checkpoint(db, noted.to_vec()).await.unwrap();
        disarm(db).await;
        // The first one's note is cut short, the second one's hold is not what its job says, the third one's note pays an
        // account that is not there.
        for damage in [
            "update checkpoint set settlement = substr(settlement, 1, 20)
                where job = '00000000-0000-0000-0000-000000000001'",
            "update hold set amount = 999 where id = '00000000-0000-0000-0000-000000000002'",
            "update checkpoint set settlement = replace(settlement, '[[1002,', '[[4000,')
                where job = '00000000-0000-0000-0000-000000000003'",
        ] {
            tamper(db, damage).await.unwrap();
        }
        reap(db, "gateway-1").await.unwrap();
        let ended = async |id| {
            let job = jobs::find(db, job(&ada, id, Nano(0)).id).await.unwrap().unwrap();
            (job.state, job.cost.0)
        };
        assert_eq!(ended(1).await, (JobState::Failed, 0), "nobody knows what was delivered");
        assert_eq!(ended(2).await, (JobState::Running, 0), "set aside");
        assert_eq!(ended(3).await, (JobState::Failed, 0), "given back");
        assert_eq!(ended(4).await, (JobState::Cancelled, 70), "settled");
        tamper(db, "update hold set amount = 1000 where amount = 999").await.unwrap();
        reap(db, "gateway-1").await.unwrap();
        assert_eq!(ended(2).await, (JobState::Failed, 0));
        assert!(audit(db).await.unwrap().is_clean());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_orphans_end_in_few_commits() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(10_000)).await;
        let mut opening = tokio::task::JoinSet::new();
        for id in 1..=1_200 {
            let (db, new) = (db.clone(), job(&ada, id, Nano(1)));
            opening.spawn(async move { jobs::open(&db, &new).await.unwrap() });
        }
        opening.join_all().await;
        reap(db, "gateway-1").await.unwrap();
        let report = audit(db).await.unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.holds_open, report.holds_ended), (0, 1_200));
        if db.engine() != "sqlite" {
            // Each row knows the transaction that wrote it.
            let commits = words(db, "select distinct cast(xmin as text) from job").await;
            assert!(commits.len() <= 120, "{} commits", commits.len());
        }
    })
    .await;
}

#[tokio::test]
async fn a_job_that_was_let_go_is_an_orphan() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(10_000)).await;
        let kept = leases::take(db, "gateway-1", HOUR_MS).await.unwrap();
        let new = |id| NewJob { lease: Some(kept), ..job(&ada, id, Nano(100)) };
        for id in 1..=3 {
            jobs::open(db, &new(id)).await.unwrap();
        }
        jobs::end(db, &failure(&new(3))).await.unwrap();
        leases::let_go(db, new(2).id).await.unwrap();
        leases::let_go(db, new(3).id).await.unwrap();
        assert_eq!(orphans(db).await, [2]);
    })
    .await;
}

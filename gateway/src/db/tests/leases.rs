//! Leases, checkpoints, and jobs that nobody owns any more.

use assay_ledger::{Nano, PayRules, Round, Share, payout};
use assay_protocol::JobId;
use uuid::Uuid;

use super::{client, failure, job, node, on_each_engine};
use crate::{
    audit::audit,
    db::{
        Checkpoint, CheckpointPart, CheckpointSettlement, Db, DbError, NewJob, NodeRow, jobs,
        leases,
    },
};

const HOUR_MS: i64 = 3_600_000;

async fn orphans(db: &Db) -> Vec<u128> {
    let orphans = leases::orphans(db, "gateway-1").await.unwrap();
    orphans.iter().map(|orphan| orphan.id.0.as_u128()).collect()
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
    let settlement = CheckpointSettlement { completion_tokens: tokens, round: 1, charge, parts };
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

        for orphan in leases::orphans(db, "gateway-1").await.unwrap() {
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
        let orphans = leases::orphans(db, "gateway-1").await.unwrap();
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

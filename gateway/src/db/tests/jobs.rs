//! Jobs and their money.

use std::sync::Arc;

use assay_ledger::{Nano, Settlement};
use assay_protocol::JobId;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{Client, client, failure, job, node, on_each_engine, success};
use crate::{
    audit::audit,
    db::{
        Db, DbError, JobEnd, JobFilter, JobNodeEnd, JobState, NewJob, OpenJobError, Page, accounts,
        jobs,
    },
};

async fn balance(db: &Db, client: &Client) -> (i64, i64) {
    let balance = accounts::balance(db, client.account).await.unwrap();
    (balance.available.0, balance.held.0)
}

#[tokio::test]
async fn a_job_holds_then_pays_and_gives_the_rest_back() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(10_000)).await;
        let asked = [node(db, 1).await, node(db, 2).await, node(db, 3).await];
        let job = job(&ada, 1, Nano(1500));
        jobs::open(db, &job).await.unwrap();
        assert_eq!(balance(db, &ada).await, (8500, 1500));
        let running = jobs::find(db, job.id).await.unwrap().unwrap();
        assert_eq!((running.state, running.ended_ms), (JobState::Running, None));

        jobs::end(db, &success(&job, Nano(1000), &asked, 2)).await.unwrap();
        assert_eq!(balance(db, &ada).await, (9000, 0));
        let row = jobs::find(db, job.id).await.unwrap().unwrap();
        assert_eq!((row.state, row.finish.as_deref()), (JobState::Succeeded, Some("stop")));
        assert_eq!((row.cost, row.fee, row.returned), (Nano(1000), Nano(100), Nano(500)));
        let parts: Vec<_> =
            row.nodes.iter().map(|n| (n.node, n.outcome.as_str(), n.pay.0)).collect();
        let [one, two, three] = asked.map(|node| node.id);
        assert_eq!(
            parts,
            [(one, "agreed", 450), (two, "agreed", 450), (three, "failed_spot_check", 0)]
        );
        let report = audit(db).await.unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.jobs, report.holds_open, report.holds_ended), (1, 0, 1));
        assert_eq!(report.fees, Nano(100));
    })
    .await;
}

#[tokio::test]
async fn a_job_ends_once() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(10_000)).await;
        let asked = [node(db, 1).await];
        let job = job(&ada, 1, Nano(1500));
        jobs::open(db, &job).await.unwrap();
        let end = success(&job, Nano(1000), &asked, 1);
        jobs::end(db, &end).await.unwrap();
        jobs::end(db, &end).await.unwrap();
        for other in [failure(&job), success(&job, Nano(999), &asked, 1)] {
            let refused = jobs::end(db, &other).await.unwrap_err();
            assert!(matches!(refused, DbError::Conflict(_)), "{refused:?}");
        }
        assert_eq!(balance(db, &ada).await, (9000, 0));
        let unknown = JobEnd { id: JobId(Uuid::from_u128(99)), ..end };
        assert!(matches!(jobs::end(db, &unknown).await, Err(DbError::NotFound(_))));
        assert!(audit(db).await.unwrap().is_clean());
    })
    .await;
}

#[tokio::test]
async fn a_job_is_opened_once() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(10_000)).await;
        let job = job(&ada, 1, Nano(1500));
        jobs::open(db, &job).await.unwrap();
        jobs::open(db, &job).await.unwrap();
        assert_eq!(balance(db, &ada).await, (8500, 1500));
        let other = NewJob { hold: Nano(1), ..job.clone() };
        let refused = jobs::open(db, &other).await.unwrap_err();
        assert!(matches!(refused, OpenJobError::Store(DbError::Rejected(_))), "{refused:?}");

        // And it can still be opened again after it has ended, without any effect.
        jobs::end(db, &failure(&job)).await.unwrap();
        jobs::open(db, &job).await.unwrap();
        assert_eq!(balance(db, &ada).await, (10_000, 0));
        assert!(audit(db).await.unwrap().is_clean());
    })
    .await;
}

#[tokio::test]
async fn a_node_may_have_several_parts() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(10_000)).await;
        let asked = [node(db, 1).await, node(db, 2).await];
        let job = job(&ada, 1, Nano(1500));
        jobs::open(db, &job).await.unwrap();
        let mut end = success(&job, Nano(1000), &asked, 1);
        for evidence in ["first", "second"] {
            let (role, evidence) = ("score", evidence.into());
            end.nodes.push(JobNodeEnd { role, evidence, pay: Nano::ZERO, ..end.nodes[1].clone() });
        }
        jobs::end(db, &end).await.unwrap();
        let parts = jobs::find(db, job.id).await.unwrap().unwrap().nodes;
        let evidence: Vec<_> = parts.iter().map(|part| part.evidence.as_str()).collect();
        assert_eq!(evidence, ["{}", "{}", "first", "second"]);
        assert!(audit(db).await.unwrap().is_clean());
    })
    .await;
}

#[tokio::test]
async fn an_end_that_contradicts_itself_moves_nothing() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(10_000)).await;
        let asked = [node(db, 1).await, node(db, 2).await];
        let job = job(&ada, 1, Nano(1500));
        jobs::open(db, &job).await.unwrap();
        let end = success(&job, Nano(1000), &asked, 2);

        let mut unpaid = end.clone();
        unpaid.nodes.pop();
        let running = JobEnd { state: JobState::Running, ..end.clone() };
        for wrong in [unpaid, running] {
            let refused = jobs::end(db, &wrong).await.unwrap_err();
            assert!(matches!(refused, DbError::Wrong(_)), "{refused:?}");
        }
        let mut short = end.clone();
        short.charge.returned = Nano(499);
        let mut nothing = failure(&job);
        nothing.charge = Settlement::nothing(Nano(1499));
        for wrong in [short, nothing] {
            let refused = jobs::end(db, &wrong).await.unwrap_err();
            assert!(matches!(refused, DbError::Rejected(_)), "{refused:?}");
        }
        assert_eq!(balance(db, &ada).await, (8500, 1500));
        jobs::end(db, &end).await.unwrap();
        assert!(audit(db).await.unwrap().is_clean());
    })
    .await;
}

#[tokio::test]
async fn a_free_model_needs_no_credit() {
    on_each_engine(async |db| {
        let ada = client(db, Nano::ZERO).await;
        let asked = [node(db, 1).await];
        let job = job(&ada, 1, Nano::ZERO);
        jobs::open(db, &job).await.unwrap();
        jobs::end(db, &success(&job, Nano::ZERO, &asked, 1)).await.unwrap();
        let report = audit(db).await.unwrap();
        assert!(report.is_clean(), "{report}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_jobs_at_once_cannot_overspend() {
    on_each_engine(async |db| {
        let ada = Arc::new(client(db, Nano(1000)).await);
        let asked = [node(db, 1).await, node(db, 2).await];
        let mut attempts = JoinSet::new();
        for id in 1..=50 {
            let (db, ada) = (db.clone(), ada.clone());
            attempts.spawn(async move {
                let job = job(&ada, id, Nano(100));
                (job.clone(), jobs::open(&db, &job).await)
            });
        }
        let mut opened = Vec::new();
        for (job, attempt) in attempts.join_all().await {
            match attempt {
                Ok(()) => opened.push(job),
                Err(OpenJobError::InsufficientCredit { available, needed }) => {
                    assert_eq!((available, needed), (Nano(0), Nano(100)));
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(opened.len(), 10);
        assert_eq!(balance(db, &ada).await, (0, 1000));

        // They end at once too, each twice, on the same nodes.
        let mut ends = JoinSet::new();
        for job in opened.iter().chain(&opened) {
            let (db, end) = (db.clone(), success(job, Nano(90), &asked, 2));
            ends.spawn(async move { jobs::end(&db, &end).await.unwrap() });
        }
        ends.join_all().await;
        assert_eq!(balance(db, &ada).await, (100, 0));
        let report = audit(db).await.unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.holds_ended, 10);
    })
    .await;
}

#[tokio::test]
async fn jobs_are_listed_the_last_first_and_by_what_they_are() {
    on_each_engine(async |db| {
        let (ada, bob) = (client(db, Nano(10_000)).await, client(db, Nano(10_000)).await);
        let asked = [node(db, 1).await, node(db, 2).await];
        for id in 1..=5 {
            let job = job(if id == 3 { &bob } else { &ada }, id, Nano(100));
            // Two begin at the same time.
            let job = NewJob { created_ms: if id == 2 { 11 } else { job.created_ms }, ..job };
            jobs::open(db, &job).await.unwrap();
            if id == 4 {
                jobs::end(db, &success(&job, Nano(100), &asked[..1], 1)).await.unwrap();
            }
        }
        let ids = async |filter: &JobFilter| {
            let mut page = Page { after: None, limit: 2 };
            let mut ids = Vec::new();
            loop {
                let paged = jobs::list(db, filter, &page).await.unwrap();
                ids.extend(paged.rows.iter().map(|job| job.id.0.as_u128()));
                match paged.next {
                    Some(next) => page.after = Some(next),
                    None => return ids,
                }
            }
        };
        let filter = JobFilter::default();
        assert_eq!(ids(&filter).await, [5, 4, 3, 2, 1]);
        let account = Some(bob.account);
        assert_eq!(ids(&JobFilter { account, ..filter.clone() }).await, [3]);
        let state = Some(JobState::Running);
        assert_eq!(ids(&JobFilter { state, ..filter.clone() }).await, [5, 3, 2, 1]);
        let node = Some(asked[0].id);
        assert_eq!(ids(&JobFilter { node, ..filter.clone() }).await, [4]);
        let node = Some(asked[1].id);
        assert_eq!(ids(&JobFilter { node, ..filter }).await, [0_u128; 0]);
    })
    .await;
}

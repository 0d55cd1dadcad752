//! Commands that are committed together: each is decided for itself.

use assay_ledger::{Command, Nano};
use tokio::task::JoinSet;

use super::{client, failure, fresh, job, on_each_engine, on_each_url};
use crate::{
    audit::audit,
    db::{
        Db, DbError, JobEnd, KeyId, NewJob, OpenJobError, accounts, jobs,
        posting::{JournalHead, post},
    },
};

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_cannot_be_written_hurts_no_other() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(100_000)).await;
        let mut opening = JoinSet::new();
        for id in 1..=200 {
            let mut job = job(&ada, id, Nano(10));
            if id % 50 == 0 {
                // Nobody looks at the key before the database does.
                job.key = KeyId(999);
            }
            let db = db.clone();
            opening.spawn(async move { (id, jobs::open(&db, &job).await) });
        }
        for (id, opened) in opening.join_all().await {
            match opened {
                Ok(()) => assert_ne!(id % 50, 0, "job {id} has no key"),
                Err(OpenJobError::Store(DbError::NotFound(_))) => assert_eq!(id % 50, 0),
                Err(other) => panic!("job {id}: {other:?}"),
            }
        }
        let balance = accounts::balance(db, ada.account).await.unwrap();
        assert_eq!((balance.available, balance.held), (Nano(98_040), Nano(1_960)));
        assert!(audit(db).await.unwrap().is_clean());
    })
    .await;
}

/// A job that is opened and ended so quickly that both may be committed together, and told twice.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_twice_at_once_happens_once() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(1_000)).await;
        let mut telling = JoinSet::new();
        for id in (1..=10).chain(1..=10) {
            let (db, job) = (db.clone(), job(&ada, id, Nano(100)));
            telling.spawn(async move {
                jobs::open(&db, &job).await.unwrap();
                jobs::end(&db, &failure(&job)).await.unwrap();
            });
        }
        telling.join_all().await;
        let report = audit(db).await.unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.journals, report.holds_ended), (21, 10));
    })
    .await;
}

/// Two gateways on one database: both see the same thousand attempts on one balance.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_attempts_from_two_gateways_get_exactly_what_there_is() {
    on_each_url(async |url| {
        let gateways = [fresh(url).await, Db::open(url).await.unwrap()];
        let ada = client(&gateways[0], Nano(12_345)).await;
        let mut attempts = JoinSet::new();
        for id in 1..=1_000 {
            let (db, job) = (gateways[usize::from(id % 2 == 1)].clone(), job(&ada, id, Nano(100)));
            attempts.spawn(async move {
                // Whoever is told to come again does.
                loop {
                    match jobs::open(&db, &job).await {
                        Err(OpenJobError::Store(error)) if error.is_temporary() => {}
                        attempt => return (job, attempt),
                    }
                }
            });
        }
        let mut opened: Vec<NewJob> = Vec::new();
        for (job, attempt) in attempts.join_all().await {
            match attempt {
                Ok(()) => opened.push(job),
                Err(OpenJobError::InsufficientCredit { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(opened.len(), 123);
        let balance = accounts::balance(&gateways[1], ada.account).await.unwrap();
        assert_eq!((balance.available, balance.held), (Nano(45), Nano(12_300)));

        // Both gateways end all of them, one so and one otherwise: one of the two ends counts.
        let mut ends = JoinSet::new();
        for (at, db) in gateways.iter().enumerate() {
            for job in &opened {
                let end = JobEnd { reason: format!("as gateway {at} saw it"), ..failure(job) };
                let db = db.clone();
                ends.spawn(async move { jobs::end(&db, &end).await });
            }
        }
        let ends = ends.join_all().await;
        assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 123, "{ends:?}");
        let others = ends.iter().filter_map(|end| end.as_ref().err());
        assert!(others.clone().all(|end| matches!(end, DbError::Conflict(_))), "{ends:?}");
        let report = audit(&gateways[0]).await.unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.holds_open, report.holds_ended), (0, 123));
        for db in gateways {
            db.close().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_single_command_may_be_posted_with_other_rows() {
    on_each_engine(async |db| {
        let account = client(db, Nano::ZERO).await.account;
        let (key, amount) = ("welcome".into(), Nano(70));
        let command = Command::Grant { key, account, amount };
        for repeated in [false, true] {
            let head = JournalHead { id: db.next_journal_id().await.unwrap(), note: "", at_ms: 1 };
            let mut tx = db.begin().await.unwrap();
            let posted = post(&mut tx, head, &command).await.unwrap();
            assert_eq!(posted.repeated, repeated);
            tx.commit().await.unwrap();
        }
        let head = JournalHead { id: db.next_journal_id().await.unwrap(), note: "", at_ms: 1 };
        let mut tx = db.begin().await.unwrap();
        let other = Command::Grant { key: "other".into(), account, amount };
        post(&mut tx, head, &other).await.unwrap();
        drop(tx);
        assert_eq!(accounts::balance(db, account).await.unwrap().available, amount);
        let report = audit(db).await.unwrap();
        assert!(report.is_clean(), "{report}");
    })
    .await;
}

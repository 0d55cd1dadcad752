//! A node's history: what made its record, check by check.

use assay_ledger::Nano;
use assay_protocol::{JobId, Outcome};
use uuid::Uuid;

use super::{client, job, node, on_each_engine, success};
use crate::db::{
    Db, EvidenceDelta, NodeRow, Page,
    audits::{LateCheck, LateFault, record_late},
    jobs::{self, LateFinding},
    reputation::{history::of_node, load_all},
};

#[tokio::test]
async fn a_record_has_its_history_check_by_check() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(100_000)).await;
        let asked = [node(db, 1).await, node(db, 2).await];
        for id in 1..=3 {
            let new = job(&ada, id, Nano(1500));
            jobs::open(db, &new).await.unwrap();
            jobs::end(db, &success(&new, Nano(1000), &asked, 1)).await.unwrap();
        }
        let [id, other] = [asked[0].id, asked[1].id];
        let late = LateCheck {
            job: JobId(Uuid::from_u128(2)),
            round: 1,
            node: id,
            model: "demo".into(),
            learnt: EvidenceDelta::failed(true),
            refuted: true,
            fault: None,
            at_ms: 500,
        };
        record_late(db, &late).await.unwrap();
        let dust = EvidenceDelta::passed(0.0);
        let taught_nothing = LateCheck { learnt: dust, refuted: false, at_ms: 501, ..late };
        record_late(db, &taught_nothing).await.unwrap();

        let all = of_node(db, id, None, &Page::default()).await.unwrap().rows;
        let told = all.iter().map(|it| (it.number, it.job.0.as_u128(), it.passed, it.weight));
        let expected =
            [(4, 2, false, 1.0), (3, 3, true, 0.5), (2, 2, true, 0.5), (1, 1, true, 0.5)];
        assert_eq!(told.collect::<Vec<_>>(), expected, "the last first");
        let records = load_all(db).await.unwrap();
        let known = records.into_iter().find(|known| known.node == id).unwrap();
        assert_eq!(all[0].evidence, known.record.evidence, "the last sums are those that count");
        assert_eq!(all[0].number, known.checks, "and their number tells old from new");
        assert!((all[3].evidence.passes - 0.5).abs() < 1e-9);

        let first = Page { after: None, limit: 3 };
        let first = of_node(db, id, Some("demo"), &first).await.unwrap();
        let rest = Page { after: first.next, limit: 3 };
        let rest = of_node(db, id, Some("demo"), &rest).await.unwrap();
        assert_eq!((first.rows.as_slice(), rest.rows.as_slice()), all.split_at(3));
        assert_eq!(rest.next, None);
        assert!(of_node(db, id, Some("another"), &Page::default()).await.unwrap().rows.is_empty());
        let others = of_node(db, other, None, &Page::default()).await.unwrap().rows;
        assert!(others.len() == 3 && others.iter().all(|check| !check.passed));
    })
    .await;
}

/// What an audit held later against a node's part in a job, as its operator and as an admin see it.
async fn late_finding(db: &Db, node: &NodeRow, job: JobId) -> Option<LateFinding> {
    let [part] = &jobs::own::of_job(db, node.operator, job).await.unwrap()[..] else {
        panic!("one part")
    };
    let job = jobs::find(db, job).await.unwrap().unwrap();
    let same = job.nodes.iter().find(|part| part.node == node.id).unwrap();
    assert_eq!(part.late, same.late);
    part.late.clone()
}

#[tokio::test]
async fn what_an_audit_found_late_is_kept_with_the_part() {
    on_each_engine(async |db| {
        let ada = client(db, Nano(100_000)).await;
        let asked = [node(db, 1).await, node(db, 2).await, node(db, 3).await];
        let new = job(&ada, 1, Nano(1500));
        jobs::open(db, &new).await.unwrap();
        jobs::end(db, &success(&new, Nano(1000), &asked, 3)).await.unwrap();
        let fault = LateFault {
            outcome: Outcome::FailedSpotCheck,
            reason: "another token".into(),
            evidence: r#"{"tokens":3}"#.into(),
        };
        let refuted = LateCheck {
            job: new.id,
            round: 1,
            node: asked[0].id,
            model: "demo".into(),
            learnt: EvidenceDelta::failed(true),
            refuted: true,
            fault: Some(fault.clone()),
            at_ms: 500,
        };
        let own = LateCheck { node: asked[1].id, refuted: false, ..refuted.clone() };
        let learnt = EvidenceDelta::passed(1.0);
        let passed = LateCheck { node: asked[2].id, learnt, fault: None, ..own.clone() };
        for late in [&refuted, &own, &passed] {
            record_late(db, late).await.unwrap();
        }
        let found = LateFinding {
            outcome: "failed_spot_check".into(),
            reason: fault.reason,
            evidence: fault.evidence,
            at_ms: 500,
            refuted: true,
        };
        assert_eq!(late_finding(db, &asked[0], new.id).await, Some(found.clone()));
        let own = LateFinding { refuted: false, ..found };
        assert_eq!(late_finding(db, &asked[1], new.id).await, Some(own), "the answer stands");
        assert_eq!(late_finding(db, &asked[2], new.id).await, None);
    })
    .await;
}

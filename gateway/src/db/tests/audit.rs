//! The audit finds what was tampered with, and names it.

use assay_ledger::Nano;

use super::{client, job, node, on_each_engine, success, tamper};
use crate::{
    audit::audit,
    db::{Db, jobs},
};

/// One ended job and one open one.
async fn busy(db: &Db) {
    let ada = client(db, Nano(10_000)).await;
    let asked = [node(db, 1).await, node(db, 2).await, node(db, 3).await];
    let ended = job(&ada, 1, Nano(1500));
    jobs::open(db, &ended).await.unwrap();
    jobs::end(db, &success(&ended, Nano(1000), &asked, 2)).await.unwrap();
    jobs::open(db, &job(&ada, 2, Nano(300))).await.unwrap();
}

#[tokio::test]
async fn each_kind_of_damage_is_named() {
    let ended = "00000000-0000-0000-0000-000000000001";
    let open = "00000000-0000-0000-0000-000000000002";
    for (damage, check, subject) in [
        ("insert into entry values (2, 1, 'available', 5)", "journal_sum", "journal 2"),
        ("insert into journal values (9, 'x', 'void', '', '', 0)", "journal_key", "journal 9"),
        ("update balance set available = available + 1 where account = 1001", "balance", "1001"),
        (
            "insert into entry values (1, 8000, 'available', 5), (1, 4000, 'available', -5)",
            "account_missing",
            "4000",
        ),
        ("update hold set amount = 301 where state = 'open'", "held", "1001"),
        ("update hold set amount = 1501 where state = 'settled'", "hold_begun", ended),
        ("update hold set state = 'voided' where state = 'settled'", "hold_ended", ended),
        ("insert into journal values (9, 'hold:x', 'hold', '', '', 0)", "hold_missing", "hold:x"),
        ("update job set hold = 299 where state = 'running'", "job_of_hold", open),
        ("delete from job where state = 'running'", "job_of_hold", open),
        ("update job_node set pay = pay + 1", "job_adds_up", ended),
        ("update job set fee = fee - 1, reserve = reserve + 1", "job_as_posted", ended),
        (
            "update job_node set pay = case pay when 450 then 0 else 900 end
                where node <> '00000000-0000-0000-0000-000000000001'; update job_node set pay = 0
                where node = '00000000-0000-0000-0000-000000000001'",
            "pay_as_posted",
            ended,
        ),
    ] {
        on_each_engine(async |db| {
            busy(db).await;
            let clean = audit(db).await.unwrap();
            assert!(clean.is_clean(), "{clean}");
            tamper(db, damage).await.unwrap();
            let report = audit(db).await.unwrap();
            let fault = report.fault.unwrap_or_else(|| panic!("not found: {damage}"));
            assert_eq!(fault.check, check, "{damage}: {}", fault.message);
            assert!(fault.message.contains(subject), "{damage}: {}", fault.message);
        })
        .await;
    }
}

#[tokio::test]
async fn an_audit_of_nothing_is_clean() {
    on_each_engine(async |db| {
        let report = audit(db).await.unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.journals, report.accounts, report.jobs), (0, 0, 0));
        assert!(report.to_string().ends_with("clean"));
    })
    .await;
}

#[tokio::test]
async fn an_audit_goes_through_many_pages() {
    on_each_engine(async |db| {
        client(db, Nano(10_000)).await;
        // Five thousand grants that never were: each sums to zero, and they make the balance up.
        tamper(
            db,
            "insert into journal with recursive n(n) as
                    (select 1000 union all select n + 1 from n where n < 5999)
                select n, 'grant:' || n, 'grant', '', '', 0 from n;
            insert into entry select id, 4, 'available', -1 from journal where id >= 1000;
            insert into entry select id, 1001, 'available', 1 from journal where id >= 1000;
            update balance set available = 15000",
        )
        .await
        .unwrap();
        let report = audit(db).await.unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.journals, report.entries), (5001, 10_002));
        assert_eq!(report.granted, Nano(15_000));
    })
    .await;
}

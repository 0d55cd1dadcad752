//! The audit finds what was tampered with, and names it.

use assay_ledger::Nano;

use super::{client, disarm, job, node, on_each_engine, success, tamper};
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
            "insert into journal values (9, 'grant:x', 'grant', '', '', 0);
            insert into entry values (9, 4, 'available', -5), (9, 4000, 'available', 5)",
            "account_missing",
            "4000",
        ),
        (
            "insert into entry values (1, 7, 'available', 5), (1, 1, 'available', -5)",
            "system_account",
            "account 7",
        ),
        ("update balance set holds_open = 2 where account = 1001", "holds_open", "1001"),
        ("update key_day set held = held - 1", "key_day", "1 on day 0"),
        ("update key_day set spent = spent + 1", "key_day", "1 on day 0"),
        ("update key_day set jobs = 1, completion_tokens = 0", "key_day", "1 on day 0"),
        ("update key_day set prompt_tokens = 20", "key_day", "1 on day 0"),
        ("insert into key_day values (1, 5, 0, 0, 1, 0, 0)", "key_day", "1 on day 5"),
        ("delete from key_day", "key_day", "1 on day 0"),
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
            disarm(db).await;
            tamper(db, damage).await.unwrap();
            let report = audit(db).await.unwrap();
            let fault = report.fault.unwrap_or_else(|| panic!("not found: {damage}"));
            assert_eq!(fault.check, check, "{damage}: {}", fault.message);
            assert!(fault.message.contains(subject), "{damage}: {}", fault.message);
        })
        .await;
    }
}

/// Five nano that move as no journal of this kind moves them, with the balances that they make.
macro_rules! moved {
    ($key:literal, $kind:literal, $from:literal, $to:literal) => {
        concat!(
            "insert into journal values (9, '",
            concat!($key, "', '", $kind, "', '', '', 0); insert into entry values (9, "),
            concat!($from, ", -5), (9, ", $to, ", 5); update balance set available = "),
            "(select coalesce(sum(amount), 0) from entry where entry.account = balance.account
                and bucket = 'available'),
            held = (select coalesce(sum(amount), 0) from entry where entry.account = balance.account
                and bucket = 'held')"
        )
    };
}

#[tokio::test]
async fn a_journal_that_moves_money_unlike_its_kind_is_named() {
    for damage in [
        // Credit out of the fee, of nowhere, of another client; kept where nobody sees it.
        moved!("grant:x", "grant", "2, 'available'", "1001, 'available'"),
        moved!("grant:x", "grant", "4, 'available'", "1001, 'held'"),
        moved!("top_up:x", "top_up", "4, 'available'", "1001, 'available'"),
        moved!("hold:x", "hold", "1001, 'available'", "1002, 'held'"),
        moved!("end:x", "settle", "1001, 'available'", "1002, 'available'"),
        moved!("end:x", "settle", "1001, 'held'", "4, 'available'"),
        moved!("end:x", "void", "1001, 'held'", "1002, 'available'"),
        moved!("end:x", "send_out", "1001, 'held'", "2, 'available'"),
        moved!("correct:x", "correct", "2, 'available'", "1001, 'available'"),
        moved!("correct:x", "correct", "1002, 'available'", "1001, 'available'"),
        moved!("correct:x", "correct", "1001, 'held'", "4, 'available'"),
        moved!("forfeit:x", "forfeit", "3, 'available'", "1001, 'available'"),
        moved!("forfeit:x", "forfeit", "1002, 'available'", "2, 'available'"),
    ] {
        on_each_engine(async |db| {
            busy(db).await;
            disarm(db).await;
            tamper(db, damage).await.unwrap();
            let report = audit(db).await.unwrap();
            let fault = report.fault.unwrap_or_else(|| panic!("not found: {damage}"));
            assert_eq!(fault.check, "journal_shape", "{damage}: {}", fault.message);
            assert!(fault.message.contains("journal 9"), "{damage}: {}", fault.message);
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

//! Pay matures, and a ban on proof takes what has not: to the clients of refuted jobs first, once for each ban.

use std::time::Duration;

use assay_ledger::{AccountId, Command, HoldId, Maturity, Nano, Settlement};
use assay_protocol::{JobId, NodeId};
use sqlx::{Postgres, Transaction};
use uuid::Uuid;

use super::{
    admin, client, disarm, ending, job, node, on_each_engine, success, tamper,
    withdrawals::{Earner, asked, caps, earner},
    words,
};
use crate::{
    audit::audit,
    db::{
        Db, EvidenceDelta, JobEnd, JobState, NodeRow, Refunded, Store, accounts,
        audits::{LateCheck, record_late},
        forfeits::{self, NewBan},
        jobs, nodes, pay, standing,
        withdrawals::{self, NewWithdrawal, WithdrawError},
        writer::Request,
    },
};

const JOB: JobId = JobId(Uuid::from_u128(1));

/// Three jobs of 1,000 each, which paid two of three nodes 450 each.
async fn three_jobs(db: &Db) -> [NodeRow; 3] {
    let ada = client(db, Nano(10_000)).await;
    let asked = [node(db, 1).await, node(db, 2).await, node(db, 3).await];
    for id in 1..=3 {
        let job = job(&ada, id, Nano(1500));
        jobs::open(db, &job).await.unwrap();
        jobs::end(db, &success(&job, Nano(1000), &asked, 2)).await.unwrap();
    }
    asked
}

/// Later the model turns out to speak against a job's answer.
async fn refute(db: &Db, node: &NodeRow, job: JobId) {
    let late = LateCheck {
        job,
        round: 1,
        node: node.id,
        model: "demo".into(),
        learnt: EvidenceDelta::failed(true),
        refuted: true,
        fault: None,
        at_ms: 500,
    };
    record_late(db, &late).await.unwrap();
}

async fn ban(db: &Db, node: NodeId, at_ms: i64) -> Option<String> {
    let reason = "it lied".to_owned();
    let new = NewBan { node, reason, at_ms, maturity: Maturity::default() };
    forfeits::ban(db, &new).await.unwrap()
}

async fn available(db: &Db, account: AccountId) -> i64 {
    accounts::balance(db, account).await.unwrap().available.0
}

#[tokio::test]
async fn a_ban_takes_immature_pay_for_the_clients_and_the_reserve_once() {
    on_each_engine(async |db| {
        let [first, second, third] = three_jobs(db).await;
        let client = AccountId(1001);
        let before = available(db, client).await;
        refute(db, &first, JOB).await;
        refute(db, &second, JOB).await;

        let reason = ban(db, first.id, 1_000).await.expect("a ban");
        assert!(reason.starts_with("it lied; 0.000001350 credits"), "{reason}");
        let row = nodes::find(db, first.id).await.unwrap().expect("the node");
        assert!(row.is_banned() && row.reason == reason);
        assert_eq!(available(db, first.account).await, 0);
        assert_eq!(available(db, client).await, before + 1000, "the price, and no more");
        assert_eq!(available(db, AccountId::RESERVE).await, 350);
        assert_eq!(ban(db, first.id, 1_001).await, None, "found out twice");

        ban(db, second.id, 1_002).await.expect("the accomplice's ban");
        assert_eq!(available(db, client).await, before + 1000, "a job is given back once");
        assert_eq!(available(db, AccountId::RESERVE).await, 350 + 1350);
        let reason = ban(db, third.id, 1_003).await.expect("a ban of one that earned nothing");
        assert_eq!(reason, "it lied");

        standing::let_back(db, first.id, &admin(1_500)).await.unwrap();
        ban(db, first.id, 2_000).await.expect("a ban of its own");
        let [again, once] = &forfeits::of_node(db, first.id).await.unwrap()[..] else {
            panic!("two bans")
        };
        assert_eq!((again.immature, again.to_clients, again.to_reserve), Default::default());
        assert_eq!((once.immature, once.to_clients, once.to_reserve), {
            (Nano(1350), Nano(1000), Nano(350))
        });
        assert_eq!(once.refunds, [Refunded { job: JOB, amount: Nano(1000) }]);
        let report = audit(db).await.unwrap();
        assert!(report.is_clean(), "{report}");
    })
    .await;
}

/// Two accomplices are banned in the same moment: the client's balance is kept from both until both wait, so that each
/// has decided what it gives back, or waits for the other to.
#[tokio::test(flavor = "multi_thread")]
async fn two_bans_at_once_give_a_job_back_once() {
    on_each_engine(async |db| {
        let [first, second, _] = three_jobs(db).await;
        let client = AccountId(1001);
        let before = available(db, client).await;
        refute(db, &first, JOB).await;
        refute(db, &second, JOB).await;
        let kept = keep(db, "select 1 from balance where account = 1001 for update").await;
        let (one, two, ()) =
            tokio::join!(ban(db, first.id, 1_000), ban(db, second.id, 1_001), release(db, kept));
        assert!(one.is_some() && two.is_some());
        assert_eq!(available(db, client).await, before + 1000, "the price, and no more");
        assert_eq!(available(db, AccountId::RESERVE).await, 350 + 1350);
        let report = audit(db).await.unwrap();
        assert!(report.is_clean(), "{report}");
    })
    .await;
}

/// Keeps a row from everybody else; where there is one writer anyway, nothing is to be kept.
async fn keep(db: &Db, sql: &'static str) -> Option<Transaction<'static, Postgres>> {
    let Store::Postgres(db) = &**db else { return None };
    let mut kept = db.pool.begin().await.unwrap();
    sqlx::raw_sql(sql).execute(&mut *kept).await.unwrap();
    Some(kept)
}

/// Lets it go when two wait for it.
async fn release(db: &Db, kept: Option<Transaction<'static, Postgres>>) {
    let Some(kept) = kept else { return };
    let both_wait = async {
        while words(db, WAITING).await.len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), both_wait).await.expect("both wait");
    kept.rollback().await.unwrap();
}

/// The operator asks for everything in the moment in which its node is banned: one of the two has it, never both.
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_and_a_withdrawal_at_once_do_not_both_take_the_money() {
    on_each_engine(async |db| {
        let Earner { operator, node, .. } = earner(db).await;
        let all = NewWithdrawal { amount: Nano(90_000), ..asked(operator, 1) };
        let rules = caps(Nano(i64::MAX));
        let kept = keep(db, "select 1 from operator for update").await;
        let (banned, asked, ()) = tokio::join!(
            ban(db, node, 1_000),
            withdrawals::request(db, &all, &rules),
            release(db, kept)
        );
        banned.expect("a ban");
        let taken = &forfeits::of_node(db, node).await.unwrap()[0];
        let forfeited = taken.to_clients.0 + taken.to_reserve.0;
        let withdrawn = match &asked {
            Ok(row) => row.amount.0,
            Err(WithdrawError::TooMuch { available }) => {
                assert_eq!(*available, Nano::ZERO);
                0
            }
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(forfeited + withdrawn, 90_000, "one of the two has all of it: {asked:?}");
        let report = audit(db).await.unwrap();
        assert!(report.is_clean(), "{report}");
    })
    .await;
}

/// Whoever waits for a lock in this database.
const WAITING: &str = "select cast(pid as text) from pg_stat_activity
    where wait_event_type = 'Lock' and datname = current_database()";

#[tokio::test]
async fn no_more_is_taken_than_the_operator_has() {
    on_each_engine(async |db| {
        let [first, ..] = three_jobs(db).await;
        let command =
            Command::Hold { hold: HoldId(99), account: first.account, amount: Nano(1200) };
        let post = Request::Post { command, note: String::new(), at_ms: 900 };
        db.write(post).await.unwrap();
        refute(db, &first, JOB).await;
        ban(db, first.id, 1_000).await.expect("a ban");
        let rows = forfeits::of_node(db, first.id).await.unwrap();
        let taken = (rows[0].immature, rows[0].to_clients, rows[0].to_reserve);
        assert_eq!(taken, (Nano(1350), Nano(150), Nano(0)));
        let balance = accounts::balance(db, first.account).await.unwrap();
        assert_eq!((balance.available, balance.held), (Nano(0), Nano(1200)), "what is on its way");
    })
    .await;
}

#[tokio::test]
async fn a_ban_by_an_admin_takes_nothing_and_excuses_nothing() {
    on_each_engine(async |db| {
        let [first, ..] = three_jobs(db).await;
        standing::ban(db, first.id, "a word", &admin(900)).await.unwrap();
        assert_eq!(available(db, first.account).await, 1350);
        ban(db, first.id, 1_000).await.expect("proven by a check that was under way");
        assert_eq!(available(db, first.account).await, 0);
    })
    .await;
}

/// A job in which one node had so many parts that paid 1 and passed checks of half the weight.
async fn many_parts(db: &Db, node: &NodeRow, parts: u32) {
    let ada = client(db, Nano(10_000)).await;
    let job = job(&ada, 7, Nano(parts.into()));
    jobs::open(db, &job).await.unwrap();
    let charge = Settlement {
        cost: job.hold,
        fee: Nano::ZERO,
        pays: vec![(node.account, Nano(1)); parts as usize],
        reserve: Nano::ZERO,
        returned: Nano::ZERO,
    };
    let mut part = success(&job, Nano(100), std::slice::from_ref(node), 1).nodes[0].clone();
    part.pay = Nano(1);
    let nodes = vec![part; parts as usize];
    let end = JobEnd { nodes, ..ending(&job, JobState::Succeeded, charge) };
    jobs::end(db, &end).await.unwrap();
}

#[tokio::test]
async fn pay_matures_by_time_and_by_later_checks() {
    on_each_engine(async |db| {
        let cheat = node(db, 1).await;
        many_parts(db, &cheat, 2_500).await;
        let at = Maturity::default();
        let day = i64::try_from(at.pay_matures_ms).unwrap();
        let immature = async |rules, now_ms| {
            let all = pay::immature_jobs(db, rules, now_ms).await.unwrap();
            let of_node = rules.immature(all[0].1.iter().map(|job| job.earned), now_ms);
            let of_operator = pay::immature_of(db, cheat.operator, rules, now_ms).await.unwrap();
            assert_eq!(of_node, of_operator.pay);
            of_node.0
        };
        assert_eq!(immature(at, 1_000).await, 2_500);
        assert_eq!(immature(at, day + 1_000).await, 400, "200 checks, half of the weight each");
        assert_eq!(immature(Maturity { pay_matures_jobs: 0, ..at }, day + 1_000).await, 0);
        assert_eq!(immature(Maturity { pay_matures_ms: 0, ..at }, 1_000).await, 400);
    })
    .await;
}

/// Five nano that the second node forfeits to the client of a job, or so it says.
macro_rules! made_up {
    ($job:literal, $to:literal) => {
        concat!(
            "insert into forfeit values ('00000000-0000-0000-0000-000000000002', 9, 1003, 5, 5, 0);
            insert into forfeit_refund values ('00000000-0000-0000-0000-000000000002', 9,
                '00000000-0000-0000-0000-00000000000",
            $job,
            "', 5);
            insert into journal values
                (300, 'forfeit:00000000-0000-0000-0000-000000000002:9', 'forfeit', '', '', 0);
            insert into entry values (300, 1003, 'available', -5), (300, ",
            $to,
            ", 'available', 5);
            update balance set available = available - 5 where account = 1003;
            update balance set available = available + 5 where account = ",
            $to
        )
    };
}

#[tokio::test]
async fn damaged_forfeits_are_named() {
    for (damage, check) in [
        ("update forfeit set to_reserve = to_reserve - 1", "forfeit_as_posted"),
        ("update forfeit_refund set amount = amount - 1", "forfeit_as_posted"),
        ("insert into journal values (300, 'forfeit:x', 'forfeit', '', '', 0)", "forfeit_missing"),
        (made_up!(2, 1004), "forfeit_refund"),
        (made_up!(1, 1001), "forfeit_price"),
    ] {
        on_each_engine(async |db| {
            let [first, ..] = three_jobs(db).await;
            refute(db, &first, JOB).await;
            ban(db, first.id, 1_000).await.expect("a ban");
            let clean = audit(db).await.unwrap();
            assert!(clean.is_clean(), "{clean}");
            disarm(db).await;
            tamper(db, damage).await.unwrap();
            let report = audit(db).await.unwrap();
            let fault = report.fault.unwrap_or_else(|| panic!("not found: {damage}"));
            assert_eq!(fault.check, check, "{damage}: {}", fault.message);
        })
        .await;
    }
}

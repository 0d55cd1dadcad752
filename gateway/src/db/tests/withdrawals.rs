//! Earnings leave once, whichever gateway is asked, and never more than is there or a day allows.

use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use assay_ledger::{Maturity, Nano};
use assay_protocol::NodeId;
use futures_util::FutureExt;
use tokio::{runtime::Handle, task::JoinSet};
use uuid::Uuid;

use super::{Client, client, fresh, job, node, on_each_engine, on_each_url, success, topped_up};
use crate::{
    audit::audit,
    db::{
        Bound, By, Db, DbError, OperatorId, Page, accounts, earnings, jobs,
        payout_addresses::{self, CHANGES_A_DAY_MAX},
        withdrawals::{self, Advanced, Caps, NewWithdrawal, Step, WithdrawError, WithdrawalState},
    },
    payments::{
        payouts::{catch_up, deliver},
        rails::{PayoutOrder, PayoutRail, RailAnswer, Sender},
    },
};

const NOW_MS: i64 = 1_000_000;
const DAY_MS: i64 = 86_400_000;
const EACH: Nano = Nano(1_000);

/// Somebody who earned, and of whom.
pub(super) struct Earner {
    pub(super) client: Client,
    pub(super) operator: OperatorId,
    pub(super) node: NodeId,
}

/// An operator who earned 90,000 of a client who paid in, with a payout address.
pub(super) async fn earner(db: &Db) -> Earner {
    let ada = client(db, Nano::ZERO).await;
    topped_up(db, ada.account, 1).await;
    let node = node(db, 1).await;
    let job = job(&ada, 1, Nano(100_000));
    jobs::open(db, &job).await.unwrap();
    jobs::end(db, &success(&job, Nano(100_000), std::slice::from_ref(&node), 1)).await.unwrap();
    earnings::sweep(db, NOW_MS, 100).await.unwrap();
    payout_addresses::set(db, node.operator, "0xa", 0, 1).await.unwrap();
    Earner { client: ada, operator: node.operator, node: node.id }
}

pub(super) fn caps(day_operator: Nano) -> Caps {
    Caps {
        maturity: Maturity { pay_matures_ms: 0, pay_matures_jobs: 0 },
        now_ms: NOW_MS,
        day_operator,
        day_total: Nano(i64::MAX),
        approval_above: Nano(i64::MAX),
    }
}

pub(super) fn asked(operator: OperatorId, key: u128) -> NewWithdrawal {
    NewWithdrawal {
        id: Uuid::from_u128(1_000 + key),
        operator,
        client_key: key.to_string(),
        amount: EACH,
        rail: "manual",
        now_ms: NOW_MS,
    }
}

/// All at once, half of them at each gateway; those that were granted, and why the others were not.
async fn all_ask(
    gateways: &[Db; 2],
    operator: OperatorId,
    caps: Caps,
    keys: impl Iterator<Item = u128>,
) -> (Vec<String>, Vec<WithdrawError>) {
    let mut asking = JoinSet::new();
    for (at, key) in keys.enumerate() {
        let (db, new) = (gateways[at % 2].clone(), asked(operator, key));
        asking.spawn(async move {
            loop {
                match withdrawals::request(&db, &new, &caps).await {
                    Err(WithdrawError::Store(error)) if error.is_temporary() => {}
                    answer => return answer,
                }
            }
        });
    }
    let (mut granted, mut refused) = (Vec::new(), Vec::new());
    for answer in asking.join_all().await {
        match answer {
            Ok(row) => granted.push(row.id),
            Err(error) => refused.push(error),
        }
    }
    (granted, refused)
}

/// The same step again as long as too many others are at it.
async fn patiently(db: &Db, id: &str, step: Step<'_>) -> Result<Advanced, DbError> {
    loop {
        match withdrawals::advance(db, id, step).await {
            Err(error) if error.is_temporary() => {}
            done => return done,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_let_out_exactly_what_was_earned() {
    on_each_url(async |url| {
        let gateways = [fresh(url).await, Db::open(url).await.unwrap()];
        let operator = earner(&gateways[0]).await.operator;

        let capped = caps(Nano(20_000));
        let (mut granted, refused) = all_ask(&gateways, operator, capped, 0..60).await;
        assert_eq!(granted.len(), 20, "what a day allows");
        assert!(
            refused.iter().all(|why| matches!(why, WithdrawError::DayCap { .. })),
            "{refused:?}"
        );

        // The same keys again, at the other gateway too: nothing more leaves.
        let again: Vec<u128> = (0..60).flat_map(|key| [key, key]).collect();
        let (repeated, _) = all_ask(&gateways, operator, capped, again.into_iter()).await;
        assert!(repeated.iter().all(|id| granted.contains(id)) && repeated.len() == 40);

        let (more, refused) = all_ask(&gateways, operator, caps(Nano(i64::MAX)), 100..200).await;
        granted.extend(more);
        assert_eq!(granted.len(), 90, "what was earned");
        assert!(
            refused.iter().all(|why| matches!(why, WithdrawError::TooMuch { .. })),
            "{refused:?}"
        );

        // Each is told to be sent and to have failed at once: one of the two counts.
        let mut ends = JoinSet::new();
        for id in &granted {
            for (db, to) in gateways.iter().zip([WithdrawalState::Sent, WithdrawalState::Failed]) {
                let (db, id) = (db.clone(), id.clone());
                ends.spawn(async move {
                    let step = |to| Step::to(to, By::Own, NOW_MS);
                    let _ = patiently(&db, &id, step(WithdrawalState::Exported)).await;
                    patiently(&db, &id, Step { reference: Some("0x1"), ..step(to) }).await
                });
            }
        }
        let ends = ends.join_all().await;
        let sent = |end: &&Advanced| end.row.state == WithdrawalState::Sent;
        let sent = ends.iter().flatten().filter(sent).count();
        assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 90, "{ends:?}");
        let account = withdrawals::find(&gateways[0], &granted[0]).await.unwrap().unwrap().account;
        let balance = accounts::balance(&gateways[1], account).await.unwrap();
        let left = 90_000 - EACH.0 * i64::try_from(sent).unwrap();
        assert_eq!((balance.available, balance.held), (Nano(left), Nano::ZERO));
        let report = audit(&gateways[0]).await.unwrap();
        assert!(report.is_clean(), "{report}");
        for db in gateways {
            db.close().await;
        }
    })
    .await;
}

/// A rail of which a test knows what it was given.
#[derive(Debug)]
struct Watched {
    db: Db,
    given: Mutex<Vec<String>>,
    /// Whoever gives it an order stops before it hears of it.
    lethal: AtomicBool,
}

impl PayoutRail for Watched {
    fn name(&self) -> &'static str {
        "manual"
    }

    fn refuses(&self, _: &str) -> Option<&'static str> {
        None
    }

    fn sender(&self) -> Option<&dyn Sender> {
        Some(self)
    }
}

impl Sender for Watched {
    fn send(&self, order: PayoutOrder<'_>) -> RailAnswer {
        let found = withdrawals::find(&self.db, order.id);
        let row = tokio::task::block_in_place(|| Handle::current().block_on(found));
        let state = row.unwrap().unwrap().state;
        assert_eq!(state, WithdrawalState::Exported, "nobody can call it off any more");
        self.given.lock().unwrap().push(order.id.to_owned());
        assert!(!self.lethal.load(Ordering::Relaxed), "the gateway stops here");
        RailAnswer::Sent { reference: format!("by {}", order.id) }
    }

    fn learn(&self, order: PayoutOrder<'_>) -> RailAnswer {
        match self.given.lock().unwrap().iter().any(|given| given == order.id) {
            true => RailAnswer::Sent { reference: format!("by {}", order.id) },
            false => RailAnswer::Later,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_to_a_rail_is_given_once_whoever_stops() {
    on_each_url(async |url| {
        let gateways = [fresh(url).await, Db::open(url).await.unwrap()];
        let [db, other] = &gateways;
        let operator = earner(db).await.operator;
        let rules = caps(Nano(i64::MAX));
        let ask =
            async |key| withdrawals::request(db, &asked(operator, key), &rules).await.unwrap();
        let (given, lethal) = (Mutex::default(), AtomicBool::new(true));
        let rail = Arc::new(Watched { db: db.clone(), given, lethal });
        let given = || rail.given.lock().unwrap_or_else(PoisonError::into_inner).len();
        let state = async |id: &str| withdrawals::find(db, id).await.unwrap().unwrap().state;

        // It is given, and the gateway that gave it is gone before it could write that down.
        let first = ask(1).await;
        let stopped = AssertUnwindSafe(deliver(db, &*rail, 0)).catch_unwind().await;
        assert!(stopped.is_err());
        assert_eq!((given(), state(&first.id).await), (1, WithdrawalState::Exported));
        let step = Step::to(WithdrawalState::Cancelled, By::Own, NOW_MS);
        let late = withdrawals::advance(other, &first.id, step).await;
        assert!(matches!(late, Err(DbError::Conflict(_))), "{late:?}");

        // Whoever comes next leaves it alone for a moment, and then asks the rail what became of it.
        rail.lethal.store(false, Ordering::Relaxed);
        rail.given.clear_poison();
        let given_ms = withdrawals::find(db, &first.id).await.unwrap().unwrap().changed_ms;
        deliver(other, &*rail, given_ms).await.unwrap();
        assert_eq!(state(&first.id).await, WithdrawalState::Exported);
        deliver(other, &*rail, given_ms + 60_000).await.unwrap();
        assert_eq!((given(), state(&first.id).await), (1, WithdrawalState::Sent));

        // Two gateways find the same ones at once.
        for key in 2..12 {
            ask(key).await;
        }
        let mut both = JoinSet::new();
        for db in gateways.clone() {
            let rail = Arc::clone(&rail);
            both.spawn(async move { deliver(&db, &*rail, 0).await });
        }
        assert!(both.join_all().await.iter().all(Result::is_ok));
        let page = Page { after: None, limit: 0 };
        let rows = withdrawals::list(db, Some(operator), None, &page).await.unwrap().rows;
        assert!(rows.iter().all(|row| row.state == WithdrawalState::Sent), "{rows:?}");
        assert_eq!((given(), rows.len()), (11, 11), "each once");
        for db in gateways {
            db.close().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_sent_is_not_sent_again_with_another_proof() {
    on_each_engine(async |db| {
        let operator = earner(db).await.operator;
        let rules = caps(Nano(i64::MAX));
        let row = withdrawals::request(db, &asked(operator, 1), &rules).await.unwrap();
        let sent = |reference| Step {
            reference: Some(reference),
            ..Step::to(WithdrawalState::Sent, By::Own, NOW_MS)
        };
        assert!(withdrawals::advance(db, &row.id, sent("0x1")).await.unwrap().moved);
        let again = withdrawals::advance(db, &row.id, sent("0x1")).await.unwrap();
        assert_eq!((again.moved, again.row.reference.as_deref()), (false, Some("0x1")));
        let other = withdrawals::advance(db, &row.id, sent("0x2")).await.unwrap_err();
        assert!(matches!(&other, DbError::Conflict(why) if why.contains("0x1")), "{other:?}");
    })
    .await;
}

/// More jobs than any fixed number of transactions takes.
#[tokio::test]
async fn earnings_are_written_down_until_none_is_left() {
    on_each_engine(async |db| {
        let (ada, node) = (client(db, Nano(1_000)).await, node(db, 1).await);
        for number in 0..60 {
            let new = job(&ada, number, Nano(10));
            jobs::open(db, &new).await.unwrap();
            let end = success(&new, Nano(10), std::slice::from_ref(&node), 1);
            jobs::end(db, &end).await.unwrap();
        }
        let earned = async || {
            let mut tx = db.snapshot().await.unwrap();
            earnings::of_in(&mut tx, node.operator, node.account).await.unwrap().earned
        };
        let mut turns = 0..20;
        let all = catch_up(db, 1, || turns.next().is_some()).await.unwrap();
        assert!(!all, "it stops when it is told to");
        let some = earned().await;
        assert!(catch_up(db, 1, || true).await.unwrap());
        assert!(Nano::ZERO < some && some < earned().await);
        assert_eq!(earnings::sweep(db, i64::MAX, 1).await.unwrap(), 0, "all of them");
    })
    .await;
}

/// The owner of a stolen log-in takes a changed address back before it counts: it never does, and what counted before
/// counts on.
#[tokio::test]
async fn an_address_that_is_replaced_before_it_counts_never_counts() {
    on_each_engine(async |db| {
        let operator = node(db, 1).await.operator;
        let set = async |address: &str, at_ms| {
            payout_addresses::set(db, operator, address, 100, at_ms).await.unwrap().usable_ms
        };
        let known = async || {
            let all = payout_addresses::of_operator(db, operator).await.unwrap();
            all.into_iter().map(|known| (known.address, known.usable_ms)).collect::<Vec<_>>()
        };
        let named = |address: &str, usable_ms| (address.to_owned(), usable_ms);
        assert_eq!(set("mine", 10).await, 10, "the first counts at once");
        assert_eq!(set("a thief's", 20).await, 120);
        assert_eq!(set("another", 30).await, 130, "two changes within the time");
        assert_eq!(known().await, [named("another", 130), named("mine", 10)]);
        assert_eq!(set("mine", 40).await, 40, "what counts already cools off for nothing");
        assert_eq!(known().await, [named("mine", 40)], "each once");
        assert_eq!(set("new", 50).await, 150);
        assert_eq!(set("newer", 150).await, 250, "the new one counted for a moment");
        let all = [named("newer", 250), named("new", 150), named("mine", 40)];
        assert_eq!(known().await, all);
    })
    .await;
}

/// However often somebody goes back and forth: an address that counted once stays known.
#[tokio::test]
async fn an_address_is_changed_so_often_a_day_and_none_that_counted_is_forgotten() {
    on_each_engine(async |db| {
        let operator = node(db, 1).await.operator;
        let set = async |address: &str, at_ms| {
            payout_addresses::set(db, operator, address, 100, at_ms).await
        };
        set("first", 1).await.unwrap();
        set("purse", 2).await.unwrap();
        // Two of the first day's changes are made.
        let (mut now_ms, mut left) = (102, CHANGES_A_DAY_MAX - 2);
        for _ in 0..3 {
            for number in 0..left {
                now_ms += 1;
                set(["a thief's", "purse"][number as usize % 2], now_ms).await.unwrap();
            }
            let refused = set("one more", now_ms).await.unwrap_err();
            let bound = Bound::AddressChanges(CHANGES_A_DAY_MAX);
            assert!(matches!(refused, DbError::Full(full) if full == bound), "{refused:?}");
            (now_ms, left) = (now_ms + DAY_MS, CHANGES_A_DAY_MAX);
        }
        let known = payout_addresses::of_operator(db, operator).await.unwrap();
        let known: Vec<_> = known.into_iter().map(|known| known.address).collect();
        assert_eq!(known, ["purse", "first"]);
    })
    .await;
}

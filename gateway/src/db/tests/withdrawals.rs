//! Earnings leave once, whichever gateway is asked, and never more than is there or a day allows.

use assay_ledger::{Maturity, Nano};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{client, fresh, job, node, on_each_url, success, topped_up};
use crate::{
    audit::audit,
    db::{
        Db, OperatorId, accounts, earnings, jobs,
        withdrawals::{self, Caps, NewWithdrawal, WithdrawError, WithdrawalState},
    },
};

const NOW_MS: i64 = 1_000_000;
const EACH: Nano = Nano(1_000);

/// An operator who earned 90,000 of a client who paid in, with a payout address.
async fn earner(db: &Db) -> OperatorId {
    let ada = client(db, Nano::ZERO).await;
    topped_up(db, ada.account, 1).await;
    let node = node(db, 1).await;
    let job = job(&ada, 1, Nano(100_000));
    jobs::open(db, &job).await.unwrap();
    jobs::end(db, &success(&job, Nano(100_000), std::slice::from_ref(&node), 1)).await.unwrap();
    earnings::sweep(db, NOW_MS, 100).await.unwrap();
    withdrawals::set_address(db, node.operator, "0xa", 0, 1).await.unwrap();
    node.operator
}

fn caps(day_operator: Nano) -> Caps {
    Caps {
        maturity: Maturity { pay_matures_ms: 0, pay_matures_jobs: 0 },
        now_ms: NOW_MS,
        day_operator,
        day_total: Nano(i64::MAX),
        approval_above: Nano(i64::MAX),
    }
}

fn asked(operator: OperatorId, key: u128) -> NewWithdrawal {
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

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_let_out_exactly_what_was_earned() {
    on_each_url(async |url| {
        let gateways = [fresh(url).await, Db::open(url).await.unwrap()];
        let operator = earner(&gateways[0]).await;

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
                    let exported = WithdrawalState::Exported;
                    let _ = withdrawals::advance(&db, &id, exported, "", None, NOW_MS).await;
                    withdrawals::advance(&db, &id, to, "", Some("0x1"), NOW_MS).await
                });
            }
        }
        let ends = ends.join_all().await;
        let sent = ends.iter().flatten().filter(|row| row.state == WithdrawalState::Sent).count();
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

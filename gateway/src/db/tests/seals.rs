//! Seals: journals are chained and signed, and what is changed behind them is found.

use assay_ledger::Nano;

use super::{admin, client, disarm, fresh, grant, job, on_each_engine, on_each_url, tamper};
use crate::{
    audit::audit,
    auth::GatewayKeys,
    db::{Db, Page, history, jobs, ledger_state, seals},
    sealer::seal_all,
    self_audit,
};

fn keys(seed: u8) -> GatewayKeys {
    GatewayKeys::from_seed([seed; 32])
}

async fn fault(db: &Db) -> Option<(&'static str, String)> {
    audit(db).await.unwrap().fault.map(|fault| (fault.check, fault.message))
}

#[tokio::test]
async fn journals_are_sealed_once_and_in_order() {
    on_each_engine(async |db| {
        assert_eq!(seal_all(db, &keys(1)).await.unwrap(), 0);
        assert_eq!(seals::head(db).await.unwrap(), None);
        let ada = client(db, Nano(500)).await;
        for id in 1..=4 {
            jobs::open(db, &job(&ada, id, Nano(10))).await.unwrap();
        }
        assert_eq!(seal_all(db, &keys(1)).await.unwrap(), 5);
        assert_eq!(seal_all(db, &keys(1)).await.unwrap(), 0);
        jobs::open(db, &job(&ada, 5, Nano(10))).await.unwrap();
        assert_eq!(seal_all(db, &keys(2)).await.unwrap(), 1);
        let head = seals::head(db).await.unwrap().unwrap();
        assert_eq!((head.number, head.height, head.journals), (2, 6, 1));
        let report = audit(db).await.unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.sealed, report.head), (6, Some(head.hash.to_string())));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_gateways_seal_one_chain() {
    on_each_url(async |url| {
        let gateways = [fresh(url).await, Db::open(url).await.unwrap()];
        let ada = client(&gateways[0], Nano(10_000)).await;
        let signers = [keys(1), keys(2)];
        for id in 1..=20 {
            jobs::open(&gateways[usize::from(id % 2 == 1)], &job(&ada, id, Nano(10)))
                .await
                .unwrap();
            let (one, two) = tokio::join!(
                seal_all(&gateways[0], &signers[0]),
                seal_all(&gateways[1], &signers[1])
            );
            one.unwrap();
            two.unwrap();
        }
        seal_all(&gateways[0], &keys(1)).await.unwrap();
        let report = audit(&gateways[1]).await.unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.sealed, report.journals), (21, 21));
        for db in gateways {
            db.close().await;
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_changed_behind_a_seal_is_found() {
    for (damage, check) in [
        ("update journal set note = 'other' where id = 1", "seal"),
        (
            "update entry set amount = amount * 2 where journal = 1; update balance set available = 1000",
            "seal",
        ),
        ("delete from entry where journal = 2; delete from journal where id = 2", "seal"),
        ("insert into journal values (3, 'void:x', 'void', '', '', 0)", "journal_key"),
        ("update seal set hash = previous where number = 2", "seal"),
        (
            "delete from seal where number = 1; update journal_block set sealed = 2",
            "journal_unsealed",
        ),
        ("update gateway_key set public_key = '00'", "seal_signature"),
        ("update seal set signature = replace(signature, 'a', 'b')", "seal_signature"),
    ] {
        on_each_engine(async |db| {
            let ada = client(db, Nano(500)).await.account;
            seal_all(db, &keys(1)).await.unwrap();
            grant(db, ada, Nano(7), "more").await.unwrap();
            seal_all(db, &keys(1)).await.unwrap();
            assert_eq!(fault(db).await, None);
            disarm(db).await;
            tamper(db, damage).await.unwrap();
            let found = fault(db).await.map(|(check, _)| check);
            assert_eq!(found, Some(check), "{damage}");
        })
        .await;
    }
}

#[tokio::test]
async fn wrong_books_stop_withdrawals_until_a_person_looked() {
    on_each_engine(async |db| {
        client(db, Nano(500)).await;
        assert!(self_audit::once(db).await.unwrap().is_clean());
        assert_eq!(ledger_state::withdrawals_stopped(db).await.unwrap(), None);
        tamper(db, "update balance set available = available + 1").await.unwrap();
        assert!(!self_audit::once(db).await.unwrap().is_clean());
        let stopped = ledger_state::withdrawals_stopped(db).await.unwrap().unwrap();
        assert!(stopped.starts_with("balance: "), "{stopped}");
        tamper(db, "update balance set available = available - 1").await.unwrap();
        assert!(self_audit::once(db).await.unwrap().is_clean());
        assert_eq!(ledger_state::withdrawals_stopped(db).await.unwrap(), Some(stopped));
        assert!(ledger_state::allow_withdrawals(db, &admin(9)).await.unwrap());
        assert!(!ledger_state::allow_withdrawals(db, &admin(9)).await.unwrap(), "they were");
        assert_eq!(ledger_state::withdrawals_stopped(db).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn books_that_cannot_be_read_stop_withdrawals() {
    const UNKNOWN_KIND: &str = "insert into journal values (9, 'grant:x', 'nonsense', '', '', 0)";
    // Only SQLite keeps words where numbers should be.
    const NO_NUMBER: &str = "update balance set available = 'much'";
    for (damage, engines, found) in [
        (UNKNOWN_KIND, ["sqlite", "postgres"].as_slice(), "journal 9: kind"),
        (NO_NUMBER, &["sqlite"], "available"),
    ] {
        on_each_engine(async |db| {
            client(db, Nano(500)).await;
            assert!(self_audit::once(db).await.unwrap().is_clean());
            if !engines.contains(&db.engine()) {
                return;
            }
            tamper(db, damage).await.unwrap();
            assert!(!self_audit::once(db).await.unwrap().is_clean());
            let stopped = ledger_state::withdrawals_stopped(db).await.unwrap().expect(damage);
            assert!(stopped.starts_with("unreadable: ") && stopped.contains(found), "{stopped}");
        })
        .await;
    }
}

#[tokio::test]
async fn an_account_reads_its_movements_page_by_page() {
    on_each_engine(async |db| {
        let (ada, bob) = (client(db, Nano(500)).await, client(db, Nano(9)).await);
        for id in 1..=3 {
            jobs::open(db, &job(&ada, id, Nano(10))).await.unwrap();
        }
        jobs::end(db, &super::failure(&job(&ada, 1, Nano(10)))).await.unwrap();
        let mut page = Page { after: None, limit: 2 };
        let mut seen = Vec::new();
        loop {
            let paged = history::entries(db, ada.account, &page).await.unwrap();
            seen.extend(paged.rows.into_iter().map(|row| (row.kind.as_str(), row.amount.0)));
            match paged.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        let hold = [("hold", -10), ("hold", 10)];
        let expected = [[("void", 10), ("void", -10)], hold, hold, hold].concat();
        assert_eq!(seen, [expected, vec![("grant", 500)]].concat());
        assert_eq!(
            history::entries(db, bob.account, &Page::default()).await.unwrap().rows.len(),
            1
        );

        let days = history::key_days(db, ada.account, &Page::default()).await.unwrap().rows;
        let [day] = days[..] else { panic!("{days:?}") };
        assert_eq!(
            (day.key, day.day, day.jobs, day.held, day.spent.0),
            (ada.key, 0, 3, Nano(20), 0)
        );
    })
    .await;
}

#[tokio::test]
async fn blocks_of_numbers_that_nobody_uses_any_more_are_forgotten() {
    on_each_url(async |url| {
        let db = fresh(url).await;
        let ada = client(&db, Nano(500)).await.account;
        db.close().await;
        // The next run takes a block of its own; the rest of the first one's is never used.
        let db = Db::open(url).await.unwrap();
        grant(&db, ada, Nano(7), "more").await.unwrap();
        tamper(&db, "update journal_block set taken_ms = taken_ms - 2 * 86400000").await.unwrap();
        assert_eq!(seals::drop_unused_blocks(&db).await.unwrap(), 0, "not before all is sealed");
        seal_all(&db, &keys(1)).await.unwrap();
        assert_eq!(seals::drop_unused_blocks(&db).await.unwrap(), 2);
        let report = audit(&db).await.unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.sealed, 2);
        db.close().await;
    })
    .await;
}

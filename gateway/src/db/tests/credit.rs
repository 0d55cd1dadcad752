//! Accounts, keys, credit, settings and the admins' log.

use assay_ledger::{AccountId, AccountKind, Nano, Rejected};
use assay_protocol::Bytes32;

use super::{admin, client, grant, node, on_each_engine, tamper};
use crate::{
    audit::audit,
    db::{DbError, KeyId, Page, accounts, admin_log, keys, operators, settings},
};

#[tokio::test]
async fn credit_is_granted_once_per_key() {
    on_each_engine(async |db| {
        let ada = client(db, Nano::ZERO).await.account;
        assert!(!grant(db, ada, Nano(500), "welcome").await.unwrap());
        assert!(grant(db, ada, Nano(500), "welcome").await.unwrap(), "told again");
        let other = grant(db, ada, Nano(501), "welcome").await.unwrap_err();
        assert!(matches!(other, DbError::Rejected(Rejected::KeyConflict { .. })), "{other:?}");

        assert_eq!(accounts::balance(db, ada).await.unwrap().available, Nano(500));
        let promotion = accounts::balance(db, AccountId::PROMOTION).await.unwrap();
        assert_eq!(promotion.available, Nano(-500));
        let report = audit(db).await.unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.granted, report.journals), (Nano(500), 1));
    })
    .await;
}

#[tokio::test]
async fn credit_goes_to_clients_only() {
    on_each_engine(async |db| {
        let operator = node(db, 1).await.account;
        for (account, amount) in [(operator, 5), (AccountId(9999), 5), (AccountId::FEE, 5)] {
            let refused = grant(db, account, Nano(amount), "x").await.unwrap_err();
            assert!(matches!(refused, DbError::Rejected(_)), "{refused:?}");
        }
        let ada = client(db, Nano::ZERO).await.account;
        let refused = grant(db, ada, Nano(-5), "x").await.unwrap_err();
        assert!(matches!(refused, DbError::Rejected(Rejected::BadAmount(_))), "{refused:?}");
        assert_eq!(audit(db).await.unwrap().journals, 0);
    })
    .await;
}

#[tokio::test]
async fn journals_and_entries_cannot_be_changed() {
    on_each_engine(async |db| {
        client(db, Nano(500)).await;
        for change in [
            "update entry set amount = 7",
            "delete from entry",
            "update journal set note = 'x'",
            "delete from journal",
        ] {
            let refused = tamper(db, change).await.unwrap_err().to_string();
            assert!(refused.contains("immutable"), "{change}: {refused}");
        }
        if db.engine() == "postgres" {
            for change in ["truncate entry", "truncate journal cascade"] {
                let refused = tamper(db, change).await.unwrap_err().to_string();
                assert!(refused.contains("immutable"), "{change}: {refused}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_is_found_by_its_hash_until_it_is_revoked_or_expires() {
    on_each_engine(async |db| {
        let ada = client(db, Nano::ZERO).await;
        let hash = Bytes32([u8::try_from(ada.account.0 % 256).unwrap(); 32]);
        let key = keys::find_by_hash(db, hash).await.unwrap().unwrap();
        assert_eq!((key.id, key.account), (ada.key, ada.account));
        assert!(key.is_live(999) && !key.is_live(1000));
        assert_eq!(keys::find_by_hash(db, Bytes32([9; 32])).await.unwrap(), None);

        keys::revoke(db, key.id, &admin(50)).await.unwrap();
        keys::revoke(db, key.id, &admin(60)).await.unwrap();
        let key = keys::find_by_hash(db, hash).await.unwrap().unwrap();
        assert_eq!(key.revoked_ms, Some(50));
        assert!(!key.is_live(10));
        assert!(matches!(
            keys::revoke(db, KeyId(999), &admin(50)).await,
            Err(DbError::NotFound(_))
        ));
    })
    .await;
}

#[tokio::test]
async fn lists_come_in_pages() {
    on_each_engine(async |db| {
        let mut made = Vec::new();
        for _ in 0..5 {
            made.push(client(db, Nano::ZERO).await.account);
        }
        let mut page = Page { after: None, limit: 2 };
        let mut seen = Vec::new();
        let mut sizes = Vec::new();
        loop {
            let paged = accounts::list(db, &page).await.unwrap();
            sizes.push(paged.rows.len());
            seen.extend(paged.rows.iter().map(|row| row.id));
            assert!(paged.rows.iter().all(|row| row.kind == AccountKind::Client));
            match paged.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        assert_eq!((seen, sizes), (made.clone(), vec![2, 2, 1]));

        let all = keys::list(db, None, &Page::default()).await.unwrap();
        assert_eq!((all.rows.len(), all.next), (5, None));
        let of_one = keys::list(db, Some(made[3]), &Page::default()).await.unwrap();
        assert_eq!(of_one.rows.iter().map(|key| key.account).collect::<Vec<_>>(), [made[3]]);
        let forged = Page { after: Some("x".into()), limit: 2 };
        assert!(matches!(accounts::list(db, &forged).await, Err(DbError::Cursor)));
    })
    .await;
}

#[tokio::test]
async fn an_operator_has_an_account() {
    on_each_engine(async |db| {
        let node = node(db, 1).await;
        let operator = operators::find(db, node.operator).await.unwrap().unwrap();
        assert_eq!((operator.account, operator.available), (node.account, Nano::ZERO));
        let listed = operators::list(db, &Page::default()).await.unwrap().rows;
        assert_eq!(listed, [operator]);
        let account = accounts::find(db, node.account).await.unwrap().unwrap();
        assert_eq!(account.kind, AccountKind::Operator);
    })
    .await;
}

#[tokio::test]
async fn a_setting_keeps_its_first_value_until_it_is_set() {
    on_each_engine(async |db| {
        assert_eq!(settings::get(db, "gateway").await.unwrap(), None);
        assert_eq!(settings::get_or_insert(db, "gateway", "one").await.unwrap(), "one");
        assert_eq!(settings::get_or_insert(db, "gateway", "two").await.unwrap(), "one");
        settings::set(db, "gateway", "three").await.unwrap();
        assert_eq!(settings::get(db, "gateway").await.unwrap().unwrap(), "three");
    })
    .await;
}

#[tokio::test]
async fn what_admins_do_is_logged_the_last_first() {
    on_each_engine(async |db| {
        for at_ms in 1..=3 {
            admin_log::append(db, &admin(at_ms), "test", "nothing", "").await.unwrap();
        }
        let first = admin_log::list(db, &Page { after: None, limit: 2 }).await.unwrap();
        let second = admin_log::list(db, &Page { after: first.next, limit: 2 }).await.unwrap();
        let times: Vec<i64> = first.rows.iter().chain(&second.rows).map(|row| row.at_ms).collect();
        assert_eq!((times, second.next), (vec![3, 2, 1], None));
    })
    .await;
}

//! The program itself, on a data folder of its own.

use std::{
    path::Path,
    process::{Command, Output},
};

use assay_gateway::{
    auth::AdminSecret,
    db::{Db, Page, admin_log, ledger_state},
};
use serde_json::Value;

fn gateway(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["--data-dir", dir.to_str().unwrap()])
        .args(arguments)
        .env_remove("ASSAY_ADMIN_SECRET")
        .output()
        .unwrap()
}

#[track_caller]
fn out(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_admin_secret_is_printed_at_the_first_start_only() {
    let dir = tempfile::tempdir().unwrap();
    let first = out(&gateway(dir.path(), &["migrate"]));
    assert!(first.contains("as-"), "{first}");
    let again = out(&gateway(dir.path(), &["migrate"]));
    assert!(!again.contains("as-"), "{again}");
}

#[test]
fn the_admin_secret_is_replaced_and_that_is_logged() {
    let dir = tempfile::tempdir().unwrap();
    out(&gateway(dir.path(), &["migrate"]));
    let secret = out(&gateway(dir.path(), &["admin-secret"])).trim().to_owned();
    assert!(secret.starts_with("as-") && !secret.contains('\n'), "{secret}");
    let opens = async |db: &Db| AdminSecret::name_of(db, &secret).await.unwrap().is_some();
    assert!(on_database(dir.path(), opens), "it is the one that counts");
    assert_eq!(acts(dir.path()), [("command line".to_owned(), "admin.secret".to_owned())]);
}

#[test]
fn keys_are_made_funded_listed_and_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let made = gateway(dir.path(), &["key", "create", "--name", "n", "--grant-nano", "1000"]);
    let key = out(&made).trim().to_owned();
    assert!(key.starts_with("ak-") && !key.contains('\n'), "{key}");
    let listed = out(&gateway(dir.path(), &["key", "list"]));
    assert!(listed.contains(&key[..9]) && listed.contains("live") && !listed.contains(&key));
    out(&gateway(dir.path(), &["key", "revoke", "1"]));
    assert!(out(&gateway(dir.path(), &["key", "list"])).contains("revoked"));
    let report = out(&gateway(dir.path(), &["audit", "--json"]));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["granted"], 1000);
    assert_eq!(report["fault"], Value::Null);
    assert!(out(&gateway(dir.path(), &["audit"])).contains("clean"));
    let log = acts(dir.path());
    let done = ["account.create", "key.create", "credits.grant", "key.revoke"];
    assert_eq!(log, done.map(|action| ("command line".to_owned(), action.to_owned())));
}

#[test]
fn letting_money_leave_again_is_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    out(&gateway(dir.path(), &["migrate"]));
    let stop = async |db: &Db| ledger_state::stop_withdrawals(db, "a test").await.unwrap();
    on_database(dir.path(), stop);
    out(&gateway(dir.path(), &["audit"]));
    assert_eq!(acts(dir.path()), [], "an audit alone lets nothing leave");
    for _ in 0..2 {
        out(&gateway(dir.path(), &["audit", "--allow-withdrawals"]));
    }
    let once = ("command line".to_owned(), "withdrawals.allow".to_owned());
    assert_eq!(acts(dir.path()), [once], "there was nothing to allow any more");
}

fn on_database<T>(dir: &Path, work: impl AsyncFn(&Db) -> T) -> T {
    let url = format!("sqlite:{}", dir.join("assay.db").display());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let db = Db::open(&url).await.unwrap();
        let done = work(&db).await;
        db.close().await;
        done
    })
}

/// Who did what, the first first.
fn acts(dir: &Path) -> Vec<(String, String)> {
    let rows = on_database(dir, async |db: &Db| {
        admin_log::list(db, &Page { after: None, limit: 0 }).await.unwrap().rows
    });
    rows.into_iter().rev().map(|row| (row.actor, row.action)).collect()
}

#[test]
fn mistakes_are_one_line_and_a_status() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [
        &["serve", "--config", "/nowhere/gateway.toml"][..],
        &["serve", "--set", "limits.bodies=1"],
        &["key", "revoke", "7"],
        &["audit", "--database-url", "mysql://x"],
    ] {
        let output = gateway(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.starts_with("gateway: "), "{text}");
    }
}

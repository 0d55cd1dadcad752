//! The program itself, on a data folder of its own.

use std::{
    path::Path,
    process::{Command, Output},
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

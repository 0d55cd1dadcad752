//! Every statement is one that both engines understand.

use std::collections::BTreeSet;

use sqlx::{Executor, SqlSafeStr};

use super::on_each_engine;
use crate::db::{Db, Store, statements};

#[tokio::test]
async fn every_statement_prepares() {
    let all = statements();
    let names: BTreeSet<_> = all.iter().map(|statement| statement.name).collect();
    assert_eq!(names.len(), all.len(), "names are unique");
    on_each_engine(async |db| {
        for statement in &all {
            let prepared = match &**db {
                Store::Sqlite(db) => {
                    db.writer.prepare(statement.sqlite.into_sql_str()).await.map(drop)
                }
                Store::Postgres(db) => {
                    db.pool.prepare(statement.postgres.into_sql_str()).await.map(drop)
                }
            };
            prepared
                .unwrap_or_else(|error| panic!("{} on {}: {error}", statement.name, db.engine()));
        }
    })
    .await;
}

#[test]
fn texts_are_portable() {
    for statement in statements() {
        let text = statement.postgres;
        let locked = text.strip_suffix(" for no key update").unwrap_or(text);
        // Those about many rows do without the numbers on SQLite: they take their arguments in order.
        let same = match statement.sqlite.contains('?') {
            true => unnumbered(locked) == statement.sqlite,
            false => locked == statement.sqlite,
        };
        assert!(same, "{}: {locked} and {}", statement.name, statement.sqlite);
        assert!(!text.contains('?'), "{}: placeholders are $1, $2 …", statement.name);
    }
}

/// With `?` in place of `$1`, `$2` …, which must come in this order.
fn unnumbered(text: &str) -> String {
    let mut pieces = text.split('$');
    let mut unnumbered = pieces.next().unwrap_or_default().to_owned();
    for (at, piece) in pieces.enumerate() {
        let number = (at + 1).to_string();
        unnumbered.push('?');
        unnumbered.push_str(piece.strip_prefix(&number).expect("arguments in order"));
    }
    unnumbered
}

#[tokio::test]
async fn other_urls_are_refused() {
    for url in ["mysql://root@db/assay", "assay.db", "sqlite::memory:", ""] {
        let error = Db::open(url).await.unwrap_err().to_string();
        assert!(error.contains("sqlite:"), "{url}: {error}");
    }
}

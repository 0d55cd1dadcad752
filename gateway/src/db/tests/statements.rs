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
        let locked = text.strip_suffix(" for update").unwrap_or(text);
        assert_eq!(locked, statement.sqlite, "{}", statement.name);
        assert!(!text.contains('?'), "{}: placeholders are $1, $2 …", statement.name);
    }
}

#[tokio::test]
async fn other_urls_are_refused() {
    for url in ["mysql://root@db/assay", "assay.db", "sqlite::memory:", ""] {
        let error = Db::open(url).await.unwrap_err().to_string();
        assert!(error.contains("sqlite:"), "{url}: {error}");
    }
}

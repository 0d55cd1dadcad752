//! Every statement is one that both engines understand, on the schema that the migrations make.

use assay_gateway::db::{Db, statements};
use assay_tests::postgres::PostgresServer;
use sqlx::{Connection, Executor, PgConnection, SqlStr, SqliteConnection};

#[tokio::test]
async fn every_statement_prepares_on_postgresql() {
    let Some(server) = PostgresServer::start().await else {
        eprintln!("PostgreSQL is not installed: its statements are not checked here");
        return;
    };
    let db = Db::open(&server.url()).await.expect("a fresh server");
    db.migrate().await.expect("the migrations run");
    let mut connection = PgConnection::connect(&server.url()).await.expect("one more connection");
    let mut wrong = Vec::new();
    for statement in statements() {
        if let Err(error) = connection.prepare(SqlStr::from_static(statement.postgres)).await {
            wrong.push(format!("{}: {error}", statement.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    db.close().await;
}

#[tokio::test]
async fn every_statement_prepares_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("assay.db").display());
    let db = Db::open(&url).await.expect("a fresh file");
    db.migrate().await.expect("the migrations run");
    let mut connection = SqliteConnection::connect(&url).await.expect("one more connection");
    let all = statements();
    assert!(all.len() > 20, "there are {} statements", all.len());
    let mut wrong = Vec::new();
    for statement in all {
        if let Err(error) = connection.prepare(SqlStr::from_static(statement.sqlite)).await {
            wrong.push(format!("{}: {error}", statement.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    db.close().await;
}

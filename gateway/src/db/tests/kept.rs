//! What is written down stays: the engines themselves refuse to change or remove it, whoever asks; and what was
//! acknowledged is on the disk, whatever the server's defaults are.

use assay_ledger::{Maturity, Nano};
use assay_protocol::JobId;
use uuid::Uuid;

use super::{admin, client, fresh, job, node, on_each_engine, on_each_url, run, success, words};
use crate::{
    auth::GatewayKeys,
    db::{
        Db, EvidenceDelta, Store, admin_log,
        audits::{LateCheck, record_late},
        forfeits::{self, NewBan},
        jobs,
    },
    sealer::seal_all,
};

/// Tables whose rows never change, with a column of each, and those whose rows never go away.
const FROZEN: [(&str, &str); 9] = [
    ("journal", "note"),
    ("entry", "amount"),
    ("seal", "hash"),
    ("admin_log", "detail"),
    ("forfeit", "to_reserve"),
    ("forfeit_refund", "amount"),
    ("earning", "withdrawable"),
    ("settled_payment", "note"),
    ("gateway_key", "public_key"),
];
const KEPT: [&str; 6] = ["account", "hold", "balance", "job", "job_node", "key_day"];

/// At least one row in each of these tables.
async fn busy(db: &Db) {
    let ada = client(db, Nano(10_000)).await;
    let asked = [node(db, 1).await];
    let new = job(&ada, 1, Nano(1500));
    jobs::open(db, &new).await.unwrap();
    jobs::end(db, &success(&new, Nano(1000), &asked, 1)).await.unwrap();
    let late = LateCheck {
        job: JobId(Uuid::from_u128(1)),
        round: 1,
        node: asked[0].id,
        model: "demo".into(),
        learnt: EvidenceDelta::failed(true),
        refuted: true,
        fault: None,
        at_ms: 500,
    };
    record_late(db, &late).await.unwrap();
    let (reason, maturity) = ("it lied".into(), Maturity::default());
    let ban = NewBan { node: asked[0].id, reason, at_ms: 600, maturity };
    forfeits::ban(db, &ban).await.unwrap().expect("a ban");
    run(db, "insert into earning select id, 1, 5, 5, 60 from job").await.unwrap();
    run(db, "insert into settled_payment values ('re_1', null, 0, 'by hand', 1)").await.unwrap();
    seal_all(db, &GatewayKeys::from_seed([1; 32])).await.unwrap();
    admin_log::append(db, &admin(1), "test", "nothing", "{}").await.unwrap();
}

async fn is_refused(db: &Db, sql: String) {
    let refused = run(db, &sql).await.expect_err(&sql).to_string();
    let trigger = ["immutable", "append-only", "never removed"];
    assert!(trigger.iter().any(|word| refused.contains(word)), "{sql}: {refused}");
}

#[tokio::test]
async fn what_is_written_down_is_neither_changed_nor_removed() {
    on_each_engine(async |db| {
        busy(db).await;
        for (table, column) in FROZEN {
            is_refused(db, format!("update {table} set {column} = {column}")).await;
        }
        for table in FROZEN.iter().map(|(table, _)| *table).chain(KEPT) {
            is_refused(db, format!("delete from {table}")).await;
            match db.engine() {
                // SQLite has no truncate, and removes what it replaces.
                "sqlite" => {
                    let same = format!("insert or replace into {table} select * from {table}");
                    is_refused(db, same).await;
                }
                _ => is_refused(db, format!("truncate {table} cascade")).await,
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_acknowledged_is_on_the_disk() {
    on_each_url(async |url| {
        let db = fresh(url).await;
        if db.engine() == "sqlite" {
            // 2 is FULL.
            let Store::Sqlite(store) = &*db else { panic!("it is SQLite") };
            let level: i64 =
                sqlx::query_scalar("pragma synchronous").fetch_one(&store.writer).await.unwrap();
            assert_eq!(level, 2);
            return db.close().await;
        }
        let [database] = &words(&db, "select current_database()").await[..] else {
            panic!("one database")
        };
        run(&db, &format!("alter database {database} set synchronous_commit = off")).await.unwrap();
        db.close().await;
        let db = Db::open(url).await.unwrap();
        let Store::Postgres(store) = &*db else { panic!("it is PostgreSQL") };
        for pool in [&store.pool, &store.money] {
            let set: String =
                sqlx::query_scalar("show synchronous_commit").fetch_one(pool).await.unwrap();
            assert_eq!(set, "on");
        }
        db.close().await;
    })
    .await;
}

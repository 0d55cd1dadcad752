//! The store against both engines: SQLite always, PostgreSQL when `ASSAY_TEST_POSTGRES` is the url of a
//! server where databases may be made.

mod acts;
mod audit;
mod credit;
mod forfeits;
mod jobs;
mod kept;
mod kept_answers;
mod leases;
mod limits;
mod logins;
mod model;
mod nodes;
mod refunds;
mod reputation;
mod seals;
mod statements;
mod withdrawals;
mod writer;

use std::{env, str::FromStr};

use assay_ledger::{AccountId, Nano, PayRules, Round, Settlement, Share, payout};
use assay_protocol::{Bytes32, JobId, NodeId, Outcome};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, postgres::PgConnectOptions};
use uuid::Uuid;

use super::{
    Actor, By, Db, DbError, EvidenceDelta, JobEnd, JobNodeEnd, JobState, KeyId, NewAccount,
    NewEnrolment, NewGrant, NewJob, NewKey, NewOperator, NodeRow, Redeem, Store, accounts, credits,
    enrolments, keys, operators,
    top_ups::{self, NewTopUp, PaidTopUp},
};

/// Runs a test on a fresh database of each engine that there is.
async fn on_each_engine(test: impl AsyncFn(&Db)) {
    on_each_url(async |url| {
        let db = fresh(url).await;
        test(&db).await;
        db.close().await;
    })
    .await;
}

/// The same for a test that opens the database itself, perhaps more than once.
async fn on_each_url(test: impl AsyncFn(&str)) {
    let folder = tempfile::tempdir().unwrap();
    test(&format!("sqlite:{}/assay.db", folder.path().display())).await;

    let Ok(server) = env::var("ASSAY_TEST_POSTGRES") else {
        eprintln!("ASSAY_TEST_POSTGRES is not set: tested on SQLite only");
        return;
    };
    let name = format!("assay_test_{}", Uuid::new_v4().simple());
    let options = PgConnectOptions::from_str(&server).unwrap();
    administer(&options, format!("create database {name}")).await;
    let url = options.clone().database(&name).to_url_lossy();
    test(url.as_str()).await;
    administer(&options, format!("drop database {name} with (force)")).await;
}

async fn fresh(url: &str) -> Db {
    let db = Db::open(url).await.unwrap();
    db.migrate().await.unwrap();
    db.migrate().await.unwrap();
    db
}

async fn administer(server: &PgConnectOptions, sql: String) {
    let mut connection = server.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Runs SQL that the store itself would never run.
async fn tamper(db: &Db, sql: &'static str) -> Result<(), DbError> {
    let changed = match &**db {
        Store::Sqlite(db) => sqlx::raw_sql(sql).execute(&db.writer).await?.rows_affected(),
        Store::Postgres(db) => sqlx::raw_sql(sql).execute(&db.pool).await?.rows_affected(),
    };
    assert!(changed > 0, "changed nothing: {sql}");
    Ok(())
}

/// Runs SQL that may change no row.
async fn run(db: &Db, sql: &str) -> Result<(), DbError> {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
    match &**db {
        Store::Sqlite(db) => sql.execute(&db.writer).await.map(|_| ())?,
        Store::Postgres(db) => sql.execute(&db.pool).await.map(|_| ())?,
    }
    Ok(())
}

/// The words that a query gives.
async fn words(db: &Db, sql: &'static str) -> Vec<String> {
    match &**db {
        Store::Sqlite(db) => sqlx::query_scalar(sql).fetch_all(&db.writer).await.unwrap(),
        Store::Postgres(db) => sqlx::query_scalar(sql).fetch_all(&db.pool).await.unwrap(),
    }
}

/// Whoever owns the database can take its triggers away.
async fn disarm(db: &Db) {
    let drops = match db.engine() {
        "sqlite" => "select 'drop trigger ' || name from sqlite_schema where type = 'trigger'",
        _ => {
            "select 'drop trigger ' || tgname || ' on ' || cast(tgrelid as regclass)
            from pg_trigger where not tgisinternal"
        }
    };
    let drops = words(db, drops).await;
    assert!(!drops.is_empty());
    for sql in drops {
        run(db, &sql).await.unwrap();
    }
}

/// An admin who acts at this time.
fn admin(at_ms: i64) -> Actor {
    Actor { name: "an admin".into(), at_ms }
}

/// A client with credit and a key.
struct Client {
    account: AccountId,
    key: KeyId,
}

async fn client(db: &Db, credit: Nano) -> Client {
    let new = NewAccount { name: "Ada".into(), created_ms: 1 };
    let account = accounts::create(db, &new, &admin(1)).await.unwrap().id;
    if credit > Nano::ZERO {
        grant(db, account, credit, &format!("first of {account}")).await.unwrap();
    }
    let new = NewKey {
        account,
        name: "laptop".into(),
        prefix: "sk-assay-1234".into(),
        hash: Bytes32([u8::try_from(account.0 % 256).unwrap(); 32]),
        risk: "standard".into(),
        created_ms: 2,
        expires_ms: Some(1000),
        budget_day: None,
        scopes: String::new(),
        models: String::new(),
        rotated_from: None,
    };
    Client { account, key: keys::create(db, &new, &admin(2)).await.unwrap().id }
}

async fn grant(db: &Db, account: AccountId, amount: Nano, key: &str) -> Result<bool, DbError> {
    let (key, note) = (key.to_owned(), "a test".to_owned());
    let grant = NewGrant { account, amount, key, note };
    Ok(credits::grant(db, &grant, &admin(3)).await?.repeated)
}

/// A payment of so many cents that came in; its name.
async fn topped_up(db: &Db, account: AccountId, cents: i64) -> String {
    let (id, session) = (Uuid::from_u128(1).to_string(), "session".to_owned());
    let client_key = "one".to_owned();
    let new = NewTopUp { id: id.clone(), account, client_key, cents, created_ms: 1 };
    top_ups::begin(db, &new).await.unwrap();
    top_ups::opened(db, &id, &session, "https://pay.example").await.unwrap();
    let (payment, payment_key) = ("payment".to_owned(), "payment".to_owned());
    let paid = PaidTopUp { id: id.clone(), session, payment, payment_key, at_ms: 1 };
    let repeated = top_ups::credit(db, &paid).await.unwrap();
    assert!(!repeated);
    id
}

/// A node with an operator of its own; `seed` makes its key and its token.
async fn node(db: &Db, seed: u8) -> NodeRow {
    let new = NewOperator { name: format!("operator {seed}"), created_ms: 4 };
    let operator = operators::create(db, &new, &admin(4)).await.unwrap().id;
    let token_hash = Bytes32([seed; 32]);
    let new = NewEnrolment { token_hash, operator, created_ms: 5, expires_ms: 100 };
    enrolments::create(db, &new, By::Own).await.unwrap();
    enrolments::redeem(db, &redeem(seed)).await.unwrap()
}

fn redeem(seed: u8) -> Redeem {
    Redeem {
        token_hash: Bytes32([seed; 32]),
        node: NodeId(Uuid::from_u128(seed.into())),
        public_key: Bytes32([seed + 100; 32]),
        name: format!("node {seed}"),
        now_ms: 6,
    }
}

fn job(client: &Client, id: u128, hold: Nano) -> NewJob {
    NewJob {
        id: JobId(Uuid::from_u128(id)),
        gateway: "gateway-1".into(),
        account: client.account,
        key: client.key,
        model: "demo".into(),
        policy: "standard".into(),
        prompt_tokens: 10,
        max_tokens: 20,
        hold,
        created_ms: 10 + i64::try_from(id).unwrap(),
        lease: None,
        lasts_ms_max: 600_000,
        holds_open_max: 100_000,
    }
}

/// An end that pays these nodes, out of `asked`; the others' answers were wrong.
fn success(job: &NewJob, cost: Nano, asked: &[NodeRow], passed: usize) -> JobEnd {
    let share = |node: &NodeRow| Share { account: node.account, tokens: 20 };
    let shares: Vec<Share> = asked[..passed].iter().map(share).collect();
    let round = Round {
        held: job.hold,
        cost,
        asked: u32::try_from(asked.len()).unwrap(),
        tokens: 20,
        passed: &shares,
        majority_refuted: false,
    };
    let charge = payout(&round, &PayRules { fee_ppm: 100_000, cap_per_mille: Some(1500) });
    let part = |(at, node): (usize, &NodeRow)| JobNodeEnd {
        node: node.id,
        round: 1,
        role: "generate",
        outcome: if at < passed { Outcome::Agreed } else { Outcome::FailedSpotCheck },
        reason: "because".into(),
        evidence: "{}".into(),
        tokens: 7,
        pay: charge.pays.get(at).map(|(_, pay)| *pay).unwrap_or_default(),
        elapsed_ms: 40,
        reputation: Some(if at < passed {
            EvidenceDelta::passed(0.5)
        } else {
            EvidenceDelta::failed(false)
        }),
    };
    let nodes = asked.iter().enumerate().map(part).collect();
    JobEnd { nodes, ..ending(job, JobState::Succeeded, charge) }
}

/// An end that gives all back.
fn failure(job: &NewJob) -> JobEnd {
    ending(job, JobState::Failed, Settlement::nothing(job.hold))
}

fn ending(job: &NewJob, state: JobState, charge: Settlement) -> JobEnd {
    JobEnd {
        id: job.id,
        state,
        finish: (state == JobState::Succeeded).then(|| "stop".into()),
        completion_tokens: 7,
        rounds: 1,
        charge,
        reason: "as it went".into(),
        code: None,
        verdict: Some("{}".into()),
        ended_ms: job.created_ms + 50,
        nodes: Vec::new(),
        receipt: None,
    }
}

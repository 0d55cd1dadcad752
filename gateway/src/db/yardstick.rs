//! What the ledger's benchmark needs and nobody else: many accounts at once, and the design that everyone
//! builds first, a transaction for each hold and each settlement with a balance row for the fee. It is what
//! the writer is measured against.

use assay_ledger::{AccountId, AccountKind, Nano, Settlement};
use assay_protocol::{Bytes32, JobId, NodeId};

use super::{
    Db, DbError, KeyId,
    bulk::bulks,
    engine::retried,
    statement::statements,
    transaction::Tx,
    value::{Arg, Record, Row, args},
};

bulks! { "yardstick";
    plain ACCOUNTS = "insert into account (id, kind, name, created_ms) values ", "($, $, '', 0)", "";
    plain BALANCES = "insert into balance (account, available, held) values ", "($, 0, 0)", "";
    plain KEYS = "insert into api_key (id, account, name, prefix, hash, risk, created_ms) values ",
        "($, $, '', '', $, 'standard', 0)", "";
    plain OPERATORS = "insert into operator (id, account, name, created_ms) values ", "($, $, '', 0)", "";
    plain NODES = "insert into node
            (id, public_key, operator, name, trusted, standing, reason, created_ms) values ",
        "($, $, $, '', 0, 'enrolled', '', 0)", "";
}

statements! { "yardstick";
    locking LOCK = "select available from balance where account = $1";
    plain JOURNAL = "insert into journal (id, key, kind, digest, note, at_ms) values ($1, $2, $3, '', '', 0)";
    plain ENTRY = "insert into entry (journal, account, bucket, amount) values ($1, $2, $3, $4)";
    plain MOVE = "update balance set available = available + $2, held = held + $3 where account = $1";
    plain HOLD = "insert into hold (id, account, amount, state) values ($1, $2, $3, 'open')";
    plain END = "update hold set state = 'settled' where id = $1 and state = 'open'";
}

/// Numbers of the first account, key and operator that are made.
const FIRST: i64 = 1_001;

/// Accounts to measure with.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// Without credit yet.
    pub clients: Vec<(AccountId, KeyId)>,
    pub nodes: Vec<(NodeId, AccountId)>,
    /// An account that plays the fee's balance row.
    pub fee: AccountId,
}

impl Crowd {
    /// So many, by the numbers that [`crowd`] gives them.
    pub fn of(clients: i64, nodes: i64) -> Self {
        let id = |at: i64| AccountId(FIRST + at);
        Self {
            clients: (0..clients).map(|at| (id(at), KeyId(FIRST + at))).collect(),
            nodes: (0..nodes).map(|at| (node(at), id(clients + at))).collect(),
            fee: id(clients + nodes),
        }
    }
}

/// Makes clients with a key each, and nodes of an operator each, in an empty database.
pub async fn crowd(db: &Db, clients: i64, nodes: i64) -> Result<Crowd, DbError> {
    let id = |at: i64| AccountId(FIRST + at);
    let crowd = Crowd::of(clients, nodes);
    let all: Vec<i64> = (0..=clients + nodes).map(|at| id(at).0).collect();
    let kind =
        |at: i64| if at < FIRST + clients { AccountKind::Client } else { AccountKind::Operator };
    let operator = |at: usize| i64::try_from(at).map_or(0, |at| FIRST + at);
    let mut tx = db.begin().await?;
    let args: Vec<Arg> = all.iter().flat_map(|at| [(*at).into(), kind(*at).into()]).collect();
    tx.execute_all(&ACCOUNTS, &args).await?;
    let args: Vec<Arg> = all.iter().map(|at| (*at).into()).collect();
    tx.execute_all(&BALANCES, &args).await?;
    let keys = crowd.clients.iter().flat_map(|(account, key)| {
        [(*key).into(), (*account).into(), format!("key {}", key.0).into()]
    });
    tx.execute_all(&KEYS, &keys.collect::<Vec<_>>()).await?;
    let operators = crowd.nodes.iter().enumerate();
    let operators =
        operators.flat_map(|(at, (_, account))| [operator(at).into(), (*account).into()]);
    tx.execute_all(&OPERATORS, &operators.collect::<Vec<_>>()).await?;
    let nodes = crowd.nodes.iter().enumerate().flat_map(|(at, (node, _))| {
        let mut key = [0; 32];
        key[..16].copy_from_slice(node.0.as_bytes());
        [(*node).into(), Bytes32(key).into(), operator(at).into()]
    });
    tx.execute_all(&NODES, &nodes.collect::<Vec<_>>()).await?;
    tx.commit().await?;
    Ok(crowd)
}

fn node(at: i64) -> NodeId {
    NodeId(uuid::Uuid::from_u128(at.unsigned_abs().into()))
}

/// Holds money for a job in a transaction of its own; whether there was enough.
pub async fn hold(
    db: &Db,
    journal: i64,
    job: JobId,
    client: AccountId,
    amount: Nano,
) -> Result<bool, DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        let available: Option<Available> = tx.optional(&LOCK, args![client]).await?;
        if available.is_none_or(|available| available.0 < amount) {
            return Ok(false);
        }
        tx.execute(&JOURNAL, args![journal, format!("hold:{job}"), "hold"]).await?;
        entry(&mut tx, journal, client, (Nano(-amount.0), amount)).await?;
        tx.execute(&HOLD, args![job, client, amount]).await?;
        tx.commit().await?;
        Ok(true)
    })
    .await
}

/// Settles it in another one; the fee goes to a balance row like everybody's.
pub async fn settle(
    db: &Db,
    journal: i64,
    job: JobId,
    client: AccountId,
    settlement: &Settlement,
    fee: AccountId,
) -> Result<(), DbError> {
    let held = Nano(-settlement.cost.0 - settlement.returned.0);
    let mut moves = vec![(client, (settlement.returned, held))];
    moves.extend(settlement.pays.iter().map(|(to, pay)| (*to, (*pay, Nano::ZERO))));
    moves.push((fee, (settlement.fee, Nano::ZERO)));
    moves.sort_by_key(|(account, _)| *account);
    retried(async || {
        let mut tx = db.begin().await?;
        for (account, _) in &moves {
            let _: Option<Available> = tx.optional(&LOCK, args![*account]).await?;
        }
        tx.execute(&JOURNAL, args![journal, format!("end:{job}"), "settle"]).await?;
        for (account, amounts) in &moves {
            entry(&mut tx, journal, *account, *amounts).await?;
        }
        tx.execute(&END, args![job]).await?;
        tx.commit().await
    })
    .await
}

/// Writes what an account's available and held money moved by.
async fn entry(
    tx: &mut Tx,
    journal: i64,
    account: AccountId,
    (available, held): (Nano, Nano),
) -> Result<(), DbError> {
    for (bucket, amount) in [("available", available), ("held", held)] {
        if amount != Nano::ZERO {
            tx.execute(&ENTRY, args![journal, account, bucket, amount]).await?;
        }
    }
    tx.execute(&MOVE, args![account, available, held]).await?;
    Ok(())
}

struct Available(Nano);

impl Record for Available {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("available").map(Self)
    }
}

//! Bans on proof: the node is out, and its immature pay goes to the clients whose refuted answers it was paid for, the rest
//! to the reserve. One transaction, once for each ban.

use assay_ledger::{AccountId, Command, Maturity, Nano, Rejected};
use assay_protocol::{JobId, NodeId, StandingCode};

use super::{
    Db, DbError, OperatorId, Standing,
    engine::retried,
    operators, pay,
    posting::{JournalHead, post},
    standing,
    statement::statements,
    transaction::Tx,
    value::{Amount, Record, Row, args},
};

statements! { "forfeits";
    // Two gateways may find the same cheat.
    locking LOCK_NODE = "select standing,
            (select code from node_standing where node_standing.node = node.id) as code, operator
        from node where id = $1";
    // In ascending order: two bans may be about the same jobs, whose clients get their price back once.
    locking LOCK_REFUTED = "select id from job where id in (
            select distinct job from job_node where node = $1 and refuted_ms is not null and pay > 0
            order by job desc limit $2)
        order by id";
    plain AVAILABLE = "select available as amount from balance where account = $1";
    // What the client paid and did not get back yet.
    plain REFUTED = "select id, account, cost - cast(coalesce(
                (select sum(amount) from forfeit_refund where forfeit_refund.job = job.id), 0) as bigint) as price
        from job where id in (
            select job from job_node where node = $1 and refuted_ms is not null and pay > 0)
        order by id desc limit $2";
    plain INSERT = "insert into forfeit (node, at_ms, account, immature, to_clients, to_reserve)
        values ($1, $2, $3, $4, $5, $6)";
    plain INSERT_REFUND = "insert into forfeit_refund (node, at_ms, job, amount) values ($1, $2, $3, $4)";
    plain OF_NODE = "select at_ms, immature, to_clients, to_reserve from forfeit where node = $1
        order by at_ms desc limit $2";
    plain REFUNDS = "select job, amount from forfeit_refund where node = $1 and at_ms = $2 order by job";
}

/// Refuted jobs whose clients get something back at one ban; a ban comes after four.
const REFUNDS_MAX: i64 = 1_000;
/// Bans of one node that are shown.
const SHOWN_MAX: i64 = 20;
/// How often the operator may spend its credit in between.
const TRIES_MAX: u32 = 5;

/// A ban on proof.
#[derive(Clone, Debug)]
pub struct NewBan {
    pub node: NodeId,
    /// A sentence for the operator; what is forfeited is added to it.
    pub reason: String,
    pub at_ms: i64,
    /// What is forfeited: all pay that is immature by these rules.
    pub maturity: Maturity,
}

/// What a ban took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForfeitRow {
    pub at_ms: i64,
    /// All that was immature; more than was taken where the operator had less.
    pub immature: Nano,
    pub to_clients: Nano,
    pub to_reserve: Nano,
    pub refunds: Vec<Refunded>,
}

/// What the client of a refuted job got back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refunded {
    pub job: JobId,
    pub amount: Nano,
}

/// Bans a node, takes what it forfeits, and gives the reason that was stored. Nothing when the node is banned on
/// proof already.
///
/// # Errors
/// `NotFound`.
pub async fn ban(db: &Db, new: &NewBan) -> Result<Option<String>, DbError> {
    for _ in 0..TRIES_MAX {
        match retried(async || try_ban(db, new).await).await {
            // The operator's credit was taken out in between: whatever is left is taken.
            Err(DbError::Rejected(Rejected::InsufficientCredit { .. })) => {}
            done => return done,
        }
    }
    Err(DbError::Busy)
}

/// What was forfeited by a node, the last first.
pub async fn of_node(db: &Db, node: NodeId) -> Result<Vec<ForfeitRow>, DbError> {
    let mut rows: Vec<ForfeitRow> = db.all(&OF_NODE, args![node, SHOWN_MAX]).await?;
    for row in &mut rows {
        row.refunds = db.all(&REFUNDS, args![node, row.at_ms]).await?;
    }
    Ok(rows)
}

async fn try_ban(db: &Db, new: &NewBan) -> Result<Option<String>, DbError> {
    let NewBan { node, at_ms, .. } = new;
    let journal = db.next_journal_id().await?;
    let mut tx = db.begin().await?;
    let code = StandingCode::ProvenCheating;
    let found: Option<Banned> = tx.optional(&LOCK_NODE, args![*node]).await?;
    let found = found.ok_or_else(|| DbError::NotFound(format!("node {node}")))?;
    if found.standing == Standing::Banned && found.code == Some(code) {
        return Ok(None);
    }
    // What is taken out at this moment is taken out before the ban or after it.
    let account = operators::lock(&mut tx, found.operator).await?;
    let forfeit = due(&mut tx, new, account).await?;
    let ForfeitRow { immature, to_clients, to_reserve, .. } = forfeit.row;
    let args = args![*node, *at_ms, account, immature, to_clients, to_reserve];
    tx.execute(&INSERT, args).await?;
    for Refunded { job, amount } in &forfeit.row.refunds {
        tx.execute(&INSERT_REFUND, args![*node, *at_ms, *job, *amount]).await?;
    }
    let mut reason = new.reason.clone();
    let taken = Nano(to_clients.0 + to_reserve.0);
    if taken > Nano::ZERO {
        let command = Command::Forfeit {
            key: format!("{node}:{at_ms}"),
            from: account,
            clients: forfeit.clients,
            reserve: to_reserve,
        };
        let head = JournalHead { id: journal, note: "a ban on proof", at_ms: *at_ms };
        post(&mut tx, head, &command).await?;
        reason.push_str(&format!("; {taken} credits of pay that was not mature are forfeited"));
    }
    standing::put_ban(&mut tx, *node, code, &reason, *at_ms).await?;
    tx.commit().await?;
    Ok(Some(reason))
}

/// What is to be taken, and who gets it.
struct Due {
    row: ForfeitRow,
    clients: Vec<(AccountId, Nano)>,
}

async fn due(tx: &mut Tx, new: &NewBan, operator: AccountId) -> Result<Due, DbError> {
    let NewBan { node, at_ms, maturity, .. } = new;
    let immature = maturity.immature(pay::jobs_of(tx, *node, *maturity, *at_ms).await?, *at_ms);
    let available: Option<Amount> = tx.optional(&AVAILABLE, args![operator]).await?;
    let taken = immature.min(available.map_or(Nano::ZERO, |available| available.0));
    let locked: Vec<JobKey> = tx.all(&LOCK_REFUTED, args![*node, REFUNDS_MAX]).await?;
    let refuted: Vec<Refuted> = tx.all(&REFUTED, args![*node, REFUNDS_MAX]).await?;
    // One that was refuted since is nobody's yet.
    let refuted = refuted.into_iter().filter(|refuted| locked.contains(&JobKey(refuted.job)));
    let (mut left, mut refunds, mut clients) = (taken, Vec::new(), Vec::new());
    for Refuted { job, account, price } in refuted {
        let amount = price.min(left);
        if amount > Nano::ZERO {
            left = Nano(left.0 - amount.0);
            refunds.push(Refunded { job, amount });
            clients.push((account, amount));
        }
    }
    let to_clients = Nano(taken.0 - left.0);
    let row = ForfeitRow { at_ms: *at_ms, immature, to_clients, to_reserve: left, refunds };
    Ok(Due { row, clients })
}

struct Banned {
    standing: Standing,
    code: Option<StandingCode>,
    operator: OperatorId,
}

#[derive(PartialEq)]
struct JobKey(JobId);

struct Refuted {
    job: JobId,
    account: AccountId,
    price: Nano,
}

impl Record for Banned {
    fn read(row: &Row) -> Result<Self, DbError> {
        let (standing, code) = (row.get("standing")?, row.maybe("code")?);
        Ok(Self { standing, code, operator: row.get("operator")? })
    }
}

impl Record for JobKey {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("id").map(Self)
    }
}

impl Record for Refuted {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self { job: row.get("id")?, account: row.get("account")?, price: row.get("price")? })
    }
}

impl Record for ForfeitRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            at_ms: row.get("at_ms")?,
            immature: row.get("immature")?,
            to_clients: row.get("to_clients")?,
            to_reserve: row.get("to_reserve")?,
            refunds: Vec::new(),
        })
    }
}

impl Record for Refunded {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self { job: row.get("job")?, amount: row.get("amount")? })
    }
}

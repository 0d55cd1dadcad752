//! What nodes were paid, as far as it is not their own yet.

use assay_ledger::{Earned, Immature, Maturity, Nano};
use assay_protocol::{JobId, NodeId};

use super::{
    Db, DbError, OperatorId,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "pay";
    // Ids of jobs ascend with the time at which they were asked for. What was forfeited is gone.
    // How much of it came from outside is known once the earning is written down.
    plain OF_NODE = "select job_node.job, job_node.part, job_node.pay, job_node.checked_micro, job.ended_ms,
            coalesce(earning.amount, 0) as earned, coalesce(earning.withdrawable, 0) as withdrawable
        from job_node join job on job.id = job_node.job join node on node.id = job_node.node
        left join earning on earning.job = job_node.job and earning.operator = node.operator
        where job_node.node = $1
            and (job_node.job < $2 or (job_node.job = $2 and job_node.part < $3))
            and (job_node.pay > 0 or job_node.checked_micro > 0)
            and job.ended_ms > (select coalesce(max(at_ms), 0) from forfeit where forfeit.node = $1)
        order by job_node.job desc, job_node.part desc limit $4";
    plain LAST_JOB_OF = "select job from job_node where node = $1 order by job desc limit 1";
    plain NODES = "select id from node where id > $1 order by id limit $2";
    plain OF_OPERATOR = "select id from node where operator = $3 and id > $1 order by id limit $2";
}

/// After every job's id.
const LAST_JOB: &str = "g";
/// Rows read at once.
const ROWS_PER_FETCH: i64 = 1_000;
/// Jobs of one node that are looked at; what came before is mature, whatever the rules say.
const JOBS_MAX: usize = 200_000;

/// Pay that is not its operator's own yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotYetOwn {
    pub pay: Nano,
    /// What of it can leave one day, because it came from outside.
    pub withdrawable: Nano,
}

/// What a node has of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EarnedIn {
    pub job: JobId,
    pub earned: Earned,
}

/// Of every node what it was paid and is not its own yet, and what was checked since; for a gateway that starts.
pub async fn immature_jobs(
    db: &Db,
    rules: Maturity,
    now_ms: i64,
) -> Result<Vec<(NodeId, Vec<EarnedIn>)>, DbError> {
    let mut tx = db.snapshot().await?;
    let mut all: Vec<(NodeId, Vec<EarnedIn>)> = Vec::new();
    loop {
        let after = all.last().map(|(node, _)| node.to_string()).unwrap_or_default();
        let page: Vec<Node> = tx.all(&NODES, args![after, ROWS_PER_FETCH]).await?;
        let Some(_) = page.last() else { return Ok(all) };
        for Node(node) in page {
            all.push((node, earned_by(&mut tx, node, rules, now_ms).await?));
        }
    }
}

/// The same of one node, the last job first.
pub async fn immature_jobs_of(
    db: &Db,
    node: NodeId,
    rules: Maturity,
    now_ms: i64,
) -> Result<Vec<EarnedIn>, DbError> {
    earned_by(&mut db.snapshot().await?, node, rules, now_ms).await
}

/// The last job that a node had a part in, of those that have ended.
pub async fn last_job_of(db: &Db, node: NodeId) -> Result<Option<JobId>, DbError> {
    let found: Option<LastJob> = db.optional(&LAST_JOB_OF, args![node]).await?;
    Ok(found.map(|found| found.0))
}

/// What an operator's nodes were paid and is not its own yet: it cannot leave its account.
pub async fn immature_of(
    db: &Db,
    operator: OperatorId,
    rules: Maturity,
    now_ms: i64,
) -> Result<NotYetOwn, DbError> {
    let mut tx = db.snapshot().await?;
    immature_in(&mut tx, operator, rules, now_ms).await
}

pub(super) async fn immature_in(
    tx: &mut Tx,
    operator: OperatorId,
    rules: Maturity,
    now_ms: i64,
) -> Result<NotYetOwn, DbError> {
    let (mut after, mut sum) = (String::new(), NotYetOwn::default());
    loop {
        let page: Vec<Node> = tx.all(&OF_OPERATOR, args![&after, ROWS_PER_FETCH, operator]).await?;
        let Some(last) = page.last() else { return Ok(sum) };
        after = last.0.to_string();
        for Node(node) in page {
            for job in paid_to(tx, node, rules, now_ms).await? {
                sum.pay = Nano(sum.pay.0.saturating_add(job.earned.pay.0));
                let withdrawable = sum.withdrawable.0.saturating_add(job.withdrawable.0);
                sum.withdrawable = Nano(withdrawable);
            }
        }
    }
}

async fn earned_by(
    tx: &mut Tx,
    node: NodeId,
    rules: Maturity,
    now_ms: i64,
) -> Result<Vec<EarnedIn>, DbError> {
    let paid = paid_to(tx, node, rules, now_ms).await?;
    Ok(paid.into_iter().map(|Paid { job, earned, .. }| EarnedIn { job, earned }).collect())
}

/// A node's jobs whose pay is immature, the last first.
pub(super) async fn jobs_of(
    tx: &mut Tx,
    node: NodeId,
    rules: Maturity,
    now_ms: i64,
) -> Result<Vec<Earned>, DbError> {
    let paid = paid_to(tx, node, rules, now_ms).await?;
    Ok(paid.into_iter().map(|paid| paid.earned).collect())
}

async fn paid_to(
    tx: &mut Tx,
    node: NodeId,
    rules: Maturity,
    now_ms: i64,
) -> Result<Vec<Paid>, DbError> {
    let mut immature = Immature::at(rules, now_ms);
    let mut jobs = Vec::new();
    let mut before = (LAST_JOB.to_owned(), i64::MAX);
    loop {
        let (job, part) = &before;
        let page: Vec<Paid> = tx.all(&OF_NODE, args![node, job, *part, ROWS_PER_FETCH]).await?;
        let Some(last) = page.last() else { return Ok(jobs) };
        before = (last.job.to_string(), last.part);
        for paid in page {
            if jobs.len() >= JOBS_MAX || !immature.add(paid.earned) {
                return Ok(jobs);
            }
            jobs.push(paid);
        }
    }
}

/// One part's share of what its operator can take out of a job one day, rounded up: what is kept back is never too little.
fn withdrawable_part(pay: Nano, earned: Nano, withdrawable: Nano) -> Nano {
    let (pay, earned) = (i128::from(pay.0), i128::from(earned.0.max(1)));
    let wide = (pay * i128::from(withdrawable.0) + earned - 1) / earned;
    Nano(i64::try_from(wide).unwrap_or(i64::MAX))
}

struct Node(NodeId);

struct LastJob(JobId);

struct Paid {
    job: JobId,
    part: i64,
    earned: Earned,
    /// Of its pay.
    withdrawable: Nano,
}

impl Record for Node {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("id").map(Self)
    }
}

impl Record for LastJob {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("job").map(Self)
    }
}

impl Record for Paid {
    fn read(row: &Row) -> Result<Self, DbError> {
        let (pay, ended_ms) = (row.get("pay")?, row.get("ended_ms")?);
        let earned = Earned { pay, ended_ms, checked_micro: row.get("checked_micro")? };
        let (of, withdrawable) = (row.get("earned")?, row.get("withdrawable")?);
        let withdrawable = withdrawable_part(pay, of, withdrawable);
        Ok(Self { job: row.get("job")?, part: row.get("part")?, earned, withdrawable })
    }
}

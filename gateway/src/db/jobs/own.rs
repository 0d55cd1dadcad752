//! Jobs as one operator may see them: the parts of its own nodes, and nothing else.

use assay_ledger::Nano;
use assay_protocol::{JobId, NodeId};
use serde::Serialize;

use crate::db::{
    Db, DbError, OperatorId, Page, Paged,
    statement::statements,
    value::{Record, Row, args},
};

statements! { "jobs::own";
    // An absent filter is an empty text; pay is wanted from $4 to $5.
    plain LIST = "select job_node.job, job_node.part, job_node.node, job.model, job.state, job_node.round,
            job_node.role, job_node.outcome, job_node.reason, job_node.evidence, job_node.tokens,
            job_node.pay, job_node.elapsed_ms, job.ended_ms,
            late_outcome, late_reason, late_evidence, late_ms, refuted_ms
        from job_node join node on node.id = job_node.node join job on job.id = job_node.job
        where node.operator = $1 and ($2 = '' or job_node.node = $2)
            and job_node.pay >= $3 and job_node.pay <= $4
            and (job.ended_ms < $5 or (job.ended_ms = $5 and job_node.job || '/' || job_node.part < $6))
        order by job.ended_ms desc, job_node.job || '/' || job_node.part desc limit $7";
    plain OF_JOB = "select job_node.job, job_node.part, job_node.node, job.model, job.state, job_node.round,
            job_node.role, job_node.outcome, job_node.reason, job_node.evidence, job_node.tokens,
            job_node.pay, job_node.elapsed_ms, job.ended_ms,
            late_outcome, late_reason, late_evidence, late_ms, refuted_ms
        from job_node join node on node.id = job_node.node join job on job.id = job_node.job
        where node.operator = $1 and job_node.job = $2 order by job_node.part";
}

/// One node's part in a job that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnPartRow {
    pub job: JobId,
    part: i64,
    pub node: NodeId,
    pub model: String,
    pub job_state: String,
    pub round: u8,
    pub role: String,
    pub outcome: String,
    pub reason: String,
    /// JSON.
    pub evidence: String,
    pub tokens: u32,
    pub pay: Nano,
    pub elapsed_ms: i64,
    pub ended_ms: i64,
    /// What an audit held against it after the end.
    pub late: Option<LateFinding>,
}

/// An audit that found an answer at fault after its job had ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LateFinding {
    /// The word of an [`assay_protocol::Outcome`].
    pub outcome: String,
    pub reason: String,
    /// JSON.
    pub evidence: String,
    pub at_ms: i64,
    /// The model speaks against the answer that the client has.
    pub refuted: bool,
}

/// The parts of an operator's nodes, the last first; of one node, paid or unpaid ones, if wanted.
pub async fn list(
    db: &Db,
    operator: OperatorId,
    node: Option<NodeId>,
    paid: Option<bool>,
    page: &Page,
) -> Result<Paged<OwnPartRow>, DbError> {
    let (time, name) = page.before_time()?;
    let node = node.map(|node| node.to_string()).unwrap_or_default();
    let (least, most): (i64, i64) = match paid {
        None => (0, i64::MAX),
        Some(true) => (1, i64::MAX),
        Some(false) => (0, 0),
    };
    let args = args![operator, node, least, most, time, name, page.fetch()];
    let rows = db.all(&LIST, args).await?;
    Ok(Paged::cut(rows, page, |row: &OwnPartRow| {
        format!("{}.{}/{}", row.ended_ms, row.job, row.part)
    }))
}

/// The parts of an operator's nodes in one job.
pub async fn of_job(db: &Db, operator: OperatorId, job: JobId) -> Result<Vec<OwnPartRow>, DbError> {
    db.all(&OF_JOB, args![operator, job]).await
}

impl Record for OwnPartRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            job: row.get("job")?,
            part: row.get("part")?,
            node: row.get("node")?,
            model: row.get("model")?,
            job_state: row.get("state")?,
            round: row.get("round")?,
            role: row.get("role")?,
            outcome: row.get("outcome")?,
            reason: row.get("reason")?,
            evidence: row.get("evidence")?,
            tokens: row.get("tokens")?,
            pay: row.get("pay")?,
            elapsed_ms: row.get("elapsed_ms")?,
            ended_ms: row.get("ended_ms")?,
            late: LateFinding::of(row)?,
        })
    }
}

impl LateFinding {
    /// Of a row about a node's part, if there is one.
    pub(super) fn of(row: &Row) -> Result<Option<Self>, DbError> {
        let Some(outcome) = row.maybe("late_outcome")? else { return Ok(None) };
        Ok(Some(Self {
            outcome,
            reason: row.get("late_reason")?,
            evidence: row.get("late_evidence")?,
            at_ms: row.get("late_ms")?,
            refuted: row.maybe::<i64>("refuted_ms")?.is_some(),
        }))
    }
}

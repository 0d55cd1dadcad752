//! Reads jobs, with every node's verdict and pay.

use assay_ledger::{AccountId, Nano};
use assay_protocol::{JobId, NodeId};
use serde::Serialize;

use super::{JobState, LateFinding};
use crate::db::{
    Db, DbError, KeyId, Page, Paged,
    statement::statements,
    value::{Record, Row, args},
};

statements! { "jobs::rows";
    plain FIND = "select id, gateway, account, api_key, model, policy, prompt_tokens, max_tokens, hold,
            created_ms, state, finish, completion_tokens, rounds, cost, fee, reserve, returned, reason,
            code, verdict, ended_ms
        from job where id = $1";
    // An absent filter is 0 or an empty text.
    plain LIST = "select id, gateway, account, api_key, model, policy, prompt_tokens, max_tokens, hold,
            created_ms, state, finish, completion_tokens, rounds, cost, fee, reserve, returned, reason,
            code, verdict, ended_ms
        from job
        where (created_ms < $1 or (created_ms = $1 and id < $2))
            and (account = $4 or $4 = 0)
            and (state = $5 or $5 = '')
            and ($6 = '' or exists (select 1 from job_node where node = $6 and job_node.job = job.id))
        order by created_ms desc, id desc limit $3";
    plain NODES = "select round, role, node, outcome, reason, evidence, tokens, pay, elapsed_ms,
            late_outcome, late_reason, late_evidence, late_ms, refuted_ms
        from job_node where job = $1 order by part";
}

/// Which jobs to list; what is absent does not matter.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    pub account: Option<AccountId>,
    pub state: Option<JobState>,
    /// Jobs that this node had a part in.
    pub node: Option<NodeId>,
}

/// A job. What is only known at its end is zero, empty or absent before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobRow {
    pub id: JobId,
    pub gateway: String,
    pub account: AccountId,
    pub key: KeyId,
    pub model: String,
    pub policy: String,
    pub prompt_tokens: u32,
    pub max_tokens: u32,
    pub hold: Nano,
    pub created_ms: i64,
    pub state: JobState,
    pub finish: Option<String>,
    pub completion_tokens: u32,
    pub rounds: u8,
    pub cost: Nano,
    pub fee: Nano,
    pub reserve: Nano,
    pub returned: Nano,
    pub reason: String,
    /// Of a failed job, a stable code.
    pub code: Option<String>,
    /// JSON.
    pub verdict: Option<String>,
    pub ended_ms: Option<i64>,
    /// In the order in which the end named them; empty while it runs.
    pub nodes: Vec<JobNodeRow>,
}

/// One node's part in a round of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JobNodeRow {
    pub round: u8,
    /// `generate` or `score`.
    pub role: String,
    pub node: NodeId,
    /// The word of an [`assay_protocol::Outcome`].
    pub outcome: String,
    pub reason: String,
    /// JSON.
    pub evidence: String,
    pub tokens: u32,
    pub pay: Nano,
    pub elapsed_ms: i64,
    /// What an audit held against it after the end.
    pub late: Option<LateFinding>,
}

/// The job.
pub async fn find(db: &Db, id: JobId) -> Result<Option<JobRow>, DbError> {
    let Some(mut job) = db.optional::<JobRow>(&FIND, args![id]).await? else { return Ok(None) };
    job.nodes = db.all(&NODES, args![id]).await?;
    Ok(Some(job))
}

/// Jobs, the last first.
pub async fn list(db: &Db, filter: &JobFilter, page: &Page) -> Result<Paged<JobRow>, DbError> {
    let (time, id) = page.before_time()?;
    let account = filter.account.unwrap_or(AccountId(0));
    let state = filter.state.map_or("", JobState::as_str);
    let node = filter.node.map(|node| node.to_string()).unwrap_or_default();
    let rows = db.all(&LIST, args![time, id, page.fetch(), account, state, node]).await?;
    let mut jobs = Paged::cut(rows, page, |job: &JobRow| format!("{}.{}", job.created_ms, job.id));
    for job in &mut jobs.rows {
        job.nodes = db.all(&NODES, args![job.id]).await?;
    }
    Ok(jobs)
}

impl Record for JobRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            gateway: row.get("gateway")?,
            account: row.get("account")?,
            key: row.get("api_key")?,
            model: row.get("model")?,
            policy: row.get("policy")?,
            prompt_tokens: row.get("prompt_tokens")?,
            max_tokens: row.get("max_tokens")?,
            hold: row.get("hold")?,
            created_ms: row.get("created_ms")?,
            state: row.get("state")?,
            finish: row.maybe("finish")?,
            completion_tokens: row.get("completion_tokens")?,
            rounds: row.get("rounds")?,
            cost: row.get("cost")?,
            fee: row.get("fee")?,
            reserve: row.get("reserve")?,
            returned: row.get("returned")?,
            reason: row.get("reason")?,
            code: row.maybe("code")?,
            verdict: row.maybe("verdict")?,
            ended_ms: row.maybe("ended_ms")?,
            nodes: Vec::new(),
        })
    }
}

impl Record for JobNodeRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            round: row.get("round")?,
            role: row.get("role")?,
            node: row.get("node")?,
            outcome: row.get("outcome")?,
            reason: row.get("reason")?,
            evidence: row.get("evidence")?,
            tokens: row.get("tokens")?,
            pay: row.get("pay")?,
            elapsed_ms: row.get("elapsed_ms")?,
            late: LateFinding::of(row)?,
        })
    }
}

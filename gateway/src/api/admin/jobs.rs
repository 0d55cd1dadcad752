//! Jobs, each with what every node did, why, and what it was paid.

use assay_ledger::AccountId;
use assay_protocol::{JobId, NodeId};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::{IdOf, Listing, PageQuery, Params};
use crate::{
    api::{
        Admin, ApiError,
        late_audit::{Explained, LateAudit, json},
    },
    app::App,
    db::{
        self,
        jobs::{JobFilter, JobNodeRow, JobRow, JobState},
    },
    openai::ErrorBody,
    verification::PartEvidence,
};

/// A job. Once it has ended, `cost_nano + returned_nano = hold_nano`, and the cost is what its nodes
/// were paid, the fee and the reserve together.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Job {
    #[schema(value_type = String)]
    pub id: JobId,
    pub account_id: i64,
    pub key_id: i64,
    pub model: String,
    /// `low`, `standard` or `high`.
    pub risk: String,
    /// `running`, `succeeded`, `cancelled` (the client left) or `failed`.
    pub state: &'static str,
    /// One sentence: why it ended so.
    pub reason: String,
    /// Of a failed one, a stable code: docs/reasons.md, about a request.
    #[schema(required)]
    pub code: Option<String>,
    /// `stop` or `length`; null without a whole answer.
    #[schema(required)]
    pub finish_reason: Option<String>,
    pub prompt_tokens: u32,
    pub max_tokens: u32,
    pub completion_tokens: u32,
    /// Sets of nodes that were asked.
    pub rounds: u8,
    /// Held at the start, in 1e-9 credit.
    pub hold_nano: i64,
    pub cost_nano: i64,
    pub fee_nano: i64,
    pub reserve_nano: i64,
    pub returned_nano: i64,
    /// What the client got as `x_assay`; null without a whole answer.
    #[schema(required, value_type = Option<Object>)]
    pub verdict: Option<Value>,
    pub created_ms: i64,
    #[schema(required)]
    pub ended_ms: Option<i64>,
    /// By round, role and node; empty while the job runs.
    pub nodes: Vec<JobNode>,
}

/// One node's part in a job.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JobNode {
    #[schema(value_type = String)]
    pub node_id: NodeId,
    /// From 1.
    pub round: u8,
    /// `generate` or `score`.
    pub role: String,
    /// A stable code; GET /operator/v1/reasons says what each means.
    pub outcome: String,
    /// One sentence: why paid or not.
    pub reason: String,
    /// What was looked at and found; empty for a job that was cut off.
    #[schema(value_type = PartEvidence)]
    pub evidence: Value,
    /// With `failed_audit`: code, sentence and evidence are the audit's, and this says how the job ended before.
    #[schema(required)]
    pub late_audit: Option<LateAudit>,
    pub tokens: u32,
    /// In 1e-9 credit.
    pub pay_nano: i64,
    pub elapsed_ms: i64,
}

/// Which jobs to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct JobQuery {
    /// Only this account's.
    account_id: Option<i64>,
    /// Only `running`, `succeeded`, `cancelled` or `failed` ones.
    state: Option<String>,
    /// Only jobs that this node had a part in.
    node_id: Option<Uuid>,
}

/// List jobs, the newest first
#[utoipa::path(
    operation_id = "admin_jobs_list",
    get, path = "/admin/v1/jobs", tag = "admin", security(("admin_session" = [])),
    params(JobQuery, PageQuery),
    responses((status = 200, body = Listing<Job>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)),
)]
pub async fn list(
    State(app): State<App>,
    _: Admin,
    Params(jobs): Params<JobQuery>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Job>>, ApiError> {
    let state = jobs.state.as_deref().map(|word| {
        let message = "A state is running, succeeded, cancelled or failed.";
        JobState::parse(word).ok_or_else(|| ApiError::bad_field("state", message))
    });
    let filter = JobFilter {
        account: jobs.account_id.map(AccountId),
        state: state.transpose()?,
        node: jobs.node_id.map(NodeId),
    };
    let paged = db::jobs::list(&app.db, &filter, &query.page()).await?;
    Ok(Json(Listing::of(paged, Job::from)))
}

/// Look a job up
///
/// With each node's verdict, reason and pay.
#[utoipa::path(
    operation_id = "admin_jobs_find",
    get, path = "/admin/v1/jobs/{id}", tag = "admin", security(("admin_session" = [])),
    params(("id" = String, Path, description = "The job's id, from `x-assay-job`.")),
    responses((status = 200, body = Job), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn find(
    State(app): State<App>,
    _: Admin,
    IdOf(id): IdOf<Uuid>,
) -> Result<Json<Job>, ApiError> {
    let row = db::jobs::find(&app.db, JobId(id)).await?;
    row.map(|row| Json(row.into())).ok_or_else(|| ApiError::not_found("job"))
}

impl From<JobRow> for Job {
    fn from(row: JobRow) -> Self {
        Self {
            id: row.id,
            account_id: row.account.0,
            key_id: row.key.0,
            model: row.model,
            risk: row.policy,
            state: row.state.as_str(),
            reason: row.reason,
            code: row.code,
            finish_reason: row.finish,
            prompt_tokens: row.prompt_tokens,
            max_tokens: row.max_tokens,
            completion_tokens: row.completion_tokens,
            rounds: row.rounds,
            hold_nano: row.hold.0,
            cost_nano: row.cost.0,
            fee_nano: row.fee.0,
            reserve_nano: row.reserve.0,
            returned_nano: row.returned.0,
            verdict: row.verdict.as_deref().map(json),
            created_ms: row.created_ms,
            ended_ms: row.ended_ms,
            nodes: row.nodes.into_iter().map(JobNode::from).collect(),
        }
    }
}

impl From<JobNodeRow> for JobNode {
    fn from(row: JobNodeRow) -> Self {
        let Explained { outcome, reason, evidence, late_audit } =
            Explained::of(row.outcome, row.reason, &row.evidence, row.late);
        Self {
            node_id: row.node,
            round: row.round,
            role: row.role,
            outcome,
            reason,
            evidence,
            late_audit,
            tokens: row.tokens,
            pay_nano: row.pay.0,
            elapsed_ms: row.elapsed_ms,
        }
    }
}

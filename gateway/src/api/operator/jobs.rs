//! An operator's jobs: what each of its nodes is doing, what it did, whether it was paid, why, and on what evidence.
//! Nothing of the client, and nothing of other operators' nodes.

use assay_protocol::{JobId, JobKind, NodeId};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Operator;
use crate::{
    api::{
        ApiError,
        admin::{IdOf, Listing, PageQuery, Params},
        late_audit::{Explained, LateAudit},
    },
    app::App,
    db::{self, jobs::own::OwnPartRow},
    nodes::{HeldJob, presence},
    openai::ErrorBody,
    reasons::{About, Reason},
    verification::PartEvidence,
};

/// Jobs that run, in one answer.
const RUNNING_SHOWN_MAX: usize = 200;

/// A job that a node of yours holds right now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunningPart {
    #[schema(value_type = String)]
    pub job_id: JobId,
    #[schema(value_type = String)]
    pub node_id: NodeId,
    pub model: String,
    /// `generate`, `score` or `embed`.
    #[schema(value_type = String)]
    pub kind: JobKind,
    /// Set of nodes, from 1.
    pub round: u8,
    /// Output tokens that the node has sent so far.
    pub tokens: u32,
    /// When the node was asked.
    pub since_ms: i64,
}

/// What your nodes are doing right now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RunningParts {
    /// At most 200, those asked last first.
    pub data: Vec<RunningPart>,
    /// All that run.
    pub total: u32,
}

/// One node's part in a job that has ended.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnPart {
    #[schema(value_type = String)]
    pub job_id: JobId,
    #[schema(value_type = String)]
    pub node_id: NodeId,
    pub model: String,
    /// `running`, `succeeded`, `cancelled` (the client left) or `failed`.
    pub job_state: String,
    /// Set of nodes, from 1.
    pub round: u8,
    /// `generate` or `score`.
    pub role: String,
    /// A stable code; GET /operator/v1/reasons says what each means.
    pub outcome: String,
    /// What that code means.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// One sentence about this very part.
    pub reason: String,
    /// What was looked at and found: positions, margins, how many other owners agreed, timing; empty for a job that was
    /// cut off.
    #[schema(value_type = PartEvidence)]
    pub evidence: Value,
    /// With `failed_audit`: code, sentence and evidence are the audit's, and this says how the job ended before.
    #[schema(required)]
    pub late_audit: Option<LateAudit>,
    pub tokens: u32,
    /// In 1e-9 credit.
    pub pay_nano: i64,
    pub elapsed_ms: i64,
    pub ended_ms: i64,
}

/// Which parts to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PartQuery {
    /// Only of this node of yours.
    node_id: Option<Uuid>,
    /// Only `paid` or `unpaid` ones.
    pay: Option<String>,
}

/// Your nodes' parts in jobs, the last first
///
/// Only of jobs that have ended: a verdict is not known before.
#[utoipa::path(
    operation_id = "operator_jobs_list",
    get, path = "/operator/v1/jobs", tag = "operators", security(("operator_session" = [])),
    params(PartQuery, PageQuery),
    responses((status = 200, body = Listing<OwnPart>), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)),
)]
pub async fn list(
    State(app): State<App>,
    operator: Operator,
    Params(parts): Params<PartQuery>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<OwnPart>>, ApiError> {
    let paid = match parts.pay.as_deref() {
        None => None,
        Some("paid") => Some(true),
        Some("unpaid") => Some(false),
        Some(_) => return Err(ApiError::bad_field("pay", "'pay' is paid or unpaid.")),
    };
    let node = parts.node_id.map(NodeId);
    let paged = db::jobs::own::list(&app.db, operator.id, node, paid, &query.page()).await?;
    Ok(Json(Listing::of(paged, OwnPart::from)))
}

/// What your nodes are doing right now
///
/// Tests by the gateway are among them, and look like any other job. Of nodes that are connected to another gateway than
/// the one that answers, as that one last told: at most 10 seconds ago.
#[utoipa::path(
    operation_id = "operator_jobs_running",
    get, path = "/operator/v1/jobs/running", tag = "operators", security(("operator_session" = [])),
    responses((status = 200, body = RunningParts), (status = 401, body = ErrorBody)),
)]
pub async fn running(
    State(app): State<App>,
    operator: Operator,
) -> Result<Json<RunningParts>, ApiError> {
    let held = presence::jobs_of(&app, operator.id).await?;
    let total = u32::try_from(held.len()).unwrap_or(u32::MAX);
    let data = held.into_iter().take(RUNNING_SHOWN_MAX).map(RunningPart::from).collect();
    Ok(Json(RunningParts { data, total }))
}

/// Your nodes' parts in one job
///
/// Why was I paid, or not?
#[utoipa::path(
    operation_id = "operator_jobs_find",
    get, path = "/operator/v1/jobs/{id}", tag = "operators", security(("operator_session" = [])),
    params(("id" = String, Path, description = "The job's id, from the node's log.")),
    responses((status = 200, body = Vec<OwnPart>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn find(
    State(app): State<App>,
    operator: Operator,
    IdOf(id): IdOf<Uuid>,
) -> Result<Json<Vec<OwnPart>>, ApiError> {
    let parts = db::jobs::own::of_job(&app.db, operator.id, JobId(id)).await?;
    if parts.is_empty() {
        return Err(ApiError::not_found("job of your nodes"));
    }
    Ok(Json(parts.into_iter().map(OwnPart::from).collect()))
}

impl From<(NodeId, HeldJob)> for RunningPart {
    fn from((node_id, held): (NodeId, HeldJob)) -> Self {
        let HeldJob { job: job_id, model, kind, round, since_ms, tokens } = held;
        Self { job_id, node_id, model, kind, round, tokens, since_ms }
    }
}

impl From<OwnPartRow> for OwnPart {
    fn from(row: OwnPartRow) -> Self {
        let Explained { outcome, reason, evidence, late_audit } =
            Explained::of(row.outcome, row.reason, &row.evidence, row.late);
        let code = Reason::find(About::Outcome, &outcome);
        Self {
            job_id: row.job,
            node_id: row.node,
            model: row.model,
            job_state: row.job_state,
            round: row.round,
            role: row.role,
            meaning: code.map_or("", Reason::meaning),
            remedy: code.map_or("", Reason::remedy),
            outcome,
            reason,
            evidence,
            late_audit,
            tokens: row.tokens,
            pay_nano: row.pay.0,
            elapsed_ms: row.elapsed_ms,
            ended_ms: row.ended_ms,
        }
    }
}

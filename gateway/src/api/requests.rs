//! `GET /v1/credits/requests`: what each request of an account cost, and how its answer was verified.

use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    ApiError, CreditsRead,
    admin::{Listing, PageQuery, Params},
};
use crate::{
    app::App,
    db::{
        self,
        jobs::{JobFilter, JobRow},
    },
    openai::ErrorBody,
};

/// A request of the account.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AskedRequest {
    pub id: String,
    pub model: String,
    /// `low`, `standard` or `high`.
    pub risk: String,
    /// `running`, `succeeded`, `cancelled` or `failed`.
    pub state: &'static str,
    /// One sentence: why it ended so.
    pub reason: String,
    /// Of a failed one, a stable code: docs/reasons.md, about a request.
    #[schema(required)]
    pub code: Option<String>,
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
    /// In 1e-9 credit; 0 while it runs.
    pub cost_nano: i64,
    /// How the answer was verified; null without a whole answer.
    #[schema(required, value_type = Option<Object>)]
    pub verdict: Option<Value>,
    pub created_ms: i64,
    #[schema(required)]
    pub ended_ms: Option<i64>,
}

/// Your requests, the last first
#[utoipa::path(
    operation_id = "credits_requests",
    get, path = "/v1/credits/requests", tag = "credits", security(("api_key" = [])),
    params(PageQuery),
    responses((status = 200, body = Listing<AskedRequest>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)),
)]
pub async fn list(
    State(app): State<App>,
    CreditsRead(caller): CreditsRead,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<AskedRequest>>, ApiError> {
    let own = JobFilter { account: Some(caller.account), ..JobFilter::default() };
    let paged = db::jobs::list(&app.db, &own, &query.page()).await?;
    Ok(Json(Listing::of(paged, AskedRequest::from)))
}

impl From<JobRow> for AskedRequest {
    fn from(row: JobRow) -> Self {
        Self {
            id: row.id.to_string(),
            model: row.model,
            risk: row.policy,
            state: row.state.as_str(),
            reason: row.reason,
            code: row.code,
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            cost_nano: row.cost.0,
            verdict: row.verdict.and_then(|verdict| serde_json::from_str(&verdict).ok()),
            created_ms: row.created_ms,
            ended_ms: row.ended_ms,
        }
    }
}

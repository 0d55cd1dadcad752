//! How a node's record came to be what it is: the checks that counted, and what each made of it.

use assay_protocol::{JobId, NodeId};
use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::Operator;
use crate::{
    api::{
        ApiError,
        admin::{IdOf, Listing, PageQuery, Params},
    },
    app::App,
    db::{
        self,
        reputation::history::{self, CheckRow},
    },
    openai::ErrorBody,
};

/// A check of one of your node's answers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RecordedCheck {
    pub model: String,
    /// From 1, for this node and model.
    pub number: i64,
    /// The job whose answer was checked.
    #[schema(value_type = String)]
    pub job_id: JobId,
    pub at_ms: i64,
    pub passed: bool,
    /// What it could teach, 0 to 1: answers that anybody could have guessed teach nothing.
    pub weight: f64,
    /// After it: the lower bound of the share of good answers, 0 to 1, …
    pub correctness: f64,
    /// … and the decayed sums that it comes from.
    pub passes: f64,
    pub failures: f64,
}

/// Which checks to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CheckQuery {
    /// Only of answers of this model.
    model: Option<String>,
}

/// The history of a node's reputation, the last check first
///
/// Only checks that taught something: nothing else moves a reputation.
#[utoipa::path(
    operation_id = "operator_nodes_reputation",
    get, path = "/operator/v1/nodes/{id}/reputation", tag = "operators", security(("operator_session" = [])),
    params(("id" = String, Path), CheckQuery, PageQuery),
    responses(
        (status = 200, body = Listing<RecordedCheck>), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    ),
)]
pub async fn list(
    State(app): State<App>,
    operator: Operator,
    IdOf(id): IdOf<Uuid>,
    Params(checks): Params<CheckQuery>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<RecordedCheck>>, ApiError> {
    let node = db::nodes::find(&app.db, NodeId(id)).await?;
    let node = node.filter(|node| node.operator == operator.id);
    let node = node.ok_or_else(|| ApiError::not_found("node"))?;
    let model = checks.model.as_deref();
    let paged = history::of_node(&app.db, node.id, model, &query.page()).await?;
    Ok(Json(Listing::of(paged, RecordedCheck::from)))
}

impl From<CheckRow> for RecordedCheck {
    fn from(row: CheckRow) -> Self {
        Self {
            model: row.model,
            number: row.number,
            job_id: row.job,
            at_ms: row.at_ms,
            passed: row.passed,
            weight: row.weight,
            correctness: row.evidence.correctness(),
            passes: row.evidence.passes,
            failures: row.evidence.failures,
        }
    }
}

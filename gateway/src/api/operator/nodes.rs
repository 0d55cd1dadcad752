//! An operator's nodes: where each stands, why it gets jobs or none right now, and tokens for new ones.

use assay_protocol::NodeId;
use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Operator, reasons::ReasonView};
use crate::{
    api::{
        ApiError, JsonBody,
        admin::{
            IdOf, Listing, PageQuery, Params,
            nodes::{Node, views},
            operators::{NewTokenRequest, NewTokenResponse, make_enrolment_token},
        },
    },
    app::App,
    db::{self, By},
    openai::ErrorBody,
    reasons::{About, Reason},
};

/// A node, to its operator.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OwnNode {
    #[serde(flatten)]
    pub node: Node,
    /// Whether it is in the draw for the next job.
    pub gets_jobs: bool,
    /// Why it gets jobs, or none, right now.
    pub jobs_now: ReasonView,
}

/// Your nodes
#[utoipa::path(
    operation_id = "operator_nodes_list",
    get, path = "/operator/v1/nodes", tag = "operators", security(("operator_session" = [])),
    params(PageQuery),
    responses((status = 200, body = Listing<OwnNode>), (status = 401, body = ErrorBody)),
)]
pub async fn list(
    State(app): State<App>,
    operator: Operator,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<OwnNode>>, ApiError> {
    let paged = db::nodes::list_of(&app.db, operator.id, &query.page()).await?;
    let data = views(&app, paged.rows).await?.into_iter().map(own).collect();
    Ok(Json(Listing { data, next: paged.next }))
}

/// Look one of your nodes up
#[utoipa::path(
    operation_id = "operator_nodes_find",
    get, path = "/operator/v1/nodes/{id}", tag = "operators", security(("operator_session" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = OwnNode), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn find(
    State(app): State<App>,
    operator: Operator,
    IdOf(id): IdOf<Uuid>,
) -> Result<Json<OwnNode>, ApiError> {
    let row = db::nodes::find(&app.db, NodeId(id)).await?;
    let row = row.filter(|row| row.operator == operator.id);
    let node = views(&app, row.into_iter().collect()).await?.pop();
    Ok(Json(own(node.ok_or_else(|| ApiError::not_found("node"))?)))
}

/// Make an enrolment token
///
/// `node-agent enrol --token …` spends it: once, before it expires.
#[utoipa::path(
    operation_id = "operator_enrolment_token",
    post, path = "/operator/v1/enrolment-tokens", tag = "operators", security(("operator_session" = [])),
    request_body = NewTokenRequest,
    responses(
        (status = 201, body = NewTokenResponse),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "You have as many unused tokens as you may."),
    ),
)]
pub async fn enrolment_token(
    State(app): State<App>,
    operator: Operator,
    JsonBody(request): JsonBody<NewTokenRequest>,
) -> Result<(StatusCode, Json<NewTokenResponse>), ApiError> {
    let token = make_enrolment_token(&app, operator.id, request, By::Own).await?;
    tracing::info!(operator = operator.id.0, "an operator made an enrolment token");
    Ok((StatusCode::CREATED, Json(token)))
}

fn own(node: Node) -> OwnNode {
    let reason = jobs_now(&node);
    let gets_jobs = matches!(reason, Reason::Proven | Reason::Unproven);
    OwnNode { gets_jobs, jobs_now: reason.into(), node }
}

/// Why a node gets jobs or none, right now.
fn jobs_now(node: &Node) -> Reason {
    let hosted = node.serves.iter().filter(|served| served.matches_manifest);
    let slots: u32 = hosted.map(|served| served.slots).sum();
    match Reason::find(About::Node, node.code) {
        Some(Reason::Proven | Reason::Unproven) if node.jobs_running >= slots => Reason::Busy,
        Some(reason) => reason,
        None => Reason::Offline,
    }
}

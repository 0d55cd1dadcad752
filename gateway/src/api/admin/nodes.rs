//! Nodes: where each stands and why, which ones score, which are banned.

mod view;

use assay_protocol::{NodeId, StandingCode};
use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use view::view;
pub use view::{Admitted, Forfeit, ForfeitRefund, Node, NodePerformance, Reputation, Serves};

use super::{IdOf, Listing, PageQuery, Params, text};
use crate::{
    api::{Admin, ApiError, JsonBody},
    app::App,
    clock,
    db::{self, NodeRow},
    nodes::{presence, standing},
    openai::ErrorBody,
};

/// What can be changed.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub struct NodeChange {
    /// True makes it a scorer: its word decides about other nodes' pay.
    trusted: bool,
}

/// Why a node is banned.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct BanRequest {
    /// A sentence that its operator will read; at most 200 bytes.
    reason: String,
}

/// List nodes
#[utoipa::path(
    operation_id = "admin_nodes_list",
    get, path = "/admin/v1/nodes", tag = "admin", security(("admin_session" = [])),
    params(PageQuery),
    responses((status = 200, body = Listing<Node>), (status = 401, body = ErrorBody)),
)]
pub async fn list(
    State(app): State<App>,
    _: Admin,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Node>>, ApiError> {
    let paged = db::nodes::list(&app.db, &query.page()).await?;
    let data = views(&app, paged.rows).await?;
    Ok(Json(Listing { data, next: paged.next }))
}

/// Look a node up
#[utoipa::path(
    operation_id = "admin_nodes_find",
    get, path = "/admin/v1/nodes/{id}", tag = "admin", security(("admin_session" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = Node), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn find(
    State(app): State<App>,
    _: Admin,
    IdOf(id): IdOf<Uuid>,
) -> Result<Json<Node>, ApiError> {
    look_up(&app, NodeId(id)).await
}

/// Make a node a scorer, or an ordinary one again
#[utoipa::path(
    operation_id = "admin_nodes_change",
    patch, path = "/admin/v1/nodes/{id}", tag = "admin", security(("admin_session" = [])),
    params(("id" = String, Path)), request_body = NodeChange,
    responses(
        (status = 200, body = Node), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    ),
)]
pub async fn change(
    State(app): State<App>,
    admin: Admin,
    IdOf(id): IdOf<Uuid>,
    JsonBody(NodeChange { trusted }): JsonBody<NodeChange>,
) -> Result<Json<Node>, ApiError> {
    let id = NodeId(id);
    db::nodes::set_trusted(&app.db, id, trusted, &admin.actor()).await?;
    app.nodes.set_trusted(id, trusted);
    look_up(&app, id).await
}

/// Ban a node
///
/// It is cut off at once, its jobs move on, and it cannot log in again until it is unbanned.
#[utoipa::path(
    operation_id = "admin_nodes_ban",
    post, path = "/admin/v1/nodes/{id}/ban", tag = "admin", security(("admin_session" = [])),
    params(("id" = String, Path)), request_body = BanRequest,
    responses(
        (status = 200, body = Node), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    ),
)]
pub async fn ban(
    State(app): State<App>,
    admin: Admin,
    IdOf(id): IdOf<Uuid>,
    JsonBody(request): JsonBody<BanRequest>,
) -> Result<Json<Node>, ApiError> {
    let (id, reason) = (NodeId(id), text("reason", request.reason)?);
    db::standing::ban(&app.db, id, &reason, &admin.actor()).await?;
    app.nodes.ban(id, StandingCode::ByAdmin, reason);
    look_up(&app, id).await
}

/// Let a node come back from a ban or a quarantine
///
/// It is tested like any other before it gets jobs; what its checks say of it stays.
#[utoipa::path(
    operation_id = "admin_nodes_unban",
    post, path = "/admin/v1/nodes/{id}/unban", tag = "admin", security(("admin_session" = [])),
    params(("id" = String, Path)),
    responses((status = 200, body = Node), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn unban(
    State(app): State<App>,
    admin: Admin,
    IdOf(id): IdOf<Uuid>,
) -> Result<Json<Node>, ApiError> {
    let id = NodeId(id);
    db::standing::let_back(&app.db, id, &admin.actor()).await?;
    standing::look(&app, id).await?;
    look_up(&app, id).await
}

async fn look_up(app: &App, id: NodeId) -> Result<Json<Node>, ApiError> {
    let row = db::nodes::find(&app.db, id).await?.ok_or_else(|| ApiError::not_found("node"))?;
    let node = views(app, vec![row]).await?.pop();
    Ok(Json(node.ok_or_else(|| ApiError::not_found("node"))?))
}

/// Nodes as they are now, at whichever gateway, with what they forfeited.
pub(in crate::api) async fn views(app: &App, rows: Vec<NodeRow>) -> Result<Vec<Node>, ApiError> {
    let mut nodes = Vec::with_capacity(rows.len());
    for row in rows {
        let forfeits = db::forfeits::of_node(&app.db, row.id).await?;
        let now = presence::find(app, row.id).await?;
        if app.nodes.snapshot_of(row.id).is_none() {
            app.pay.look(&app.db, row.id, clock::now_ms()).await?;
        }
        app.reputation.know(db::reputation::of_node(&app.db, row.id).await?);
        nodes.push(view(app, row, now.as_ref(), forfeits));
    }
    Ok(nodes)
}

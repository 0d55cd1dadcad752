//! Operators of nodes, and the one-time tokens that make their machines nodes.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{IdOf, Listing, PageQuery, Params, text};
use crate::{
    api::{Admin, ApiError, JsonBody},
    app::App,
    auth::{Secret, SecretKind},
    clock,
    db::{
        self, By,
        enrolments::NewEnrolment,
        operators::{NewOperator, OperatorId, OperatorRow},
    },
    openai::ErrorBody,
};

/// Longest life of an enrolment token: 30 days.
const TOKEN_MINUTES_MAX: u32 = 30 * 24 * 60;

/// An operator and what its nodes earned.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Operator {
    pub id: i64,
    /// The account that pay goes to.
    pub account_id: i64,
    pub name: String,
    /// Earned, in 1e-9 credit.
    pub available_nano: i64,
    /// What of it is not its own yet: a proven cheat forfeits what its node has of it. Null in lists.
    #[schema(required)]
    pub immature_nano: Option<i64>,
    pub created_ms: i64,
}

/// An operator to make.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NewOperatorRequest {
    /// For people; at most 200 bytes.
    name: String,
}

/// A token to make.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NewTokenRequest {
    /// 1 to 43200; left out: what the gateway's settings say.
    lasts_minutes: Option<u32>,
}

/// A token that was made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewTokenResponse {
    /// `et-…`, shown here and never again; good for one node.
    pub token: String,
    pub expires_ms: i64,
}

/// Make an operator
#[utoipa::path(
    operation_id = "admin_operators_create",
    post, path = "/admin/v1/operators", tag = "admin", security(("admin_session" = [])),
    request_body = NewOperatorRequest,
    responses((status = 201, body = Operator), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)),
)]
pub async fn create(
    State(app): State<App>,
    admin: Admin,
    JsonBody(request): JsonBody<NewOperatorRequest>,
) -> Result<(StatusCode, Json<Operator>), ApiError> {
    let new = NewOperator { name: text("name", request.name)?, created_ms: clock::now_ms() };
    let row = db::operators::create(&app.db, &new, &admin.actor()).await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// List operators
#[utoipa::path(
    operation_id = "admin_operators_list",
    get, path = "/admin/v1/operators", tag = "admin", security(("admin_session" = [])),
    params(PageQuery),
    responses((status = 200, body = Listing<Operator>), (status = 401, body = ErrorBody)),
)]
pub async fn list(
    State(app): State<App>,
    _: Admin,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Operator>>, ApiError> {
    let paged = db::operators::list(&app.db, &query.page()).await?;
    Ok(Json(Listing::of(paged, Operator::from)))
}

/// Look an operator up
#[utoipa::path(
    operation_id = "admin_operators_find",
    get, path = "/admin/v1/operators/{id}", tag = "admin", security(("admin_session" = [])),
    params(("id" = i64, Path)),
    responses((status = 200, body = Operator), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn find(
    State(app): State<App>,
    _: Admin,
    IdOf(id): IdOf<i64>,
) -> Result<Json<Operator>, ApiError> {
    let id = OperatorId(id);
    let row = db::operators::find(&app.db, id).await?;
    let row = row.ok_or_else(|| ApiError::not_found("operator"))?;
    let immature = db::pay::immature_of(&app.db, id, app.config.economy, clock::now_ms()).await?;
    Ok(Json(Operator { immature_nano: Some(immature.pay.0), ..row.into() }))
}

/// Make an enrolment token
///
/// `node-agent enrol --token …` spends it: once, before it expires.
#[utoipa::path(
    operation_id = "admin_operators_enrolment_token",
    post, path = "/admin/v1/operators/{id}/enrolment-tokens", tag = "admin",
    security(("admin_session" = [])),
    params(("id" = i64, Path)),
    request_body = NewTokenRequest,
    responses(
        (status = 201, body = NewTokenResponse),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody, description = "There is no such operator."),
        (status = 409, body = ErrorBody, description = "It has as many unused tokens as it may."),
    ),
)]
pub async fn enrolment_token(
    State(app): State<App>,
    admin: Admin,
    IdOf(id): IdOf<i64>,
    JsonBody(request): JsonBody<NewTokenRequest>,
) -> Result<(StatusCode, Json<NewTokenResponse>), ApiError> {
    let actor = admin.actor();
    let response = make_enrolment_token(&app, OperatorId(id), request, By::Admin(&actor)).await?;
    Ok((StatusCode::CREATED, Json(response)))
}

/// A one-time token for a node of this operator.
pub(in crate::api) async fn make_enrolment_token(
    app: &App,
    operator: OperatorId,
    request: NewTokenRequest,
    by: By<'_>,
) -> Result<NewTokenResponse, ApiError> {
    let minutes = request.lasts_minutes.unwrap_or(app.config.admin.enrolment_token_minutes);
    if !(1..=TOKEN_MINUTES_MAX).contains(&minutes) {
        let message = format!("'lasts_minutes' must be 1 to {TOKEN_MINUTES_MAX}.");
        return Err(ApiError::bad_field("lasts_minutes", message));
    }
    let token = Secret::new(SecretKind::Enrolment, rand::random());
    let created_ms = clock::now_ms();
    let expires_ms = created_ms + i64::from(minutes) * 60_000;
    let new = NewEnrolment { token_hash: token.hash(), operator, created_ms, expires_ms };
    db::enrolments::create(&app.db, &new, by).await?;
    Ok(NewTokenResponse { token: token.reveal().to_owned(), expires_ms })
}

impl From<OperatorRow> for Operator {
    fn from(row: OperatorRow) -> Self {
        Self {
            id: row.id.0,
            account_id: row.account.0,
            name: row.name,
            available_nano: row.available.0,
            immature_nano: None,
            created_ms: row.created_ms,
        }
    }
}

//! Accounts of clients, and the credit that an admin gives them.

use assay_ledger::{AccountId, AccountKind, Nano};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{IdOf, Listing, PageQuery, Params, remark, text};
use crate::{
    api::{Admin, ApiError, IdempotencyKey, JsonBody},
    app::App,
    clock,
    db::{
        self, OperatorId,
        accounts::{AccountRow, NewAccount},
        credits::NewGrant,
    },
    openai::ErrorBody,
};

/// An account and what it has.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Account {
    pub id: i64,
    /// `client` or `operator`.
    pub kind: &'static str,
    pub name: String,
    /// What can be spent or paid out, in 1e-9 credit.
    pub available_nano: i64,
    /// Set aside for running jobs, in 1e-9 credit.
    pub held_nano: i64,
    /// The operator that a client's account belongs to: none of that operator's nodes gets its jobs.
    #[schema(required)]
    pub operator_id: Option<i64>,
    pub created_ms: i64,
}

/// An account to make.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NewAccountRequest {
    /// For people; at most 200 bytes.
    name: String,
}

/// Credit to give.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct GrantRequest {
    /// In 1e-9 credit (a credit is one US dollar); more than 0.
    #[schema(minimum = 1)]
    amount_nano: i64,
    /// Why; shown in the journal. At most 200 bytes.
    #[serde(default)]
    note: String,
    /// The same key with the same content grants once; the header `Idempotency-Key` does the same.
    idempotency_key: Option<String>,
}

/// Whose an account is.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct OperatorRequest {
    /// Null for nobody's.
    #[schema(required)]
    operator_id: Option<i64>,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GrantResponse {
    /// Whether this very grant was made before, so that nothing moved now.
    pub repeated: bool,
    pub account: Account,
}

/// Make a client's account
#[utoipa::path(
    operation_id = "admin_accounts_create",
    post, path = "/admin/v1/accounts", tag = "admin", security(("admin_session" = [])),
    request_body = NewAccountRequest,
    responses((status = 201, body = Account), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)),
)]
pub async fn create(
    State(app): State<App>,
    admin: Admin,
    JsonBody(request): JsonBody<NewAccountRequest>,
) -> Result<(StatusCode, Json<Account>), ApiError> {
    let new = NewAccount { name: text("name", request.name)?, created_ms: clock::now_ms() };
    let row = db::accounts::create(&app.db, &new, &admin.actor()).await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// List accounts
#[utoipa::path(
    operation_id = "admin_accounts_list",
    get, path = "/admin/v1/accounts", tag = "admin", security(("admin_session" = [])),
    params(PageQuery),
    responses((status = 200, body = Listing<Account>), (status = 401, body = ErrorBody)),
)]
pub async fn list(
    State(app): State<App>,
    _: Admin,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Account>>, ApiError> {
    let paged = db::accounts::list(&app.db, &query.page()).await?;
    Ok(Json(Listing::of(paged, Account::from)))
}

/// Look an account up
#[utoipa::path(
    operation_id = "admin_accounts_find",
    get, path = "/admin/v1/accounts/{id}", tag = "admin", security(("admin_session" = [])),
    params(("id" = i64, Path)),
    responses((status = 200, body = Account), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn find(
    State(app): State<App>,
    _: Admin,
    IdOf(id): IdOf<i64>,
) -> Result<Json<Account>, ApiError> {
    Ok(Json(look_up(&app, id).await?))
}

/// Give credit
///
/// Granted credit is spendable at once. Without any idempotency key each request grants anew.
#[utoipa::path(
    operation_id = "admin_accounts_grant",
    post, path = "/admin/v1/accounts/{id}/credits", tag = "admin", security(("admin_session" = [])),
    params(
        ("id" = i64, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "At most 255 bytes of ASCII; the same key with the same content grants once."),
    ),
    request_body = GrantRequest,
    responses(
        (status = 200, body = GrantResponse),
        (status = 400, body = ErrorBody, description = "The amount is wrong, or the account is no client's."),
        (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "The idempotency key was used for another grant."),
    ),
)]
pub async fn grant(
    State(app): State<App>,
    admin: Admin,
    IdOf(id): IdOf<i64>,
    key: IdempotencyKey,
    JsonBody(request): JsonBody<GrantRequest>,
) -> Result<Json<GrantResponse>, ApiError> {
    if request.amount_nano <= 0 {
        return Err(ApiError::bad_field("amount_nano", "'amount_nano' must be more than 0."));
    }
    let key = key.or_body(request.idempotency_key)?.or_fresh();
    let note = remark("note", request.note)?;
    look_up(&app, id).await?;
    let new = NewGrant {
        account: AccountId(id),
        amount: Nano(request.amount_nano),
        key: format!("admin:{key}"),
        note,
    };
    let repeated = db::credits::grant(&app.db, &new, &admin.actor()).await?.repeated;
    Ok(Json(GrantResponse { repeated, account: look_up(&app, id).await? }))
}

/// Say whose an account is
///
/// A client that runs nodes, too, would answer for itself: none of its operator's nodes gets its jobs, nor one
/// with the same payout address or network.
#[utoipa::path(
    operation_id = "admin_accounts_operator",
    put, path = "/admin/v1/accounts/{id}/operator", tag = "admin", security(("admin_session" = [])),
    params(("id" = i64, Path)),
    request_body = OperatorRequest,
    responses(
        (status = 200, body = Account),
        (status = 400, body = ErrorBody, description = "The account is no client's."),
        (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody),
    ),
)]
pub async fn set_operator(
    State(app): State<App>,
    admin: Admin,
    IdOf(id): IdOf<i64>,
    JsonBody(request): JsonBody<OperatorRequest>,
) -> Result<Json<Account>, ApiError> {
    if look_up(&app, id).await?.kind != AccountKind::Client.as_str() {
        return Err(ApiError::bad_field("id", "Only a client's account belongs to an operator."));
    }
    let operator = request.operator_id.map(OperatorId);
    if let Some(operator) = operator {
        db::operators::find(&app.db, operator)
            .await?
            .ok_or_else(|| ApiError::not_found("operator"))?;
    }
    db::accounts::set_operator(&app.db, AccountId(id), operator, &admin.actor()).await?;
    Ok(Json(look_up(&app, id).await?))
}

async fn look_up(app: &App, id: i64) -> Result<Account, ApiError> {
    let row = db::accounts::find(&app.db, AccountId(id)).await?;
    row.map(Account::from).ok_or_else(|| ApiError::not_found("account"))
}

impl From<AccountRow> for Account {
    fn from(row: AccountRow) -> Self {
        Self {
            id: row.id.0,
            kind: row.kind.as_str(),
            name: row.name,
            available_nano: row.available.0,
            held_nano: row.held.0,
            operator_id: row.operator.map(|operator| operator.0),
            created_ms: row.created_ms,
        }
    }
}

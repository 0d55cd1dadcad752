//! API keys of clients.

use assay_ledger::{AccountId, Nano};
use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{IdOf, Listing, PageQuery, Params, text};
use crate::{
    api::{Admin, ApiError, JsonBody, error::sentence},
    app::App,
    auth::{KeyAsk, Permissions, Scope, issue_key, rotate_key},
    clock,
    db::{
        self, DbError,
        keys::{KeyId, KeyRow},
    },
    openai::ErrorBody,
    serving::Risk,
};

/// How long a rotated key stays good, unless the request says otherwise: a day.
const OVERLAP_MINUTES_DEFAULT: u32 = 24 * 60;
const OVERLAP_MINUTES_MAX: u32 = 30 * 24 * 60;

/// A key without its secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Key {
    pub id: i64,
    pub account_id: i64,
    pub name: String,
    /// The start of the key, to recognise it by.
    pub prefix: String,
    /// `low`, `standard` or `high`: the policy of requests that name none.
    pub risk: String,
    pub created_ms: i64,
    #[schema(required)]
    pub expires_ms: Option<i64>,
    #[schema(required)]
    pub revoked_ms: Option<i64>,
    /// What it may spend in a day (UTC); null: no bound of its own.
    #[schema(required)]
    pub budget_day_nano: Option<i64>,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// The only models that it may ask; none: all.
    pub models: Vec<String>,
    /// To the minute; null: never.
    #[schema(required)]
    pub last_used_ms: Option<i64>,
    /// The key whose place it took.
    #[schema(required)]
    pub rotated_from: Option<i64>,
}

/// A key to make.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct NewKeyRequest {
    account_id: i64,
    /// For people; at most 200 bytes.
    name: String,
    risk: Option<Risk>,
    /// When it stops working; left out: never.
    expires_ms: Option<i64>,
    /// What it may spend in a day (UTC), requests that run counted at the most that they can cost; left
    /// out: no bound.
    #[schema(minimum = 0)]
    budget_day_nano: Option<i64>,
    /// What it may be used for; left out: everything.
    scopes: Option<Vec<Scope>>,
    /// The only models that it may ask, and see; left out: all.
    models: Option<Vec<String>>,
}

/// How a key gives its place to another.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub struct RotateRequest {
    /// How long both are good: 0 to 43200; a day when left out.
    overlap_minutes: Option<u32>,
}

/// A key that was made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewKeyResponse {
    /// The key itself, shown here and never again.
    pub key: String,
    #[serde(flatten)]
    pub about: Key,
}

/// Which keys to list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct KeyFilter {
    /// Only keys of this account.
    account_id: Option<i64>,
}

/// Make an API key
#[utoipa::path(
    operation_id = "admin_keys_create",
    post, path = "/admin/v1/keys", tag = "admin", security(("admin_session" = [])),
    request_body = NewKeyRequest,
    responses(
        (status = 201, body = NewKeyResponse),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody, description = "There is no such account."),
    ),
)]
pub async fn create(
    State(app): State<App>,
    admin: Admin,
    JsonBody(request): JsonBody<NewKeyRequest>,
) -> Result<(StatusCode, Json<NewKeyResponse>), ApiError> {
    let now_ms = clock::now_ms();
    if request.expires_ms.is_some_and(|expires| expires <= now_ms) {
        return Err(ApiError::bad_field("expires_ms", "'expires_ms' has passed already."));
    }
    if request.budget_day_nano.is_some_and(i64::is_negative) {
        return Err(ApiError::bad_field(
            "budget_day_nano",
            "'budget_day_nano' must not be negative.",
        ));
    }
    let ask = KeyAsk {
        account: AccountId(request.account_id),
        name: text("name", request.name)?,
        risk: request.risk.unwrap_or_default(),
        expires_ms: request.expires_ms,
        budget_day: request.budget_day_nano.map(Nano),
        permissions: permissions(&app, request.scopes, request.models)?,
    };
    let issued = issue_key(&app.db, ask, &admin.actor()).await;
    let (secret, row) = issued.map_err(|error| match error {
        DbError::NotFound(_) => ApiError::not_found("account").naming("account_id"),
        error => error.into(),
    })?;
    app.known_keys.note(secret.hash());
    let response = NewKeyResponse { key: secret.reveal().to_owned(), about: row.into() };
    Ok((StatusCode::CREATED, Json(response)))
}

/// Rotate an API key
///
/// Makes a key that may do the same. The old one ends after the overlap, in which both are good; each has the day's
/// budget for itself.
#[utoipa::path(
    operation_id = "admin_keys_rotate",
    post, path = "/admin/v1/keys/{id}/rotate", tag = "admin", security(("admin_session" = [])),
    params(("id" = i64, Path)),
    request_body = RotateRequest,
    responses(
        (status = 201, body = NewKeyResponse),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "The key has ended already."),
    ),
)]
pub async fn rotate(
    State(app): State<App>,
    admin: Admin,
    IdOf(id): IdOf<i64>,
    JsonBody(request): JsonBody<RotateRequest>,
) -> Result<(StatusCode, Json<NewKeyResponse>), ApiError> {
    let minutes = request.overlap_minutes.unwrap_or(OVERLAP_MINUTES_DEFAULT);
    if minutes > OVERLAP_MINUTES_MAX {
        let message = format!("'overlap_minutes' may be at most {OVERLAP_MINUTES_MAX}.");
        return Err(ApiError::bad_field("overlap_minutes", message));
    }
    let actor = admin.actor();
    let ends_ms = actor.at_ms + i64::from(minutes) * 60_000;
    let rotated = rotate_key(&app.db, KeyId(id), ends_ms, &actor).await;
    let (secret, row) = rotated.map_err(|error| match error {
        DbError::Conflict(why) => ApiError::conflict(sentence(&why)),
        error => error.into(),
    })?;
    app.known_keys.note(secret.hash());
    let response = NewKeyResponse { key: secret.reveal().to_owned(), about: row.into() };
    Ok((StatusCode::CREATED, Json(response)))
}

/// What was asked for, if there are such models.
fn permissions(
    app: &App,
    scopes: Option<Vec<Scope>>,
    models: Option<Vec<String>>,
) -> Result<Permissions, ApiError> {
    let all = Permissions::default();
    let (scopes, models) = (scopes.unwrap_or(all.scopes), models.unwrap_or(all.models));
    if scopes.is_empty() {
        return Err(ApiError::bad_field("scopes", "A key without any scope is good for nothing."));
    }
    if let Some(unknown) = models.iter().position(|model| app.catalog.get(model).is_none()) {
        let message = "This model is not served here; GET /v1/models lists what is.";
        return Err(ApiError::bad_field(&format!("models.{unknown}"), message));
    }
    Ok(Permissions { scopes, models })
}

/// List API keys, revoked ones too
#[utoipa::path(
    operation_id = "admin_keys_list",
    get, path = "/admin/v1/keys", tag = "admin", security(("admin_session" = [])),
    params(KeyFilter, PageQuery),
    responses((status = 200, body = Listing<Key>), (status = 401, body = ErrorBody)),
)]
pub async fn list(
    State(app): State<App>,
    _: Admin,
    Params(filter): Params<KeyFilter>,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Key>>, ApiError> {
    let account = filter.account_id.map(AccountId);
    let paged = db::keys::list(&app.db, account, &query.page()).await?;
    Ok(Json(Listing::of(paged, Key::from)))
}

/// Revoke an API key
///
/// For good, from the next request on. Running jobs end as they would have.
#[utoipa::path(
    operation_id = "admin_keys_revoke",
    delete, path = "/admin/v1/keys/{id}", tag = "admin", security(("admin_session" = [])),
    params(("id" = i64, Path)),
    responses((status = 204), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn revoke(
    State(app): State<App>,
    admin: Admin,
    IdOf(id): IdOf<i64>,
) -> Result<StatusCode, ApiError> {
    db::keys::revoke(&app.db, KeyId(id), &admin.actor()).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<KeyRow> for Key {
    fn from(row: KeyRow) -> Self {
        let Permissions { scopes, models } = Permissions::of(&row);
        Self {
            scopes,
            models,
            last_used_ms: row.last_used_ms,
            rotated_from: row.rotated_from.map(|key| key.0),
            id: row.id.0,
            account_id: row.account.0,
            name: row.name,
            prefix: row.prefix,
            risk: row.risk,
            created_ms: row.created_ms,
            expires_ms: row.expires_ms,
            revoked_ms: row.revoked_ms,
            budget_day_nano: row.budget_day.map(|budget| budget.0),
        }
    }
}

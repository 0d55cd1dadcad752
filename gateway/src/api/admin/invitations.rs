//! Invitations for new operators, and new secrets for those who lost theirs.

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
        self, OperatorId,
        invitations::{InvitationRow, NewInvitation},
    },
    openai::ErrorBody,
};

/// Unless the request says otherwise: a week.
const MINUTES_DEFAULT: u32 = 7 * 24 * 60;
const MINUTES_MAX: u32 = 30 * 24 * 60;

/// Somebody to invite.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub struct InvitationRequest {
    /// For whom; for people; at most 200 bytes.
    note: String,
    /// 1 to 43200; a week when left out.
    lasts_minutes: Option<u32>,
}

/// An invitation that was made.
#[derive(Serialize, ToSchema)]
#[expect(missing_debug_implementations, reason = "it holds a secret, which must not be printed")]
pub struct NewInvitationResponse {
    pub id: i64,
    /// `iv-…`, shown here and never again; good for one operator.
    pub invitation: String,
    pub expires_ms: i64,
}

/// An invitation as it stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Invitation {
    pub id: i64,
    pub note: String,
    pub created_ms: i64,
    pub expires_ms: i64,
    /// Who came of it.
    #[schema(required)]
    pub operator_id: Option<i64>,
}

/// A secret that was made.
#[derive(Serialize, ToSchema)]
#[expect(missing_debug_implementations, reason = "it holds a secret, which must not be printed")]
pub struct NewSecretResponse {
    /// `os-…`, shown here and never again.
    pub secret: String,
}

/// Invite an operator
///
/// Whoever has the invitation signs up with it: POST /operator/v1/sign-up, or in the console.
#[utoipa::path(
    operation_id = "admin_invitations_create",
    post, path = "/admin/v1/invitations", tag = "admin", security(("admin_session" = [])),
    request_body = InvitationRequest,
    responses((status = 201, body = NewInvitationResponse), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)),
)]
pub async fn create(
    State(app): State<App>,
    admin: Admin,
    JsonBody(request): JsonBody<InvitationRequest>,
) -> Result<(StatusCode, Json<NewInvitationResponse>), ApiError> {
    let minutes = request.lasts_minutes.unwrap_or(MINUTES_DEFAULT);
    if !(1..=MINUTES_MAX).contains(&minutes) {
        let message = format!("'lasts_minutes' must be 1 to {MINUTES_MAX}.");
        return Err(ApiError::bad_field("lasts_minutes", message));
    }
    let invitation = Secret::new(SecretKind::Invitation, rand::random());
    let (token_hash, note) = (invitation.hash(), text("note", request.note)?);
    let created_ms = clock::now_ms();
    let expires_ms = created_ms + i64::from(minutes) * 60_000;
    let new = NewInvitation { token_hash, note, created_ms, expires_ms };
    let id = db::invitations::create(&app.db, &new, &admin.actor()).await?;
    let invitation = invitation.reveal().to_owned();
    Ok((StatusCode::CREATED, Json(NewInvitationResponse { id, invitation, expires_ms })))
}

/// List invitations, the last first
#[utoipa::path(
    operation_id = "admin_invitations_list",
    get, path = "/admin/v1/invitations", tag = "admin", security(("admin_session" = [])),
    params(PageQuery),
    responses((status = 200, body = Listing<Invitation>), (status = 401, body = ErrorBody)),
)]
pub async fn list(
    State(app): State<App>,
    _: Admin,
    Params(query): Params<PageQuery>,
) -> Result<Json<Listing<Invitation>>, ApiError> {
    let paged = db::invitations::list(&app.db, &query.page()).await?;
    Ok(Json(Listing::of(paged, Invitation::from)))
}

/// Give an operator a new secret
///
/// The older one does not count any more, and everybody who is logged in with it is out.
#[utoipa::path(
    operation_id = "admin_operators_secret",
    post, path = "/admin/v1/operators/{id}/secret", tag = "admin", security(("admin_session" = [])),
    params(("id" = i64, Path)),
    responses((status = 201, body = NewSecretResponse), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)),
)]
pub async fn secret(
    State(app): State<App>,
    admin: Admin,
    IdOf(id): IdOf<i64>,
) -> Result<(StatusCode, Json<NewSecretResponse>), ApiError> {
    let operator = OperatorId(id);
    let known = db::operators::find(&app.db, operator).await?;
    known.ok_or_else(|| ApiError::not_found("operator"))?;
    let secret = Secret::new(SecretKind::Operator, rand::random());
    db::logins::set_secret(&app.db, operator, secret.hash(), &admin.actor()).await?;
    Ok((StatusCode::CREATED, Json(NewSecretResponse { secret: secret.reveal().to_owned() })))
}

impl From<InvitationRow> for Invitation {
    fn from(row: InvitationRow) -> Self {
        Self {
            id: row.id,
            note: row.note,
            created_ms: row.created_ms,
            expires_ms: row.expires_ms,
            operator_id: row.operator.map(|operator| operator.0),
        }
    }
}

//! `POST /admin/v1/login`: the secret for a session.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    api::{Admin, ApiError, JsonBody},
    app::App,
    auth::AdminSecret,
    clock, db,
    openai::ErrorBody,
};

/// The only admin there is yet.
const SUBJECT: &str = "admin";

/// The secret that was shown at the first start.
#[derive(Deserialize, ToSchema)]
#[expect(missing_debug_implementations, reason = "it holds the secret, which must not be printed")]
pub struct LoginRequest {
    secret: String,
}

/// A session.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LoginResponse {
    /// Send it as `Authorization: Bearer …`.
    pub token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds that it lasts.
    pub expires_in_s: u64,
}

/// Log in
#[utoipa::path(
    operation_id = "admin_login",
    post, path = "/admin/v1/login", tag = "admin", request_body = LoginRequest,
    responses(
        (status = 200, body = LoginResponse),
        (status = 401, body = ErrorBody, description = "Code `wrong_secret`."),
        (status = 429, body = ErrorBody, description = "Too many log-ins from this address."),
    ),
)]
pub async fn login(
    State(app): State<App>,
    JsonBody(request): JsonBody<LoginRequest>,
) -> Result<Json<LoginResponse>, ApiError> {
    let Some(secret) = AdminSecret::name_of(&app.db, &request.secret).await? else {
        tracing::warn!("admin log-in refused: wrong secret");
        return Err(ApiError::wrong_secret("This is not the admin secret."));
    };
    let sessions = app.keys.sessions();
    let now_s = u64::try_from(clock::now_ms() / 1_000).unwrap_or_default();
    let expires_in_s = u64::from(app.config.admin.session_minutes) * 60;
    let id = Uuid::new_v4().simple().to_string();
    let token = sessions
        .issue(SUBJECT, &secret, id, now_s, expires_in_s)
        .map_err(|error| ApiError::internal(&error))?;
    if let Some(session) = sessions.read(&token) {
        let actor = Admin(session).actor();
        db::admin_log::append(&app.db, &actor, "login", SUBJECT, "").await?;
    }
    Ok(Json(LoginResponse { token, token_type: "Bearer", expires_in_s }))
}

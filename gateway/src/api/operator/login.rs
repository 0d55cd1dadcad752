//! Who an operator is: signing up with an invitation, logging in, renewing, logging out.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Operator;
use crate::{
    api::{ApiError, JsonBody, admin::text},
    app::App,
    auth::{
        Secret, SecretKind,
        operator_login::{self, LoginError, OperatorSession, TOKEN_S},
    },
    clock,
    db::{
        self,
        invitations::{SignUp, SignUpError},
        logins::RenewError,
    },
    openai::ErrorBody,
};

/// An invitation and a name.
#[derive(Deserialize, ToSchema)]
#[expect(missing_debug_implementations, reason = "it holds a secret, which must not be printed")]
pub struct SignUpRequest {
    /// `iv-…`, from whoever runs the gateway.
    invitation: String,
    /// For people; at most 200 bytes.
    name: String,
}

/// A new operator.
#[derive(Serialize, ToSchema)]
#[expect(missing_debug_implementations, reason = "it holds a secret, which must not be printed")]
pub struct SignedUp {
    pub operator_id: i64,
    /// `os-…`: what you log in with. Shown here and never again.
    pub secret: String,
    pub session: SessionResponse,
}

/// What opens an operator's account.
#[derive(Deserialize, ToSchema)]
#[expect(missing_debug_implementations, reason = "it holds a secret, which must not be printed")]
pub struct OperatorLoginRequest {
    /// `os-…`.
    secret: String,
}

/// What renews a session.
#[derive(Deserialize, ToSchema)]
#[expect(missing_debug_implementations, reason = "it holds a secret, which must not be printed")]
pub struct RefreshRequest {
    /// `rt-…`, from the last log-in or renewal. Good once.
    refresh_token: String,
}

/// A session.
#[derive(Serialize, ToSchema)]
#[expect(missing_debug_implementations, reason = "it holds a secret, which must not be printed")]
pub struct SessionResponse {
    pub operator_id: i64,
    /// Send it as `Authorization: Bearer …`.
    pub token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds that the token lasts.
    pub expires_in_s: u64,
    /// Renews the session, once: `POST /operator/v1/refresh`.
    pub refresh_token: String,
}

/// Sign up
///
/// Uses an invitation up. Whoever runs the gateway makes invitations.
#[utoipa::path(
    operation_id = "operator_sign_up",
    post, path = "/operator/v1/sign-up", tag = "operators", request_body = SignUpRequest,
    responses(
        (status = 201, body = SignedUp), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody, description = "The invitation is not good."),
        (status = 409, body = ErrorBody, description = "The invitation was used."),
        (status = 429, body = ErrorBody),
    ),
)]
pub async fn sign_up(
    State(app): State<App>,
    JsonBody(request): JsonBody<SignUpRequest>,
) -> Result<(StatusCode, Json<SignedUp>), ApiError> {
    let invitation = Secret::parse(SecretKind::Invitation, &request.invitation)
        .ok_or_else(|| ApiError::wrong_secret("This is no invitation: expected iv-…"))?;
    let secret = Secret::new(SecretKind::Operator, rand::random());
    let sign_up = SignUp {
        token_hash: invitation.hash(),
        name: text("name", request.name)?,
        secret_hash: secret.hash(),
        now_ms: clock::now_ms(),
    };
    let operator = db::invitations::sign_up(&app.db, &sign_up).await?;
    tracing::info!(operator = operator.0, "an operator signed up");
    let session = operator_login::begin(&app, &secret).await?;
    let signed_up = SignedUp {
        operator_id: operator.0,
        secret: secret.reveal().to_owned(),
        session: session.into(),
    };
    Ok((StatusCode::CREATED, Json(signed_up)))
}

/// Log in
#[utoipa::path(
    operation_id = "operator_login",
    post, path = "/operator/v1/login", tag = "operators", request_body = OperatorLoginRequest,
    responses(
        (status = 200, body = SessionResponse),
        (status = 401, body = ErrorBody, description = "Code `wrong_secret`."),
        (status = 429, body = ErrorBody, description = "Too many log-ins from this address."),
    ),
)]
pub async fn login(
    State(app): State<App>,
    JsonBody(request): JsonBody<OperatorLoginRequest>,
) -> Result<Json<SessionResponse>, ApiError> {
    Ok(Json(operator_login::log_in(&app, &request.secret).await?.into()))
}

/// Renew a session
///
/// A refresh token that comes twice was stolen from somebody: the whole log-in ends then. Only within 30 seconds, and
/// before the next one is used, it gets the same answer again, for an answer that was lost.
#[utoipa::path(
    operation_id = "operator_refresh",
    post, path = "/operator/v1/refresh", tag = "operators", request_body = RefreshRequest,
    responses(
        (status = 200, body = SessionResponse),
        (status = 401, body = ErrorBody, description = "Log in again."),
        (status = 429, body = ErrorBody),
    ),
)]
pub async fn refresh(
    State(app): State<App>,
    JsonBody(request): JsonBody<RefreshRequest>,
) -> Result<Json<SessionResponse>, ApiError> {
    let renewed = operator_login::renew(&app, &request.refresh_token).await;
    if matches!(renewed, Err(LoginError::Renew(RenewError::Reused))) {
        tracing::warn!("a refresh token was used twice; its log-in was ended");
    }
    Ok(Json(renewed?.into()))
}

/// Log out
#[utoipa::path(
    operation_id = "operator_logout",
    post, path = "/operator/v1/logout", tag = "operators", security(("operator_session" = [])),
    responses((status = 204), (status = 401, body = ErrorBody)),
)]
pub async fn logout(State(app): State<App>, operator: Operator) -> Result<StatusCode, ApiError> {
    db::logins::revoke(&app.db, &operator.login, "logged out", clock::now_ms()).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<OperatorSession> for SessionResponse {
    fn from(session: OperatorSession) -> Self {
        Self {
            operator_id: session.operator.0,
            token: session.token,
            token_type: "Bearer",
            expires_in_s: TOKEN_S,
            refresh_token: session.refresh.reveal().to_owned(),
        }
    }
}

impl From<LoginError> for ApiError {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::Store(error) | LoginError::Renew(RenewError::Store(error)) => error.into(),
            LoginError::Sign(error) => Self::internal(&error),
            refused => Self::wrong_secret(&crate::api::error::sentence(&refused.to_string())),
        }
    }
}

impl From<SignUpError> for ApiError {
    fn from(error: SignUpError) -> Self {
        let message = crate::api::error::sentence(&error.to_string());
        match error {
            SignUpError::Unknown | SignUpError::Expired => Self::wrong_secret(&message),
            SignUpError::Used => Self::conflict(message),
            SignUpError::Store(error) => error.into(),
        }
    }
}

//! An operator's log-in: a short-lived token, and a refresh token that renews it once.

use uuid::Uuid;

use super::{Secret, SecretKind};
use crate::{
    app::App,
    clock,
    db::{
        self, DbError, OperatorId,
        logins::{NewLogin, RenewError},
    },
};

/// How long a token lasts: as short as a stolen one may be good for.
pub const TOKEN_S: u64 = 15 * 60;
/// How long a log-in can be renewed.
const FAMILY_MS: i64 = 30 * 24 * 3_600_000;

/// An operator whose log-in is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    pub id: OperatorId,
    /// Names the log-in.
    pub login: String,
}

/// What a log-in gives.
#[derive(Clone, Debug)]
pub struct OperatorSession {
    pub operator: OperatorId,
    /// A JWT.
    pub token: String,
    /// Good once, for the next of these.
    pub refresh: Secret,
}

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    #[error("this is not the secret of an operator")]
    WrongSecret,
    #[error(transparent)]
    Renew(#[from] RenewError),
    #[error("a token could not be signed")]
    Sign(#[from] jsonwebtoken::errors::Error),
    #[error(transparent)]
    Store(#[from] DbError),
}

/// Logs in with `os-…`.
pub async fn log_in(app: &App, secret: &str) -> Result<OperatorSession, LoginError> {
    let secret = Secret::parse(SecretKind::Operator, secret).ok_or(LoginError::WrongSecret)?;
    begin(app, &secret).await
}

/// A new log-in of whoever has this secret.
pub async fn begin(app: &App, secret: &Secret) -> Result<OperatorSession, LoginError> {
    let refresh = Secret::new(SecretKind::Refresh, rand::random());
    let created_ms = clock::now_ms();
    let new = NewLogin {
        family: Uuid::new_v4().simple().to_string(),
        secret_hash: secret.hash(),
        token_hash: refresh.hash(),
        created_ms,
        expires_ms: created_ms + FAMILY_MS,
    };
    let operator = db::logins::begin(&app.db, &new).await?.ok_or(LoginError::WrongSecret)?;
    Ok(OperatorSession { operator, token: token(app, operator, new.family)?, refresh })
}

/// The next token for `rt-…`, which is used up; the same one again for whoever missed the answer.
pub async fn renew(app: &App, refresh: &str) -> Result<OperatorSession, LoginError> {
    let used = Secret::parse(SecretKind::Refresh, refresh).ok_or(RenewError::Unknown)?;
    let next = app.keys.refresh_after(&used);
    let renewed = db::logins::renew(&app.db, used.hash(), next.hash(), clock::now_ms()).await?;
    let token = token(app, renewed.operator, renewed.family)?;
    Ok(OperatorSession { operator: renewed.operator, token, refresh: next })
}

/// Whose token this is, if it and its log-in are good now.
pub async fn read(app: &App, token: &str) -> Result<Option<Operator>, DbError> {
    let Some(session) = app.keys.operator_sessions().read(token) else { return Ok(None) };
    let live = db::logins::live(&app.db, &session.jti, clock::now_ms()).await?;
    let same = live.filter(|operator| operator.0.to_string() == session.sub);
    Ok(same.map(|id| Operator { id, login: session.jti }))
}

fn token(
    app: &App,
    operator: OperatorId,
    family: String,
) -> Result<String, jsonwebtoken::errors::Error> {
    let now_s = u64::try_from(clock::now_ms() / 1_000).unwrap_or_default();
    app.keys.operator_sessions().issue(&operator.0.to_string(), "", family, now_s, TOKEN_S)
}

//! `/operator/v1`: what an operator of nodes can see and do. All of it is theirs alone: whatever belongs to
//! somebody else does not exist here. Amounts are integers of 1e-9 credit (`*_nano`); times are Unix
//! milliseconds (`*_ms`).

pub mod earnings;
pub mod jobs;
pub mod login;
pub mod nodes;
pub mod profile;
pub mod reasons;
pub mod reputation;
pub mod withdrawals;

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{ApiError, extract::bearer};
use crate::{app::App, auth::operator_login};

pub use crate::auth::operator_login::Operator;

impl FromRequestParts<App> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Some(token) = bearer(&parts.headers) else {
            return Err(ApiError::invalid_operator_session());
        };
        let operator = operator_login::read(app, token).await?;
        operator.ok_or_else(ApiError::invalid_operator_session)
    }
}

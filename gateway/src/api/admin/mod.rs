//! `/admin/v1`: what whoever runs the gateway can see and do. All of it needs a session, and every
//! change is written to the admin log by the very transaction that makes it. Amounts are integers of 1e-9 credit (`*_nano`); times are Unix
//! milliseconds (`*_ms`).

pub mod accounts;
pub mod audit;
pub mod invitations;
pub mod jobs;
pub mod keys;
pub mod login;
pub mod nodes;
pub mod operators;
pub mod payments;
pub mod verification;
pub mod withdrawals;

use axum::{
    extract::{FromRequestParts, Path, Query},
    http::request::Parts,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error},
};
use utoipa::{IntoParams, ToSchema};

use super::ApiError;
use crate::{
    app::App,
    db::{PAGE_ROWS_MAX, Page, Paged},
};

/// Longest name or reason that is stored.
const TEXT_BYTES_MAX: usize = 200;

/// How an address writes the character that not every store takes.
const NUL: &str = "%00";

/// One page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Listing<T> {
    pub data: Vec<T>,
    /// Give this as `after` for the next page; null on the last.
    #[schema(required)]
    pub next: Option<String>,
}

/// Which page of a list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// Rows wanted, 1 to 200; 200 when left out.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default, deserialize_with = "rows")]
    limit: Option<u32>,
}

impl PageQuery {
    pub(in crate::api) fn page(self) -> Page {
        Page { after: self.after, limit: self.limit.unwrap_or(0) }
    }
}

fn rows<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let limit = u32::deserialize(deserializer)?;
    match limit {
        1..=PAGE_ROWS_MAX => Ok(Some(limit)),
        _ => Err(D::Error::custom(format_args!("it must be 1 to {PAGE_ROWS_MAX}"))),
    }
}

impl<T> Listing<T> {
    pub(in crate::api) fn of<Row>(paged: Paged<Row>, view: impl FnMut(Row) -> T) -> Self {
        Self { data: paged.rows.into_iter().map(view).collect(), next: paged.next }
    }
}

/// The id in the path; one that does not read names nothing.
#[derive(Clone, Copy, Debug)]
pub struct IdOf<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for IdOf<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let wrong = || ApiError::not_found("object: its id is wrong");
        if parts.uri.path().contains(NUL) {
            return Err(wrong());
        }
        let path = Path::from_request_parts(parts, app).await;
        path.map(|Path(id)| Self(id)).map_err(|_| wrong())
    }
}

/// The query string as this type.
#[derive(Clone, Copy, Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        if parts.uri.query().is_some_and(|query| query.contains(NUL)) {
            let message = "The query string has the character U+0000, which no text may have.";
            return Err(ApiError::bad_request(message));
        }
        let query = Query::from_request_parts(parts, app).await;
        query.map(|Query(params)| Self(params)).map_err(|error| wrong_query(&error.body_text()))
    }
}

/// The library's words have the parameter's name in them: `…: limit: invalid digit …`.
fn wrong_query(text: &str) -> ApiError {
    let named = text.split_once(": ").and_then(|(_, rest)| rest.split_once(": "));
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    match named.filter(|(name, _)| is_name(name)) {
        Some((name, why)) => ApiError::bad_field(name, format!("'{name}' is wrong: {why}.")),
        None => ApiError::bad_request(format!("The query string is wrong: {text}.")),
    }
}

/// A name or reason that people will read.
pub(in crate::api) fn text(param: &str, text: String) -> Result<String, ApiError> {
    if text.trim().is_empty() {
        let message = format!("'{param}' has 1 to {TEXT_BYTES_MAX} bytes.");
        return Err(ApiError::bad_field(param, message));
    }
    remark(param, text)
}

/// The same where there need not be any.
pub(in crate::api) fn remark(param: &str, text: String) -> Result<String, ApiError> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("'{param}' has at most {TEXT_BYTES_MAX} bytes.");
        return Err(ApiError::bad_field(param, message));
    }
    Ok(text)
}

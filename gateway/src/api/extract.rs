//! Extractors that are permissions, and bodies that were read: a handler that has one may go on.

use std::time::Duration;

use assay_protocol::Bytes32;
use assay_verifier::receipt::Request as Bound;
use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, header, request::Parts},
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use uuid::Uuid;

use super::ApiError;
use crate::{
    app::App,
    auth::{AdminSecret, AdminSession},
    clock,
    db::Actor,
    openai::{InvalidRequest, NONCE_BYTES_MAX},
    serving::Risk,
};

/// The token of `Authorization: Bearer …`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// An admin whose session is good.
#[derive(Clone, Debug)]
pub struct Admin(pub AdminSession);

impl Admin {
    /// As whom the store's log names them, acting now.
    pub(super) fn actor(&self) -> Actor {
        let AdminSession { sub, jti, .. } = &self.0;
        Actor { name: format!("{sub}/{jti}"), at_ms: clock::now_ms() }
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let session = bearer(&parts.headers).and_then(|token| app.keys.sessions().read(token));
        let session = session.ok_or_else(ApiError::invalid_session)?;
        // It ends with the secret that opened it.
        match AdminSecret::counts(&app.db, &session.opened_by).await? {
            true => Ok(Self(session)),
            false => Err(ApiError::invalid_session()),
        }
    }
}

/// What a client asks of its answer's verification, by header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assurance {
    /// `x-assay-risk: low | standard | high`.
    pub risk: Option<Risk>,
    /// `x-assay-nonce`: the client's own randomness for the sampling seed.
    pub nonce: Option<String>,
}

impl<S: Sync> FromRequestParts<S> for Assurance {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let text = |name: &str| {
            let value = parts.headers.get(name)?;
            Some(value.to_str().map_err(|_| ApiError::bad_field(name, "This header is not ASCII.")))
        };
        let risk = match text("x-assay-risk").transpose()? {
            None => None,
            Some(word) => Some(Risk::parse(word).ok_or_else(|| {
                ApiError::bad_field("x-assay-risk", "The risk is low, standard or high.")
            })?),
        };
        let nonce = text("x-assay-nonce").transpose()?.map(str::to_owned);
        if nonce.as_ref().is_some_and(|nonce| nonce.len() > NONCE_BYTES_MAX) {
            let message = format!("The nonce may have at most {NONCE_BYTES_MAX} bytes.");
            return Err(ApiError::bad_field("x-assay-nonce", message));
        }
        Ok(Self { risk, nonce })
    }
}

/// Longest key that a client may choose.
const KEY_BYTES_MAX: usize = 255;

/// `Idempotency-Key`, if one was sent: the same key and request get the same answer, and are done and charged once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey(pub Option<String>);

impl IdempotencyKey {
    /// The key; without one each request stands for itself.
    pub fn or_fresh(self) -> String {
        self.0.unwrap_or_else(|| Uuid::new_v4().to_string())
    }

    /// The same where the body may name it, too: it must not be another one there.
    pub fn or_body(self, body: Option<String>) -> Result<Self, ApiError> {
        let Some(body) = body else { return Ok(self) };
        let key = Self::read(Some(&body), "idempotency_key")?;
        if self.0.as_ref().is_some_and(|header| *header != body) {
            let message = "The header and the body name two idempotency keys.";
            return Err(ApiError::bad_field("idempotency_key", message));
        }
        Ok(key)
    }

    fn read(key: Option<&str>, param: &str) -> Result<Self, ApiError> {
        let printable = |key: &&str| key.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let key = key.filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len())).filter(printable);
        let key = key.ok_or_else(|| {
            let message =
                format!("An idempotency key has 1 to {KEY_BYTES_MAX} bytes of plain ASCII.");
            ApiError::bad_field(param, message)
        })?;
        Ok(Self(Some(key.to_owned())))
    }
}

impl<S: Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        Self::read(value.to_str().ok(), "idempotency-key")
    }
}

/// A JSON body of this type; its rejection names the field that is wrong. What it says may be stored, and not every
/// store takes a NUL, so none gets further.
#[derive(Clone, Copy, Debug)]
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let bytes = body(request, app).await?;
        if has_nul(&bytes) {
            let message = "The request's body has the character U+0000, which no text may have.";
            return Err(ApiError::bad_request(message));
        }
        read(&bytes).map(Self)
    }
}

/// A JSON body, and what its receipt binds of it.
#[derive(Clone, Copy, Debug)]
pub struct BoundBody<T> {
    pub value: T,
    /// SHA-256 of the canonical form.
    pub digest: Bytes32,
}

impl<T: DeserializeOwned> FromRequest<App> for BoundBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let bytes = body(request, app).await?;
        let value = read(&bytes)?;
        // Whoever reads it must see the same request: a key that stands twice has no one meaning.
        let bound = Bound::parse(&bytes).map_err(|error| {
            ApiError::bad_request(format!("The request's body has no one meaning: {error}."))
        })?;
        Ok(Self { value, digest: bound.digest() })
    }
}

async fn body(request: Request, app: &App) -> Result<Bytes, ApiError> {
    let limits = &app.config.limits;
    let wait = Duration::from_millis(limits.body_wait_ms);
    timeout(wait, Bytes::from_request(request, app))
        .await
        .map_err(|_| ApiError::body_timeout())?
        .map_err(|rejection| match rejection.status().as_u16() {
            413 => ApiError::body_too_large(limits.body_bytes_max),
            _ => ApiError::bad_request("The request's body could not be read."),
        })
}

/// Whether a string of this JSON has a NUL in it: only an escape can write one.
fn has_nul(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        if rest[at + 1..].starts_with(b"u0000") {
            return true;
        }
        // What is escaped may be a backslash itself.
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    false
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    // serde would take an array for a struct, field by field.
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::bad_request("The request's body must be a JSON object."));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        explain(&path, error.inner())
    })?;
    json.end().map_err(|error| explain(".", &error))?;
    Ok(value)
}

fn explain(path: &str, error: &serde_json::Error) -> ApiError {
    if !error.is_data() {
        return ApiError::bad_request(format!("The request's body is not valid JSON: {error}."));
    }
    let text = error.to_string();
    let missing = text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`'));
    match (missing, path) {
        (Some((field, _)), ".") => missing_field(field),
        (Some((field, _)), _) => missing_field(&format!("{path}.{field}")),
        (None, ".") => ApiError::bad_request(format!("The request's body is wrong: {text}.")),
        (None, _) => ApiError::bad_field(path, format!("Invalid value for '{path}': {text}.")),
    }
}

fn missing_field(param: &str) -> ApiError {
    InvalidRequest::missing(param).into()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::openai::ChatRequest;

    #[derive(Debug, Deserialize)]
    struct Grant {
        #[expect(dead_code, reason = "only its absence is tested")]
        amount_nano: i64,
    }

    fn named<T: DeserializeOwned>(body: &str) -> Option<String> {
        let error = read::<T>(body.as_bytes()).err().expect("a rejection");
        error.into_body().error.param
    }

    #[test]
    fn a_wrong_type_is_named_by_its_path() {
        assert_eq!(named::<ChatRequest>(r#"{"temperature": "hot"}"#).unwrap(), "temperature");
        let body = r#"{"messages": [{"role": "user"}, {"role": 5}]}"#;
        assert_eq!(named::<ChatRequest>(body).unwrap(), "messages[1].role");
        let body = r#"{"verification": {"risk": "extreme"}}"#;
        assert_eq!(named::<ChatRequest>(body).unwrap(), "verification.risk");
        assert_eq!(named::<Grant>("{}").unwrap(), "amount_nano");
    }

    #[test]
    fn what_is_no_json_is_said_so() {
        for body in ["", "{", "[1]", "{} {}"] {
            assert_eq!(named::<ChatRequest>(body), None, "{body}");
        }
    }

    #[test]
    fn bearer_is_read_in_any_case() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), None);
        headers.insert(header::AUTHORIZATION, "bearer  x".parse().unwrap());
        assert_eq!(bearer(&headers), Some("x"));
        headers.insert(header::AUTHORIZATION, "Basic x".parse().unwrap());
        assert_eq!(bearer(&headers), None);
    }
}

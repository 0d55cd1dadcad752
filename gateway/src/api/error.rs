//! What a client is told when something goes wrong: the status, OpenAI's body, whether to retry.

use std::{fmt::Write, time::Duration};

use assay_ledger::Rejected;
use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    db::{Bound, DbError},
    openai::{ErrorBody, ErrorDetail, InvalidRequest},
    reasons::Reason,
    serving::ServeError,
};

const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// An error as it goes out.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    status: StatusCode,
    detail: ErrorDetail,
    retry: Retry,
}

/// What SDKs are told about trying again; left to themselves they retry 408, 409, 429 and 5xx twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retry {
    AsUsual,
    Never,
    After(Duration),
}

impl ApiError {
    fn new(
        status: StatusCode,
        kind: &str,
        code: Option<Reason>,
        message: impl Into<String>,
    ) -> Self {
        // Whoever has no better one says the usual one: nothing is refused without a code.
        let code = code.unwrap_or(match status {
            StatusCode::INTERNAL_SERVER_ERROR => Reason::Internal,
            _ => Reason::InvalidRequest,
        });
        let detail = ErrorDetail {
            message: message.into(),
            r#type: kind.to_owned(),
            param: None,
            code: Some(code.code().to_owned()),
        };
        Self { status, detail, retry: Retry::AsUsual }
    }

    fn invalid(status: StatusCode, code: Option<Reason>, message: impl Into<String>) -> Self {
        Self::new(status, "invalid_request_error", code, message)
    }

    pub(super) fn naming(mut self, param: &str) -> Self {
        self.detail.param = Some(param.to_owned());
        match self.detail.code.as_deref() == Some(Reason::InvalidRequest.code()) {
            true => self.coded(Reason::InvalidValue),
            false => self,
        }
    }

    fn retrying_after(self, wait: Duration) -> Self {
        Self { retry: Retry::After(wait), ..self }
    }

    /// 400, about the request as a whole.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::invalid(StatusCode::BAD_REQUEST, None, message)
    }

    /// 400, about one field or header.
    pub fn bad_field(param: &str, message: impl Into<String>) -> Self {
        Self::bad_request(message).naming(param)
    }

    /// 401: no API key, or not a good one.
    pub fn invalid_api_key(message: &str) -> Self {
        Self::invalid(StatusCode::UNAUTHORIZED, Some(Reason::InvalidApiKey), message)
    }

    /// 403: the key is not for this.
    pub fn missing_scope(scope: &str) -> Self {
        let message = format!("This needs an API key with the scope `{scope}`.");
        Self::invalid(StatusCode::FORBIDDEN, Some(Reason::InsufficientPermissions), message)
    }

    /// 401: no admin session, or not a good one.
    pub fn invalid_session() -> Self {
        let message = "This needs an admin session: POST /admin/v1/login gives the bearer token.";
        Self::invalid(StatusCode::UNAUTHORIZED, Some(Reason::InvalidSession), message)
    }

    /// 401: no operator's session, or not a good one.
    pub fn invalid_operator_session() -> Self {
        let message =
            "This needs an operator's session: POST /operator/v1/login gives the bearer token.";
        Self::invalid(StatusCode::UNAUTHORIZED, Some(Reason::InvalidSession), message)
    }

    /// The same with a stable code.
    pub fn coded(mut self, reason: Reason) -> Self {
        self.detail.code = Some(reason.code().to_owned());
        self
    }

    /// 401: a log-in or a proof that is wrong.
    pub fn wrong_secret(message: &str) -> Self {
        Self::invalid(StatusCode::UNAUTHORIZED, Some(Reason::WrongSecret), message)
    }

    /// 404: a model that is not served.
    pub fn model_not_found(model: &str) -> Self {
        let shown: String = model.chars().take(100).collect();
        let message = format!("The model `{shown}` is not served; GET /v1/models lists what is.");
        Self::invalid(StatusCode::NOT_FOUND, Some(Reason::ModelNotFound), message).naming("model")
    }

    /// 404: no `what` of this id.
    pub fn not_found(what: &str) -> Self {
        Self::invalid(
            StatusCode::NOT_FOUND,
            Some(Reason::NotFound),
            format!("There is no such {what}."),
        )
    }

    /// 404: no such route.
    pub fn unknown_url(method: &str, path: &str) -> Self {
        let path: String = path.chars().take(100).collect();
        let message = format!("Unknown request URL: {method} {path}. /docs shows what there is.");
        Self::invalid(StatusCode::NOT_FOUND, Some(Reason::UnknownUrl), message)
    }

    /// 405: the route is there, the method is not.
    pub fn method_not_allowed(method: &str, path: &str) -> Self {
        let message = format!("{path} does not take {method}; /docs shows what it takes.");
        Self::invalid(StatusCode::METHOD_NOT_ALLOWED, Some(Reason::MethodNotAllowed), message)
    }

    /// 408: the body did not come.
    pub fn body_timeout() -> Self {
        let code = Some(Reason::BodyTimeout);
        Self::invalid(StatusCode::REQUEST_TIMEOUT, code, "The request's body took too long.")
    }

    /// 409: the same thing exists, or was asked with other content.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self {
            retry: Retry::Never,
            ..Self::invalid(StatusCode::CONFLICT, Some(Reason::Conflict), message)
        }
    }

    /// 409: another request with the same key is not answered yet. SDKs come again.
    pub fn key_in_progress() -> Self {
        let message = "A request with this idempotency key is still being answered.";
        Self::invalid(StatusCode::CONFLICT, Some(Reason::KeyInProgress), message)
            .retrying_after(Duration::from_secs(1))
    }

    /// 409: there was an answer under this key, and it is not there any more.
    pub fn answer_not_kept() -> Self {
        Self::conflict("The answer under this idempotency key was too long to be kept.")
    }

    /// 422: the key belongs to another request.
    pub fn key_reused() -> Self {
        let message = "This idempotency key was used for another request.";
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::invalid(status, Some(Reason::KeyReused), message).naming("idempotency-key")
    }

    /// The same with the field's name in another dialect.
    pub fn renamed(mut self, name: impl FnOnce(&str) -> String) -> Self {
        self.detail.param = self.detail.param.as_deref().map(name);
        self
    }

    /// 413.
    pub fn body_too_large(bytes_max: usize) -> Self {
        let message = format!("The request's body is larger than {bytes_max} bytes.");
        Self::invalid(StatusCode::PAYLOAD_TOO_LARGE, Some(Reason::BodyTooLarge), message)
    }

    /// 429: asked too often.
    pub fn rate_limited(wait: Duration) -> Self {
        let message =
            "Rate limit reached: too many requests. Try again after the time in retry-after.";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "requests", Some(Reason::RateLimit), message)
            .retrying_after(wait)
    }

    /// 429: there is not enough to pay with. To SDKs one type, which they know and do not try again.
    fn no_quota(code: Reason, message: String) -> Self {
        let status = StatusCode::TOO_MANY_REQUESTS;
        let error = Self::new(status, "insufficient_quota", Some(code), message);
        Self { retry: Retry::Never, ..error }
    }

    /// 501: this gateway has not been set up for it.
    pub fn not_configured(code: Reason, message: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::NOT_IMPLEMENTED, "server_error", Some(code), message);
        Self { retry: Retry::Never, ..error }
    }

    /// 502: somebody whom the gateway asked said no.
    pub fn refused_upstream(message: impl Into<String>) -> Self {
        let code = Some(Reason::PaymentRefused);
        let error = Self::new(StatusCode::BAD_GATEWAY, "server_error", code, message);
        Self { retry: Retry::Never, ..error }
    }

    /// 503.
    pub(super) fn unavailable(code: Reason, wait_s: u64, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", Some(code), message)
            .retrying_after(Duration::from_secs(wait_s))
    }

    /// 503: a receipt whose job runs, or that waits for its place in the log.
    pub fn not_sealed() -> Self {
        let message = "This receipt is not sealed into the log yet; try again in a moment.";
        Self::unavailable(Reason::NotSealed, 1, message)
    }

    /// 421: a receipt that only this other gateway can seal.
    pub fn elsewhere(gateway: &str) -> Self {
        let message = format!(
            "This receipt is of the gateway {gateway}, which has not sealed it; ask that one."
        );
        Self::invalid(StatusCode::MISDIRECTED_REQUEST, Some(Reason::OtherGateway), message)
    }

    /// 500, with the chain of causes in the log and nothing of it in the answer.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = chain(error), "a request failed inside the gateway");
        Self::panicked()
    }

    /// 500 without a cause to log.
    pub fn panicked() -> Self {
        let message = "The gateway had an error while it handled your request.";
        let code = Some(Reason::Internal);
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", code, message)
    }

    /// The body, for a stream that has to end with an error event.
    pub fn into_body(self) -> ErrorBody {
        ErrorBody { error: self.detail }
    }
}

impl From<InvalidRequest> for ApiError {
    fn from(error: InvalidRequest) -> Self {
        let api = Self::invalid(StatusCode::BAD_REQUEST, error.code, error.message);
        match error.param {
            Some(param) => api.naming(&param),
            None => api,
        }
    }
}

impl From<DbError> for ApiError {
    fn from(error: DbError) -> Self {
        match error {
            DbError::NotFound(_) => Self::not_found("object"),
            DbError::Cursor => Self::bad_field("after", sentence(&error.to_string())),
            DbError::Rejected(rejected) => rejected.into(),
            DbError::Full(bound) => {
                Self::conflict(sentence(&bound.to_string())).coded(match bound {
                    Bound::EnrolmentTokens(_) => Reason::TooManyTokens,
                    Bound::AddressChanges(_) => Reason::AddressChanges,
                    Bound::OpenTopUps(_) => Reason::TooManyTopUps,
                })
            }
            error if error.is_temporary() => {
                tracing::warn!(error = chain(&error), "the store does not answer");
                let message = "The gateway's store does not answer right now.";
                Self::unavailable(Reason::StoreUnavailable, 1, message)
            }
            error => Self::internal(&error),
        }
    }
}

impl From<Rejected> for ApiError {
    fn from(error: Rejected) -> Self {
        let message = sentence(&error.to_string());
        match error {
            Rejected::KeyConflict { .. } => Self::conflict(message),
            Rejected::UnknownAccount(_) => Self::not_found("account"),
            Rejected::WrongKind { .. } | Rejected::BadAmount(_) | Rejected::BalanceOverflow(_) => {
                Self::bad_request(message)
            }
            error => Self::internal(&error),
        }
    }
}

impl From<ServeError> for ApiError {
    fn from(error: ServeError) -> Self {
        let (message, code) = (sentence(&error.to_string()), error.code());
        match error {
            ServeError::TooManyJobs { .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "requests", Some(code), message)
                    .retrying_after(Duration::from_secs(1))
            }
            ServeError::InsufficientCredit { .. } | ServeError::OverBudget { .. } => {
                Self::no_quota(code, message)
            }
            ServeError::ContextTooLong { .. }
            | ServeError::PromptTooLarge { .. }
            | ServeError::PromptEmpty
            | ServeError::Template(_) => {
                Self::invalid(StatusCode::BAD_REQUEST, Some(code), message).naming("messages")
            }
            ServeError::InputTooLong { .. }
            | ServeError::InputsTooLong { .. }
            | ServeError::InputEmpty { .. } => {
                Self::invalid(StatusCode::BAD_REQUEST, Some(code), message).naming("input")
            }
            ServeError::Form(wrong) => InvalidRequest::from(wrong).into(),
            ServeError::NoNodes { .. }
            | ServeError::TooFewNodes { .. }
            | ServeError::NoScorer { .. } => Self::unavailable(code, 5, message),
            ServeError::NotVerified { .. } | ServeError::Contradicted => {
                Self::new(StatusCode::BAD_GATEWAY, "server_error", Some(code), message)
            }
            ServeError::Timeout => {
                Self::new(StatusCode::GATEWAY_TIMEOUT, "server_error", Some(code), message)
            }
            ServeError::ShuttingDown => Self::unavailable(code, 2, message),
            ServeError::Overloaded | ServeError::Store => Self::unavailable(code, 1, message),
            ServeError::Internal | ServeError::Incomplete => Self::panicked(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(ErrorBody { error: self.detail })).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        match self.retry {
            Retry::AsUsual => {}
            Retry::Never => {
                headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
            }
            Retry::After(wait) => {
                let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
                headers.insert(RETRY_AFTER_MS, HeaderValue::from(ms));
                headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1_000)));
            }
        }
        response
    }
}

/// An error and all its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

/// Errors below are clauses; clients get sentences.
pub(super) fn sentence(clause: &str) -> String {
    let mut chars = clause.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    first.chain(chars).chain(std::iter::once('.')).collect()
}

#[cfg(test)]
mod tests {
    use assay_ledger::Nano;

    use super::*;

    #[test]
    fn no_credit_is_openais_form_and_tells_sdks_not_to_retry() {
        let error = ServeError::InsufficientCredit { available: Nano(1), needed: Nano(2) };
        let response = ApiError::from(error).into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[SHOULD_RETRY], "false");
        assert!(!response.headers().contains_key(header::RETRY_AFTER));
    }

    #[test]
    fn waits_are_whole_seconds_rounded_up_and_exact_milliseconds_beside() {
        for (wait_ms, seconds, ms) in [(0, "1", "1"), (1, "1", "1"), (1_001, "2", "1001")] {
            let response = ApiError::rate_limited(Duration::from_millis(wait_ms)).into_response();
            assert_eq!(response.headers()[header::RETRY_AFTER], seconds);
            assert_eq!(response.headers()[RETRY_AFTER_MS], ms);
        }
    }

    #[test]
    fn nothing_is_refused_without_a_code_of_the_table() {
        let io = std::io::Error::other("a test");
        let invalid = |param: Option<&str>| InvalidRequest {
            message: "wrong".into(),
            param: param.map(str::to_owned),
            code: None,
        };
        let refusals = [
            (ApiError::bad_request("wrong"), Reason::InvalidRequest),
            (ApiError::bad_field("name", "wrong"), Reason::InvalidValue),
            (invalid(None).into(), Reason::InvalidRequest),
            (invalid(Some("seed")).into(), Reason::InvalidValue),
            (ApiError::body_timeout(), Reason::BodyTimeout),
            (ApiError::body_too_large(1), Reason::BodyTooLarge),
            (ApiError::panicked(), Reason::Internal),
            (ApiError::internal(&io), Reason::Internal),
            (DbError::Corrupt("a row".into()).into(), Reason::Internal),
            (DbError::Cursor.into(), Reason::InvalidValue),
            (Rejected::BadAmount(Nano(0)).into(), Reason::InvalidRequest),
            (ServeError::Template("wrong".into()).into(), Reason::InvalidValue),
            (ServeError::Internal.into(), Reason::Internal),
        ];
        for (error, reason) in refusals {
            assert_eq!(error.detail.code.as_deref(), Some(reason.code()), "{error:?}");
        }
    }

    #[test]
    fn a_prompt_that_is_too_long_has_the_code_that_frameworks_branch_on() {
        let error = ApiError::from(ServeError::ContextTooLong { prompt: 5, context: 4 });
        assert_eq!(error.detail.code.as_deref(), Some("context_length_exceeded"));
        assert_eq!(error.detail.param.as_deref(), Some("messages"));
        assert!(error.detail.message.starts_with("The prompt has 5"));
    }
}

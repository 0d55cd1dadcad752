//! Errors as OpenAI's SDKs read them: always all four keys.

use serde::Serialize;
use utoipa::ToSchema;

use crate::reasons::Reason;

/// `{"error": {…}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

/// What went wrong, for people (`message`) and programs (the rest).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorDetail {
    /// One sentence that helps.
    pub message: String,
    /// `invalid_request_error`, `requests`, `insufficient_quota` or `server_error`.
    pub r#type: String,
    /// The field that is wrong, if one is: `messages[0].content`.
    #[schema(required)]
    pub param: Option<String>,
    /// A stable code, if there is one: `model_not_found`.
    #[schema(required)]
    pub code: Option<String>,
}

/// A request that cannot be served as it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidRequest {
    pub message: String,
    /// The field that is wrong.
    pub param: Option<String>,
    pub code: Option<Reason>,
}

impl InvalidRequest {
    /// A wrong value of `param`.
    pub fn of(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { message: message.into(), param: Some(param.into()), code: None }
    }

    /// A field that has to be there.
    pub fn missing(param: &str) -> Self {
        Self {
            code: Some(Reason::MissingParameter),
            ..Self::of(param, format!("Missing required parameter: '{param}'."))
        }
    }

    /// The same with the field's name in another dialect.
    pub fn renamed(mut self, name: impl FnOnce(&str) -> String) -> Self {
        if let Some(param) = self.param.take() {
            let renamed = name(&param);
            self.message = self.message.replace(&format!("'{param}'"), &format!("'{renamed}'"));
            self.param = Some(renamed);
        }
        self
    }

    /// Something that is right, and that we do not do.
    pub fn not_served(param: impl Into<String>, what: &str) -> Self {
        Self {
            code: Some(Reason::UnsupportedParameter),
            ..Self::of(param, format!("{what} not served yet."))
        }
    }
}

//! What the document says alike of all that nodes answer: which headers are taken, and how it may go wrong.

use utoipa::{IntoParams, IntoResponses};

use crate::openai::ErrorBody;

/// Headers besides the key.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it only describes")]
pub(in crate::api) struct Headers {
    /// low, standard or high: how much assurance this answer needs.
    #[param(rename = "x-assay-risk")]
    risk: Option<String>,
    /// At most 128 bytes of your own randomness: the gateway cannot choose the sampling seed alone.
    #[param(rename = "x-assay-nonce")]
    nonce: Option<String>,
    /// 1 to 255 bytes: the same key and body get the same answer again, and are charged once.
    #[param(rename = "idempotency-key")]
    idempotency_key: Option<String>,
}

/// All that is no answer.
#[derive(Debug, IntoResponses)]
#[expect(dead_code, reason = "it only describes")]
pub(in crate::api) enum Refused {
    /// `param` names the field; code `context_length_exceeded`: what was sent is too long for the model.
    #[response(status = 400)]
    Wrong(ErrorBody),
    /// Code `invalid_api_key`.
    #[response(status = 401)]
    NoKey(ErrorBody),
    /// Code `insufficient_permissions`: the key lacks the scope `inference`.
    #[response(status = 403)]
    OtherScope(ErrorBody),
    /// Code `model_not_found`: not served, or not for this key.
    #[response(status = 404)]
    NoModel(ErrorBody),
    /// Code `idempotency_key_in_progress`, with retry-after.
    #[response(status = 409)]
    InProgress(ErrorBody),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(ErrorBody),
    /// Code `idempotency_key_reused`: the key was used for another request.
    #[response(status = 422)]
    KeyReused(ErrorBody),
    /// Code `rate_limit_exceeded` with retry-after, or `insufficient_quota` without.
    #[response(status = 429)]
    Limited(ErrorBody),
    /// Nothing that nodes answered passed verification; nothing was charged.
    #[response(status = 502)]
    NotVerified(ErrorBody),
    /// No node is free, with retry-after.
    #[response(status = 503)]
    NoNode(ErrorBody),
    /// No answer came in time; nothing was charged.
    #[response(status = 504)]
    TooLate(ErrorBody),
}

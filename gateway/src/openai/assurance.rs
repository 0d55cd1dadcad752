//! The `verification` object of a request: how much assurance its answer needs. Not of OpenAI's.

use serde::Deserialize;
use utoipa::ToSchema;

use super::InvalidRequest;
use crate::serving::{ReleaseRule, Risk};

/// Our bound on a client's own randomness, in the body or in its header.
pub const NONCE_BYTES_MAX: usize = 128;
/// One for every token of the longest answers; a single pass gives them all.
const CHECKS_MAX: u32 = 4_096;

/// See `ChatRequest::verification`.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
pub(super) struct VerificationAsk {
    /// Without it: the key's own.
    risk: Option<Risk>,
    /// At most 128 bytes of your own randomness; the header `x-assay-nonce` says the same.
    nonce: Option<String>,
    /// Random positions to check against the model, besides the last; without it by risk.
    #[schema(minimum = 0, maximum = 4096)]
    checks: Option<i64>,
    /// `agreed`: text as nodes agree on it, the verdict at the end; `verdict`: no text before the verdict. Without
    /// it by risk.
    release: Option<ReleaseRule>,
}

/// What is asked of the answer's verification, as far as the body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssuranceAsk {
    pub risk: Option<Risk>,
    pub nonce: Option<String>,
    pub checks: Option<u32>,
    pub release: Option<ReleaseRule>,
}

impl AssuranceAsk {
    /// Checks every field; no object asks for nothing.
    pub(super) fn of(ask: Option<&VerificationAsk>) -> Result<Self, InvalidRequest> {
        let VerificationAsk { risk, nonce, checks, release } = ask.cloned().unwrap_or_default();
        if nonce.as_ref().is_some_and(|nonce| nonce.len() > NONCE_BYTES_MAX) {
            let message = format!("The nonce may have at most {NONCE_BYTES_MAX} bytes.");
            return Err(InvalidRequest::of("verification.nonce", message));
        }
        let count = |checks| u32::try_from(checks).ok().filter(|count| *count <= CHECKS_MAX);
        let checks = match checks.map(count) {
            Some(None) => {
                let message = format!("'checks' must be between 0 and {CHECKS_MAX}.");
                return Err(InvalidRequest::of("verification.checks", message));
            }
            checks => checks.flatten(),
        };
        Ok(Self { risk, nonce, checks, release })
    }
}

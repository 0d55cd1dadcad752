//! Every stable code, with its words.

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::reasons::Reason;

/// A code and what it means.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReasonView {
    /// `outcome` (of a node's part in a job), `node` (why it gets jobs or none) or `request` (an error).
    pub about: &'static str,
    pub code: &'static str,
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// What the codes mean
#[utoipa::path(
    operation_id = "reasons",
    get, path = "/operator/v1/reasons", tag = "operators",
    responses((status = 200, body = Vec<ReasonView>)),
)]
pub async fn list() -> Json<Vec<ReasonView>> {
    Json(Reason::ALL.iter().copied().map(ReasonView::from).collect())
}

impl From<Reason> for ReasonView {
    fn from(reason: Reason) -> Self {
        Self {
            about: reason.about().as_str(),
            code: reason.code(),
            meaning: reason.meaning(),
            remedy: reason.remedy(),
        }
    }
}

//! A node's part in a job as it is known now: an audit may have found the answer at fault after the job had ended.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{db::jobs::LateFinding, reasons::Reason, verification::PartEvidence};

/// An audit that found the answer at fault after the job had ended, and how the part was settled before.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LateAudit {
    pub at_ms: i64,
    /// What it found, in the words of an outcome: `failed_spot_check`, …
    pub found: String,
    /// Whether the model speaks against the very answer that the client has; otherwise the fault is this node's alone.
    pub refuted: bool,
    /// How the job ended for the node: `agreed`, …
    pub settled_outcome: String,
    pub settled_reason: String,
    #[schema(value_type = PartEvidence)]
    pub settled_evidence: Value,
}

/// Why a node is paid or not, by what is known now.
pub(in crate::api) struct Explained {
    pub(in crate::api) outcome: String,
    pub(in crate::api) reason: String,
    pub(in crate::api) evidence: Value,
    pub(in crate::api) late_audit: Option<LateAudit>,
}

impl Explained {
    /// As it was settled, unless it was found at fault later.
    pub(in crate::api) fn of(
        outcome: String,
        reason: String,
        evidence: &str,
        late: Option<LateFinding>,
    ) -> Self {
        let evidence = json(evidence);
        let Some(late) = late else {
            return Self { outcome, reason, evidence, late_audit: None };
        };
        Self {
            outcome: Reason::FailedAudit.code().to_owned(),
            reason: format!("checked after the job had ended: {}", late.reason),
            evidence: json(&late.evidence),
            late_audit: Some(LateAudit {
                at_ms: late.at_ms,
                found: late.outcome,
                refuted: late.refuted,
                settled_outcome: outcome,
                settled_reason: reason,
                settled_evidence: evidence,
            }),
        }
    }
}

/// Stored JSON; text that is none is shown as it is.
pub(in crate::api) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

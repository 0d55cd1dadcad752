//! How audits are drawn and kept.

use serde::{Deserialize, Serialize};

/// `[verification]` of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerificationSettings {
    /// How long the secret of one epoch draws audits.
    pub epoch_ms: u64,
    /// How long after its epoch a secret is published; every job of the epoch has ended by then.
    pub reveal_after_ms: u64,
    /// No agreed answer is audited less often than this, however good its nodes are; 0.05 to 1.
    pub audit_probability_min: f64,
    /// Agreed answers that wait for an audit while no scorer is there; the oldest make room.
    pub audits_queued_max: usize,
}

impl Default for VerificationSettings {
    fn default() -> Self {
        Self {
            epoch_ms: 24 * 60 * 60_000,
            reveal_after_ms: 60 * 60_000,
            audit_probability_min: 0.05,
            audits_queued_max: 1_000,
        }
    }
}

impl VerificationSettings {
    /// As the store counts.
    pub fn epoch_ms(&self) -> i64 {
        i64::try_from(self.epoch_ms).unwrap_or(i64::MAX)
    }
}

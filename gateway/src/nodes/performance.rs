//! How fast and how dependable a node is, as running means of what was measured here.

use serde::{Deserialize, Serialize};

/// Weight of the newest observation.
const EWMA_WEIGHT: f64 = 0.2;

/// How fast and how dependable a node was, measured here and never told by it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    pub first_token_ms: f64,
    pub ms_per_token: f64,
    /// Share of accepted jobs that were finished.
    pub reliability: f64,
}

impl Default for Performance {
    /// What a node is taken for before it was measured: ordinary.
    fn default() -> Self {
        Self { first_token_ms: 200.0, ms_per_token: 20.0, reliability: 0.9 }
    }
}

impl Performance {
    pub(super) fn observe(mean: &mut f64, value: f64) {
        *mean += EWMA_WEIGHT * (value - *mean);
    }
}

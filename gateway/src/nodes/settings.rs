//! How nodes come to their jobs, and how long they are kept from them.

use serde::{Deserialize, Serialize};

/// `[nodes]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NodeSettings {
    /// Whether a node must pass a self-test, which a scorer judges, before its first job. Without, a pool
    /// without a scorer can open.
    pub self_test: bool,
    /// How long one self-test may take.
    pub self_test_ms: u64,
    /// A node that failed its self-test is tested again after this long.
    pub self_test_retry_ms: u64,
    /// How long a node that fails too many checks gets no jobs.
    pub quarantine_ms: u64,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            self_test: true,
            self_test_ms: 60_000,
            self_test_retry_ms: 60_000,
            quarantine_ms: 30 * 60_000,
        }
    }
}

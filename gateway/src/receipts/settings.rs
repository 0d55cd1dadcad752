//! How receipts are written.

use serde::{Deserialize, Serialize};

/// `[receipts]` of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReceiptSettings {
    /// Whether answers get receipts; without them clients have the gateway's word only.
    pub enabled: bool,
    /// How long entries may wait for their place in the log, so that many share one signature.
    pub seal_ms: u64,
    /// How long a request for a receipt waits for the job's end and the next seal.
    pub wait_ms: u64,
}

impl Default for ReceiptSettings {
    fn default() -> Self {
        Self { enabled: true, seal_ms: 500, wait_ms: 10_000 }
    }
}

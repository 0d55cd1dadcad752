//! How much assurance a client asked for, and what that means for its job.

use assay_verifier::SpotChecks;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The client's risk, by request or by key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    Low,
    #[default]
    Standard,
    High,
}

impl Risk {
    /// The word in requests and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Standard => "standard",
            Self::High => "high",
        }
    }

    /// Reads the word of a request.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Low, Self::Standard, Self::High].into_iter().find(|risk| risk.as_str() == text)
    }

    /// What follows from it.
    pub fn policy(self) -> Policy {
        match self {
            Self::Low => Policy {
                nodes: 2,
                nodes_min: 1,
                spot_checks: SpotChecks::Random(4),
                release: ReleaseRule::AsAgreed,
                score_always: false,
                price_per_mille: 1_000,
            },
            Self::Standard => Policy {
                nodes: 3,
                nodes_min: 2,
                spot_checks: SpotChecks::Random(16),
                release: ReleaseRule::AsAgreed,
                score_always: false,
                price_per_mille: 3_000,
            },
            Self::High => Policy {
                nodes: 3,
                nodes_min: 2,
                spot_checks: SpotChecks::All,
                release: ReleaseRule::AfterVerdict,
                score_always: true,
                price_per_mille: 4_000,
            },
        }
    }
}

/// The rules of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Nodes to ask, each of another owner.
    pub nodes: usize,
    /// With fewer the job is refused. Below `nodes` every answer is scored.
    pub nodes_min: usize,
    pub spot_checks: SpotChecks,
    pub release: ReleaseRule,
    /// Whether the answer is scored even when everybody agrees.
    pub score_always: bool,
    /// Factor on the model's prices.
    pub price_per_mille: u32,
}

/// When text goes to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseRule {
    /// Token by token, what two owners agree on.
    AsAgreed,
    /// Nothing before the verdict.
    AfterVerdict,
}

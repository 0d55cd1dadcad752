//! How much assurance a client asked for, and what that means for its job.

use assay_verifier::{SpotChecks, record::CORRECTNESS_PROVEN};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::scheduler::Fewer;

/// The share of good answers, at least, of a proven node in a pair that needs no third. A pair is audited with its
/// members' largest chance: next to a newcomer that is always, and the model says more than a third node could. Two
/// proven ones would both have to lie: at most 1 answer in 20, of which a quarter is audited at this trust. That is less
/// than what `low` bears: 1 in 10, of which half is audited.
pub const CORRECTNESS_FOR_A_PAIR: f64 = 0.95;

/// The most that one node gets, per mille of an equal share among all that were asked.
pub const PAY_CAP_PER_MILLE: u32 = 1_500;

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
}

/// What a client asks of its answer's verification: its risk, and what it changes of the risk's own rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    pub risk: Risk,
    /// Random positions to check, besides the last.
    pub checks: Option<u32>,
    pub release: Option<ReleaseRule>,
}

impl Terms {
    /// What follows from it.
    pub fn policy(self) -> Policy {
        let policy = match self.risk {
            Risk::Low => Policy {
                nodes: 2,
                nodes_min: 1,
                fewer: Some(Fewer { nodes: 1, correctness_min: CORRECTNESS_PROVEN }),
                spot_checks: SpotChecks::Random(4),
                release: ReleaseRule::Agreed,
                score_always: false,
                price_per_mille: 1_000,
            },
            Risk::Standard => Policy {
                nodes: 3,
                nodes_min: 2,
                fewer: Some(Fewer { nodes: 2, correctness_min: CORRECTNESS_FOR_A_PAIR }),
                spot_checks: SpotChecks::Random(16),
                release: ReleaseRule::Agreed,
                score_always: false,
                price_per_mille: 3_000,
            },
            Risk::High => Policy {
                nodes: 3,
                nodes_min: 2,
                fewer: None,
                spot_checks: SpotChecks::All,
                release: ReleaseRule::Verdict,
                score_always: true,
                price_per_mille: 4_000,
            },
        };
        Policy {
            spot_checks: self.checks.map_or(policy.spot_checks, SpotChecks::Random),
            release: self.release.unwrap_or(policy.release),
            ..policy
        }
    }
}

/// The rules of one job.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Nodes to ask, each of another owner.
    pub nodes: usize,
    /// With fewer the job is refused. With fewer than were wanted every answer is scored.
    pub nodes_min: usize,
    /// When fewer will do, as long as a scorer is connected.
    pub fewer: Option<Fewer>,
    pub spot_checks: SpotChecks,
    pub release: ReleaseRule,
    /// Whether the answer is scored even when everybody agrees.
    pub score_always: bool,
    /// Factor on the model's prices.
    pub price_per_mille: u32,
}

/// When text goes to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseRule {
    /// Token by token: what two owners agree on, or what a proven node says that was asked alone.
    Agreed,
    /// Nothing before the verdict.
    Verdict,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_change_checks_and_release_and_nothing_else() {
        let high = Terms { risk: Risk::High, ..Terms::default() }.policy();
        let release = Some(ReleaseRule::Agreed);
        let changed = Terms { risk: Risk::High, checks: Some(7), release }.policy();
        let expected = Policy {
            spot_checks: SpotChecks::Random(7),
            release: ReleaseRule::Agreed,
            ..high.clone()
        };
        assert_eq!(changed, expected);
        assert_eq!(high.release, ReleaseRule::Verdict);
        assert_eq!(high.spot_checks, SpotChecks::All);
    }
}

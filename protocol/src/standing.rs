//! Where a node stands with the gateway, and why: what its operator is told.

use serde::{Deserialize, Serialize};

/// A place, the stable code behind it, and a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStanding {
    pub state: NodeState,
    pub code: StandingCode,
    /// For the node's operator to read.
    pub reason: String,
    /// When it changes by itself, in Unix milliseconds: the end of a quarantine.
    pub until_ms: Option<i64>,
}

/// What a node may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Known; it has not said yet what it serves.
    Enrolled,
    /// Gets no jobs but the gateway's self-test.
    Testing,
    /// Gets jobs in groups only, and every answer is checked.
    Probation,
    /// Proven for at least one of its models, or a scorer.
    Active,
    /// Gets no jobs until a time, and then a self-test.
    Quarantined,
    /// Gets no new jobs: it asked for none.
    Draining,
    /// Gets nothing any more.
    Banned,
}

/// Why a node stands where it stands. Codes stay; sentences may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandingCode {
    HelloAwaited,
    /// None of its models is served here in the same version.
    ModelNotServed,
    /// Its self-test waits for a scorer.
    NoScorer,
    SelfTest,
    SelfTestFailed,
    /// Serving, but not proven yet.
    Unproven,
    Proven,
    Scorer,
    /// Too many checked answers failed.
    FailedChecks,
    /// Checked answers failed so often that proof would ban it.
    BanCandidate,
    DrainAsked,
    /// Answers that two scorers refuted, or that break a rule of structure.
    ProvenCheating,
    ByAdmin,
}

impl NodeState {
    /// The word on the wire and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::Testing => "testing",
            Self::Probation => "probation",
            Self::Active => "active",
            Self::Quarantined => "quarantined",
            Self::Draining => "draining",
            Self::Banned => "banned",
        }
    }

    /// Whether a node in this state gets jobs.
    pub fn serves(self) -> bool {
        matches!(self, Self::Probation | Self::Active)
    }
}

words! { StandingCode:
    /// The word on the wire, in the store and in the API.
    HelloAwaited => "hello_awaited",
    ModelNotServed => "model_not_served",
    NoScorer => "no_scorer",
    SelfTest => "self_test",
    SelfTestFailed => "self_test_failed",
    Unproven => "unproven",
    Proven => "proven",
    Scorer => "scorer",
    FailedChecks => "failed_checks",
    BanCandidate => "ban_candidate",
    DrainAsked => "drain_asked",
    ProvenCheating => "proven_cheating",
    ByAdmin => "by_admin",
}

impl StandingCode {
    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_wire() {
        for code in StandingCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert_eq!(StandingCode::parse(code.as_str()), Some(code));
        }
    }
}

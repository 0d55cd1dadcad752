//! What a node's checks say of it over time, for one model: its evidence, the ban test, and what follows.
//!
//! The ban test is a CUSUM (Page, 1954) of the log-likelihood ratio between a node that fails one check in ten and
//! one that fails one in 200: a failure adds `ln(0.10/0.005)`, a pass takes `ln(0.995/0.90)`, and the sum
//! never falls below 0. An honest node that fails one check in 200 meets a false ban once in three million checks.

use serde::{Deserialize, Serialize};

use crate::reputation::{self, AUDIT_PROBABILITY_MIN, Evidence, fraction};

/// What a failed check adds.
pub const CUSUM_FAILURE: f64 = 2.996;
/// What a passed check of full weight takes.
pub const CUSUM_PASS: f64 = 0.100;
/// A failure that brings the sum here is quarantined.
pub const CUSUM_QUARANTINE: f64 = 5.0;
/// … and here, banned, if one of the failures is proven.
pub const CUSUM_BAN: f64 = 11.5;
/// After a failure, checks of this weight are due before anything of the node goes unchecked again.
pub const CHECKS_DUE_AFTER_FAILURE: f64 = 20.0;
/// The correctness of a proven node.
pub const CORRECTNESS_PROVEN: f64 = 0.9;

/// All that is known of a node's honesty with one model. The default is a new node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub evidence: Evidence,
    /// The ban test.
    pub cusum: f64,
    /// Failures that nobody can call a calibration's fault: a second scorer confirmed them, or they need no model.
    pub proofs: u32,
    /// All of its jobs are checked until passes of this weight came in. Weights count here as everywhere, so that
    /// dust jobs do not wash a failure off.
    pub checks_due: f64,
}

/// What a verdict says of one node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Finding {
    /// `weight` is what the pass teaches, 0 to 1 ([`reputation::pass_weight`]).
    Passed { weight: f64 },
    /// `proven`: structural, or confirmed by a second scorer.
    Failed { proven: bool },
}

/// What a finding leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Consequence {
    None,
    /// Out for a while, then tested anew.
    Quarantine,
    /// Enough failures for a ban, none of them proven: out, and a person looks.
    BanCandidate,
    Ban,
}

impl Record {
    /// Adds a finding.
    pub fn apply(&mut self, finding: Finding) -> Consequence {
        match finding {
            Finding::Passed { weight } => {
                let weight = fraction(weight);
                self.evidence.record_pass(weight);
                self.cusum = (self.cusum - CUSUM_PASS * weight).max(0.0);
                self.checks_due = (self.checks_due - weight).max(0.0);
                Consequence::None
            }
            Finding::Failed { proven } => {
                self.evidence.record_failure();
                self.cusum += CUSUM_FAILURE;
                self.proofs = self.proofs.saturating_add(u32::from(proven));
                self.checks_due = CHECKS_DUE_AFTER_FAILURE;
                self.consequence()
            }
        }
    }

    /// Whether it may serve alone, and stand for a pair.
    pub fn is_proven(&self) -> bool {
        self.checks_due <= 0.0 && self.evidence.correctness() >= CORRECTNESS_PROVEN
    }

    /// How likely a job of this node is to be checked although nothing asks for it. `at_stake_nano` is what it stands
    /// to lose: immature pay and stake.
    pub fn audit_probability(&self, job_pay_nano: i64, at_stake_nano: i64) -> f64 {
        if !self.is_proven() {
            return 1.0;
        }
        let doubt = reputation::audit_probability(self.evidence.correctness());
        doubt.max(share(job_pay_nano, at_stake_nano)).clamp(AUDIT_PROBABILITY_MIN, 1.0)
    }

    fn consequence(&self) -> Consequence {
        if self.cusum >= CUSUM_BAN {
            if self.proofs > 0 { Consequence::Ban } else { Consequence::BanCandidate }
        } else if self.cusum >= CUSUM_QUARANTINE {
            Consequence::Quarantine
        } else {
            Consequence::None
        }
    }
}

/// What part of what is at stake a job's pay is: with an audit that likely, a cheat loses as much as it wins.
fn share(pay_nano: i64, at_stake_nano: i64) -> f64 {
    if pay_nano <= 0 {
        0.0
    } else if at_stake_nano <= pay_nano {
        1.0
    } else {
        #[expect(clippy::cast_precision_loss, reason = "a probability, not money")]
        let share = pay_nano as f64 / at_stake_nano as f64;
        share
    }
}

//! What a node's checks say of it over time, for one model: its evidence, the ban test, and what follows.
//!
//! The ban test is a CUSUM (Page, 1954) of the log-likelihood ratio between a node that fails one check in ten and
//! one that fails one in 200: a failure adds `ln(0.10/0.005)`, a pass takes `ln(0.995/0.90)`, and the sum
//! never falls below 0. An honest node that fails one check in 200 meets a false ban once in three million checks.

mod false_ban;

use serde::{Deserialize, Serialize};

pub use false_ban::false_ban_per_check;

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

    /// What a failure that is in it already leads to.
    pub fn consequence(&self) -> Consequence {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PASS: Finding = Finding::Passed { weight: 1.0 };
    const PROVEN: Finding = Finding::Failed { proven: true };
    const DOUBTED: Finding = Finding::Failed { proven: false };

    fn after(findings: impl IntoIterator<Item = Finding>) -> (Record, Vec<Consequence>) {
        let mut record = Record::default();
        let consequences = findings.into_iter().map(|it| record.apply(it)).collect();
        (record, consequences)
    }

    #[test]
    fn a_blatant_cheat_lasts_four_checks() {
        use Consequence as C;
        let (_, consequences) = after([DOUBTED, PROVEN, DOUBTED, DOUBTED]);
        assert_eq!(consequences, [C::None, C::Quarantine, C::Quarantine, C::Ban]);
        let (record, consequences) = after([DOUBTED; 4]);
        assert_eq!(*consequences.last().unwrap(), C::BanCandidate, "nothing is proven");
        assert_eq!(record.proofs, 0);
    }

    #[test]
    fn one_failure_in_fifty_passes_is_forgiven() {
        let year = (0..1_000).map(|check| if check % 50 == 0 { DOUBTED } else { PASS });
        let (_, consequences) = after(year);
        assert!(consequences.iter().all(|it| *it == Consequence::None));
    }

    #[test]
    fn one_cheat_in_ten_is_banned_within_two_hundred_checks() {
        let jobs = (0..200).map(|job| if job % 10 == 0 { PROVEN } else { PASS });
        let (_, consequences) = after(jobs);
        assert!(consequences.contains(&Consequence::Ban));
    }

    #[test]
    fn a_failure_has_twenty_full_checks_due() {
        let (mut record, _) = after([PASS; 60]);
        assert!(record.is_proven() && record.audit_probability(0, 0) < 0.5);
        record.apply(DOUBTED);
        for _ in 0..20 {
            assert!(!record.is_proven());
            assert_eq!(record.audit_probability(0, 0), 1.0);
            record.apply(PASS);
        }
        assert!(record.checks_due <= 0.0);
        let before = record;
        for _ in 0..1_000 {
            record.apply(Finding::Passed { weight: 0.0 });
        }
        assert_eq!(record, before, "dust teaches nothing");
    }

    #[test]
    fn nobody_is_audited_less_often_than_a_cheat_would_pay() {
        let (record, _) = after([PASS; 400]);
        let q = |pay, stake| record.audit_probability(pay, stake);
        let trusted = q(0, 0);
        assert!((AUDIT_PROBABILITY_MIN..0.1).contains(&trusted), "{trusted}");
        assert_eq!((q(10, 0), q(10, 10), q(0, -5)), (1.0, 1.0, trusted));
        assert_eq!((q(10, 20), q(1, 1_000_000), q(-3, 10)), (0.5, trusted, trusted));
    }

    fn findings() -> impl Strategy<Value = Vec<Finding>> {
        let passed = (0.0f64..1.0).prop_map(|weight| Finding::Passed { weight });
        let failed = any::<bool>().prop_map(|proven| Finding::Failed { proven });
        prop::collection::vec(prop_oneof![4 => passed, 1 => failed], 0..80)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn no_ban_without_a_proof_and_no_trust_while_checks_are_due(findings in findings()) {
            let mut record = Record::default();
            for finding in findings {
                let before = record;
                let consequence = record.apply(finding);
                prop_assert!(record.cusum >= 0.0 && record.checks_due >= 0.0);
                match finding {
                    Finding::Passed { .. } => {
                        prop_assert_eq!(consequence, Consequence::None);
                        prop_assert!(record.evidence.correctness() >= before.evidence.correctness());
                    }
                    Finding::Failed { .. } => {
                        prop_assert!(record.evidence.correctness() <= before.evidence.correctness());
                        prop_assert!(!record.is_proven());
                        let quarantined = record.cusum >= CUSUM_QUARANTINE;
                        prop_assert_eq!(consequence >= Consequence::Quarantine, quarantined);
                    }
                }
                prop_assert!(consequence != Consequence::Ban || record.proofs > 0);
                prop_assert!(!record.is_proven() || record.checks_due <= 0.0);
                let q = record.audit_probability(1, 100);
                prop_assert!((AUDIT_PROBABILITY_MIN..=1.0).contains(&q));
            }
        }
    }
}

//! How honest a node has shown itself with one model, from verified checks alone.

use assay_protocol::PositionScore;
use serde::{Deserialize, Serialize};

use crate::beta;

/// λ = 0.5^(1/200): a check counts half after 200 more of full weight. Evidence fades by `λ^weight`, so that checks
/// that teach nothing do not wash out a failure either.
pub const DECAY: f64 = 0.996_540_262_827_867_8;
/// Correctness is this quantile of what the evidence allows, so that little evidence means little trust.
pub const LOWER_QUANTILE: f64 = 0.05;
/// Nobody is audited less often.
pub const AUDIT_PROBABILITY_MIN: f64 = 0.05;
/// How fast audits grow with doubt.
const AUDITS_PER_DOUBT: f64 = 5.0;
/// Positions of full uncertainty that make a whole pass.
const UNCERTAIN_POSITIONS_PER_PASS: f64 = 16.0;

/// Decayed sums of passed and failed checks. The default is what is known of a new node: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    pub passes: f64,
    pub failures: f64,
}

impl Evidence {
    /// Adds a passed check; `weight` is what it teaches, 0 to 1 ([`pass_weight`]).
    pub fn record_pass(&mut self, weight: f64) {
        let weight = fraction(weight);
        self.fade(weight);
        self.passes += weight;
    }

    /// Adds a failed check.
    pub fn record_failure(&mut self) {
        self.fade(1.0);
        self.failures += 1.0;
    }

    /// The share of good answers that the node has at least, with 95 % confidence: the lower quantile of
    /// Beta(1 + passes, 1 + failures). 0.05 for a new node.
    pub fn correctness(&self) -> f64 {
        beta::quantile(LOWER_QUANTILE, 1.0 + self.passes.max(0.0), 1.0 + self.failures.max(0.0))
    }

    /// How likely an agreed answer of this node is to be checked all the same.
    pub fn audit_probability(&self) -> f64 {
        audit_probability(self.correctness())
    }

    fn fade(&mut self, weight: f64) {
        let kept = kept(weight);
        self.passes *= kept;
        self.failures *= kept;
    }
}

/// What is left of older evidence after a check of this weight, 0 to 1: `λ^weight`.
pub fn kept(weight: f64) -> f64 {
    libm::pow(DECAY, weight)
}

/// `clamp(5·(1 − C), 0.05, 1)`.
pub fn audit_probability(correctness: f64) -> f64 {
    (AUDITS_PER_DOUBT * (1.0 - correctness)).clamp(AUDIT_PROBABILITY_MIN, 1.0)
}

/// `min(1, Σ(1 − Σp²)/16)`: answers that anybody could have guessed teach nothing.
pub fn pass_weight(scores: &[PositionScore]) -> f64 {
    let uncertainty: f64 = scores.iter().map(|score| fraction(1.0 - score.sum_p2)).sum();
    (uncertainty / UNCERTAIN_POSITIONS_PER_PASS).min(1.0)
}

/// Into 0 to 1; NaN is nothing.
pub(crate) fn fraction(value: f64) -> f64 {
    if value > 0.0 { value.min(1.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(passes: f64, failures: f64) -> Evidence {
        Evidence { passes, failures }
    }

    #[test]
    fn nothing_is_known_of_a_new_node_and_everything_is_audited() {
        assert!((Evidence::default().correctness() - 0.05).abs() < 1e-12);
        assert_eq!(Evidence::default().audit_probability(), 1.0);
    }

    #[test]
    fn trust_comes_slowly_and_goes_fast() {
        let mut node = Evidence::default();
        for _ in 0..200 {
            let before = node.correctness();
            node.record_pass(1.0);
            assert!(node.correctness() > before);
        }
        let trusted = node.correctness();
        assert!(trusted > 0.97, "{trusted}");
        assert!(node.audit_probability() < 0.15);
        node.record_failure();
        let lost = trusted - node.correctness();
        node.record_pass(1.0);
        assert!(lost > 0.01, "{lost}");
        assert!(node.correctness() < trusted);
    }

    #[test]
    fn old_checks_fade_by_half_in_two_hundred() {
        assert!((DECAY.powi(200) - 0.5).abs() < 1e-12);
        let mut node = evidence(0.0, 8.0);
        (0..400).for_each(|_| node.record_pass(0.5));
        assert!((node.failures - 4.0).abs() < 1e-9);
    }

    #[test]
    fn dust_washes_no_failure_off() {
        let mut node = evidence(0.0, 8.0);
        (0..100_000).for_each(|_| node.record_pass(0.0));
        assert_eq!(node, evidence(0.0, 8.0));
    }

    #[test]
    fn audits_keep_their_floor_and_ceiling() {
        assert_eq!(audit_probability(1.0), AUDIT_PROBABILITY_MIN);
        assert_eq!(audit_probability(0.5), 1.0);
        assert!((audit_probability(0.9) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn certain_answers_teach_nothing_and_broken_weights_are_none() {
        let score = |sum_p2| PositionScore { own: 0, margin: 0.0, logit: 0.0, sum_p2 };
        assert_eq!(pass_weight(&[score(1.0); 100]), 0.0);
        assert_eq!(pass_weight(&[score(0.5); 8]), 0.25);
        assert_eq!(pass_weight(&[score(0.1); 100]), 1.0);
        assert_eq!(pass_weight(&[score(f64::NAN); 100]), 0.0);
        let mut node = Evidence::default();
        node.record_pass(f64::NAN);
        node.record_pass(7.0);
        assert_eq!(node.passes, 1.0);
    }
}

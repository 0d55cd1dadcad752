//! What one scoring pass says of an answer as a whole: the measures of R2 and R5, and their limits.

use assay_protocol::PositionScore;
use serde::Serialize;

use crate::{Answer, FaultKind, Rules, beta, reputation::fraction};

/// One large margin is R1's business: in the sum, no token counts for more, in logits.
const MARGIN_CLIP: f64 = 0.5;
/// Less uncertainty than this, in `Σ(1 − Σp²)`, says nothing about noise.
const UNCERTAINTY_MIN: f64 = 1.0;
/// How often an honest answer may have more flips than are allowed.
const FLIPS_FALSE_ALARM: f64 = 1e-6;

/// Sums over the tokens that a node wrote itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Measures {
    pub tokens: u32,
    /// In logits.
    pub largest_margin: f64,
    /// `Σ min(m, 0.5)`, in logits.
    pub margin_sum: f64,
    /// `Σ(1 − Σp²)`, p at temperature 1: how much the tokens could have been others.
    pub uncertainty: f64,
    /// Tokens with any margin at all.
    pub flips: u32,
    /// R5: the mean |reported − recomputed|. None if no logits were reported.
    pub logit_difference: Option<f64>,
    /// The largest difference between a log probability that was told and the model's own. None if none were told.
    pub logprob_difference: Option<f64>,
}

impl Measures {
    /// `scores` are those of all output positions, the handed-over ones included.
    pub fn of(answer: &Answer, scores: &[PositionScore]) -> Self {
        let own = scores.get(answer.from as usize..).unwrap_or_default();
        let pairs = own.iter().zip(&answer.logits);
        let difference: f64 = pairs
            .map(|(score, reported)| (f64::from(*reported) - f64::from(score.logit)).abs())
            .sum();
        let tokens = u32::try_from(own.len()).unwrap_or(u32::MAX);
        let flips = own.iter().filter(|score| score.margin > 0.0).count();
        Self {
            tokens,
            largest_margin: own.iter().map(|score| score.margin).fold(0.0, f64::max),
            margin_sum: own.iter().map(|score| score.margin.min(MARGIN_CLIP)).sum(),
            uncertainty: own.iter().map(|score| fraction(1.0 - score.sum_p2)).sum(),
            flips: u32::try_from(flips).unwrap_or(u32::MAX),
            logit_difference: (!answer.logits.is_empty() && tokens > 0)
                .then(|| difference / f64::from(tokens)),
            logprob_difference: None,
        }
    }

    /// `σ̂² = 2T·Σ min(m, 0.5) / Σ(1 − Σp²)`: the noise in the logits that the margins tell of, normalised by the
    /// prompt's own uncertainty (Token-DiFR, arXiv 2511.20621). None at temperature 0, or with too little
    /// uncertainty to tell.
    pub fn sigma2(&self, temperature: f64) -> Option<f64> {
        (temperature > 0.0 && self.uncertainty >= UNCERTAINTY_MIN)
            .then(|| 2.0 * temperature * self.margin_sum / self.uncertainty)
    }

    /// The first of R2 and R5 that these break.
    pub fn fault(&self, rules: &Rules) -> Option<FaultKind> {
        if self.breaks_whole_answer(rules) {
            Some(FaultKind::Whole)
        } else if self.logits_over_limit(rules).is_some_and(|ratio| ratio > 1.0 || ratio.is_nan()) {
            Some(FaultKind::Logits)
        } else if self.logprobs_over_limit(rules).is_some_and(|ratio| ratio > 1.0) {
            Some(FaultKind::Logprobs)
        } else {
            None
        }
    }

    /// How many times its limit the worst measure of R1, R2 and R5 is; over 1 is a fault.
    pub fn over_limit(&self, rules: &Rules) -> f64 {
        let whole = match self.sigma2_over_limit(rules) {
            Some(ratio) => ratio,
            None => self.flips_allowed(rules).map_or(0.0, |allowed| {
                // More than allowed is over 1, and just that many is not.
                f64::from(self.flips) / (f64::from(allowed) + 0.5)
            }),
        };
        let logits = self.logits_over_limit(rules).unwrap_or(0.0);
        let logprobs = self.logprobs_over_limit(rules).unwrap_or(0.0);
        [self.largest_margin / rules.tau_gap, whole, logits, logprobs]
            .into_iter()
            .fold(0.0, f64::max)
    }

    fn breaks_whole_answer(&self, rules: &Rules) -> bool {
        match self.sigma2_over_limit(rules) {
            Some(ratio) => ratio > 1.0,
            None => self.flips_allowed(rules).is_some_and(|allowed| self.flips > allowed),
        }
    }

    fn sigma2_over_limit(&self, rules: &Rules) -> Option<f64> {
        let limit = rules.sigma2_limit()?;
        Some(self.sigma2(rules.temperature)? / limit)
    }

    fn logits_over_limit(&self, rules: &Rules) -> Option<f64> {
        Some(self.logit_difference? / rules.tau_logit?)
    }

    /// A log probability is a difference of two logits, as a margin is: the same limit is calibrated for both.
    fn logprobs_over_limit(&self, rules: &Rules) -> Option<f64> {
        Some(self.logprob_difference? / rules.tau_gap)
    }

    /// The fewest flips that honest answers of this length exceed less often than once in a million, if tokens flip
    /// as often as honest ones do at most, each for itself. They flip at near-ties only: R1 sees to that.
    fn flips_allowed(&self, rules: &Rules) -> Option<u32> {
        let rate = f64::from(rules.flips_max_per_mille?) / 1000.0;
        // P(flips > allowed) = P(at least allowed + 1 hits) = I_rate(allowed + 1, tokens − allowed).
        let chance_of_more = |allowed: u32| {
            beta::regularised(rate, f64::from(allowed) + 1.0, f64::from(self.tokens - allowed))
        };
        let enough = |allowed: &u32| chance_of_more(*allowed) <= FLIPS_FALSE_ALARM;
        Some((0..self.tokens).find(enough).unwrap_or(self.tokens))
    }
}

#[cfg(test)]
mod tests;

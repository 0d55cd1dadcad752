//! What a model holds a token for, before anything bends it: its raw logits against all others.

use serde::{Deserialize, Serialize};

use crate::TokenId;

/// Alternatives that may be asked for at each position.
pub const TOP_LOGPROBS_MAX: u8 = 20;

/// One output position: with the raw logit of its token this gives the token's log probability, and those of the
/// likeliest ones, at temperature 1 and before masks, biases and penalties.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenLogprobs {
    /// `ln Σ exp(l_v)` over the vocabulary: a log probability is a logit less this.
    pub log_sum_exp: f32,
    /// The largest raw logits with their tokens, falling, ties to the lowest id: as many as were asked for, or all.
    pub top: Vec<(TokenId, f32)>,
}

/// What is told of one token.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldToken {
    /// Its raw logit.
    pub logit: f32,
    pub logprobs: TokenLogprobs,
}

impl ToldToken {
    /// How far two nodes are apart at most: `|(l − lse) − (l' − lse')|`, over the token itself and every alternative. An
    /// alternative that only one of them names is held against the least likely of the other's.
    pub fn difference(&self, other: &Self) -> f64 {
        let logprob = |logit: f32, of: &TokenLogprobs| f64::from(logit) - f64::from(of.log_sum_exp);
        let (one, two) = (&self.logprobs, &other.logprobs);
        if one.top.len() != two.top.len() {
            return f64::INFINITY;
        }
        let mut differences = vec![logprob(self.logit, one) - logprob(other.logit, two)];
        for (of, against) in [(one, two), (two, one)] {
            for (id, logit) in &of.top {
                let named = against.top.iter().find(|(named, _)| named == id);
                let Some((_, held)) = named.or(against.top.last()) else { continue };
                differences.push(logprob(*logit, of) - logprob(*held, against));
            }
        }
        // What is no number is no agreement.
        let size = |apart: f64| if apart.is_nan() { f64::INFINITY } else { apart.abs() };
        differences.into_iter().map(size).fold(0.0, f64::max)
    }
}

impl TokenLogprobs {
    /// Whether this can be said of a token with this raw logit: finite, falling, each token once, and none more likely
    /// than certain.
    pub fn is_possible(&self, logit: f32, asked: u8, vocab_size: u32) -> bool {
        /// Sums of rounded terms.
        const SLACK: f32 = 1e-2;
        let Self { log_sum_exp, top } = self;
        let count = u32::from(asked).min(vocab_size) as usize;
        let falls = top.windows(2).all(|pair| pair[0].1 >= pair[1].1);
        let mut ids: Vec<TokenId> = top.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        let once = ids.windows(2).all(|pair| pair[0] != pair[1]);
        let fits = |logit: f32| logit.is_finite() && logit <= log_sum_exp + SLACK;
        log_sum_exp.is_finite()
            && top.len() == count
            && falls
            && once
            && ids.last().is_none_or(|id| *id < vocab_size)
            && fits(logit)
            && top.iter().all(|(_, logit)| fits(*logit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(log_sum_exp: f32, top: &[(TokenId, f32)]) -> TokenLogprobs {
        TokenLogprobs { log_sum_exp, top: top.to_vec() }
    }

    fn apart(one: (f32, &TokenLogprobs), other: (f32, &TokenLogprobs)) -> f64 {
        let told = |(logit, logprobs): (f32, &TokenLogprobs)| ToldToken {
            logit,
            logprobs: logprobs.clone(),
        };
        told(one).difference(&told(other))
    }

    #[test]
    fn the_difference_is_of_probabilities_not_of_logits() {
        let (one, shifted) = (said(2.0, &[(5, 1.5)]), said(12.0, &[(5, 11.5)]));
        assert!(apart((1.0, &one), (11.0, &shifted)) < 1e-6);
        assert!((apart((1.0, &one), (11.5, &shifted)) - 0.5).abs() < 1e-6);
        let other = said(2.0, &[(5, 1.25)]);
        assert!((apart((1.0, &one), (1.0, &other)) - 0.25).abs() < 1e-6);
    }

    #[test]
    fn near_ties_may_change_places_and_others_may_not() {
        let one = said(3.0, &[(5, 2.0), (6, 1.0)]);
        let near = said(3.0, &[(5, 2.0), (7, 1.0)]);
        assert!(apart((2.0, &one), (2.0, &near)) < 1e-6);
        let far = said(3.0, &[(5, 2.0), (7, 0.0)]);
        assert!((apart((2.0, &one), (2.0, &far)) - 1.0).abs() < 1e-6);
        let fewer = said(3.0, &[(5, 2.0)]);
        assert!(apart((2.0, &one), (2.0, &fewer)).is_infinite());
        let nan = said(f32::NAN, &[(5, 2.0), (6, 1.0)]);
        assert!(apart((2.0, &one), (2.0, &nan)).is_infinite());
    }

    #[test]
    fn what_cannot_be_is_seen() {
        let good = said(3.0, &[(5, 2.0), (6, 2.0)]);
        assert!(good.is_possible(1.0, 2, 10));
        assert!(said(3.0, &[]).is_possible(1.0, 0, 10));
        assert!(!good.is_possible(1.0, 3, 10), "too few");
        assert!(said(3.0, &[(0, 1.0)]).is_possible(1.0, 3, 1), "there are no more");
        assert!(!good.is_possible(4.0, 2, 10), "more than certain");
        assert!(!good.is_possible(f32::NAN, 2, 10));
        for wrong in [
            said(f32::INFINITY, &[(5, 2.0), (6, 2.0)]),
            said(3.0, &[(5, 1.0), (6, 2.0)]),
            said(3.0, &[(5, 2.0), (5, 2.0)]),
            said(3.0, &[(5, 2.0), (10, 2.0)]),
            said(3.0, &[(5, 4.0), (6, 2.0)]),
        ] {
            assert!(!wrong.is_possible(1.0, 2, 10), "{wrong:?}");
        }
    }
}

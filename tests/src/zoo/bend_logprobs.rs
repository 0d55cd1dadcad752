//! Says the right text with the right logits, and tells log probabilities that are a little too low.

use assay_protocol::TokenLogprobs;

use super::Kind;

/// Far beyond what two honest nodes differ by, too little to be seen by eye.
const BENT_BY: f32 = 0.05;

#[derive(Debug)]
pub(super) struct BendLogprobs;

impl Kind for BendLogprobs {
    fn name(&self) -> &'static str {
        "bend-logprobs"
    }

    fn about(&self) -> &'static str {
        "says the right text, and log probabilities that are a little too low"
    }

    fn tells(&self, mut told: Vec<TokenLogprobs>) -> Vec<TokenLogprobs> {
        for told in &mut told {
            told.log_sum_exp += BENT_BY;
        }
        told
    }
}

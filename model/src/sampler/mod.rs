//! The sampler `gmax-v1`: the gateway dictates the randomness, so that two honest nodes say the same thing
//! at any temperature and a third can check them.
//!
//! # Specification
//!
//! All arithmetic is IEEE 754 binary64, in the order written; `ln` and `exp` are those of `libm` (a port of
//! musl). Vocabulary ids `v` run from 0. Input: the raw logits `l_v` (binary32, all finite), the
//! [`Sampling`] parameters, the job's 32-byte seed, the output position `t` (0 for the first output token),
//! the output ids before it (a handed-over prefix included, the prompt not) and, under a grammar, the ids that
//! it allows here ([`crate::grammar`]).
//!
//! 0. *Grammar*: ids that are not allowed do not exist in what follows; without a grammar all are.
//! 1. *Bias*: `a_v = l_v + bias_v`; ids outside the vocabulary are ignored.
//! 2. *Penalties*, for each `v` that the output holds `c_v > 0` times: `a_v = a_v − presence`, then
//!    `a_v = a_v − frequency·c_v`.
//! 3. *Temperature* `T` = 0: the token is the largest `a_v`, ties to the lowest id. Done.
//! 4. *Candidates*: the 256 largest `a_v` (ties to the lowest id), in falling order of `a_v`, ties by rising
//!    id: `a_0 ≥ a_1 ≥ …`
//! 5. *Top-k*: if `top_k` is not 0, the first `top_k` of them. `K` is how many are left.
//! 6. *Top-p*, if `top_p < 1`: with `w_i = exp((a_i − a_0)/T)` and `W_i = w_0 + … + w_{i−1}`, summed in this
//!    order, those with `W_i < top_p·W_K`.
//! 7. *Min-p*, if `min_p > 0`: those with `w_i ≥ min_p`. The first candidate survives 5 to 7 always.
//! 8. *Noise*: the token is the largest `a_v + T·g_v` of those left, ties to the lowest id, where
//!    `g_v = −ln(−ln u_v)`, `u_v = ((x_v >> 12) + 0.5)·2⁻⁵²` and `x_v` is the 8 bytes, little-endian, at offset
//!    `8·v` of the extended output of BLAKE3 keyed with the seed over `"gmax-v1" ‖ t` (`t` as 4 bytes,
//!    little-endian; 11 bytes in all).
//!
//! The maximum of logits with Gumbel noise is a draw from their softmax. Noise belongs to a position and an
//! id, so any node continues any prefix exactly. `golden/gmax-v1.json` has vectors.

mod candidates;
mod counts;
mod logprobs;
mod mask;
mod noise;
mod score;
mod seeds;

use assay_protocol::{Bytes32, PositionScore, Sampling, TokenId};

pub use candidates::CANDIDATES_MAX;
pub use counts::TokenCounts;
pub use logprobs::logprobs;
pub use mask::MASK_EDGE_LOGITS;
pub use noise::Noise;
pub use seeds::{client_seed, gateway_seed};

use crate::grammar::Allowed;
use candidates::Candidate;
use mask::Mask;

/// The sampler's name in a manifest.
pub const NAME: &str = "gmax-v1";
/// Highest temperature that the sampler takes.
pub const TEMPERATURE_MAX: f64 = 2.0;

/// One output position: everything but the logits.
#[derive(Clone, Copy, Debug)]
pub struct Position<'a> {
    pub sampling: &'a Sampling,
    pub seed: Bytes32,
    /// 0 for the first output token, a handed-over prefix included.
    pub index: u32,
    /// The output ids before this position.
    pub counts: &'a TokenCounts,
    /// What the grammar allows here; none allows all.
    pub allowed: Option<&'a Allowed>,
}

/// Why nothing can be drawn: a fault of whoever ran the model, never of whoever is checked.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum SamplerError {
    /// The runtime gave no logits.
    #[error("there are no logits")]
    NoLogits,
    /// The runtime gave NaN or an infinity, or a bias or penalty made one.
    #[error("the logit of token {0} is not finite")]
    NotFinite(TokenId),
    /// The temperature is negative, too high or NaN.
    #[error("temperature {0} is not from 0 to {TEMPERATURE_MAX}")]
    Temperature(f64),
    /// The grammar leaves no token of the vocabulary.
    #[error("the grammar allows no token here")]
    NothingAllowed,
}

impl Position<'_> {
    /// Draws the token of this position from its raw logits, one per id of the vocabulary.
    pub fn draw(&self, logits: &[f32]) -> Result<TokenId, SamplerError> {
        let row = self.adjusted(logits)?;
        let temperature = self.sampling.temperature;
        if temperature == 0.0 {
            return Ok(candidates::largest_one(&row).id);
        }
        let candidates = candidates::largest(&row, CANDIDATES_MAX);
        let mask = Mask::new(&candidates, self.sampling);
        let mut noise = Noise::new(self.seed, self.index);
        Ok(noisiest(mask.kept(), temperature, &mut noise))
    }

    /// Says how far `claimed` is from what [`Self::draw`] gives on these logits.
    ///
    /// `margin` is in logits: the largest `a_v + T·g_v` of the tokens that are *surely* inside the mask, less
    /// that of the claimed token, and never below 0; [`PositionScore::OUTSIDE`] if the claimed token cannot be
    /// inside the mask, or not in the vocabulary (then `logit` is 0). What sure means: [`MASK_EDGE_LOGITS`].
    /// At temperature 0 there is no mask, and the margin is the gap between the adjusted logits. A token that the
    /// grammar does not allow is outside, without any edge.
    pub fn score(&self, logits: &[f32], claimed: TokenId) -> Result<PositionScore, SamplerError> {
        let row = self.adjusted(logits)?;
        Ok(score::score(self, logits, &row, claimed))
    }

    /// Steps 0 to 2: what is not allowed becomes −∞, then bias and penalties.
    fn adjusted(&self, logits: &[f32]) -> Result<Vec<f64>, SamplerError> {
        let Sampling { temperature, presence_penalty, frequency_penalty, .. } = *self.sampling;
        if !(0.0..=TEMPERATURE_MAX).contains(&temperature) {
            return Err(SamplerError::Temperature(temperature));
        }
        let mut row: Vec<f64> = logits.iter().copied().map(f64::from).collect();
        for (id, bias) in &self.sampling.logit_bias {
            if let Some(logit) = row.get_mut(*id as usize) {
                *logit += bias;
            }
        }
        if presence_penalty != 0.0 || frequency_penalty != 0.0 {
            for (id, count) in self.counts.iter() {
                if let Some(logit) = row.get_mut(id as usize) {
                    *logit -= presence_penalty;
                    *logit -= frequency_penalty * f64::from(count);
                }
            }
        }
        if row.is_empty() {
            return Err(SamplerError::NoLogits);
        }
        if let Some((id, _)) = (0..).zip(&row).find(|(_, logit)| !logit.is_finite()) {
            return Err(SamplerError::NotFinite(id));
        }
        if let Some(allowed) = self.allowed {
            for (id, logit) in (0..).zip(&mut row) {
                if !allowed.contains(id) {
                    *logit = f64::NEG_INFINITY;
                }
            }
            if row.iter().all(|logit| logit.is_infinite()) {
                return Err(SamplerError::NothingAllowed);
            }
        }
        Ok(row)
    }
}

/// Step 8: the largest noisy logit. The mask always keeps at least one candidate.
fn noisiest(kept: &[Candidate], temperature: f64, noise: &mut Noise) -> TokenId {
    let mut best = Candidate { id: kept[0].id, logit: f64::NEG_INFINITY };
    for candidate in kept {
        let logit = candidate.logit + temperature * noise.gumbel(candidate.id);
        let noisy = Candidate { id: candidate.id, logit };
        if noisy.is_before(&best) {
            best = noisy;
        }
    }
    best.id
}

#[cfg(test)]
mod tests;

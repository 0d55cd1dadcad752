//! How far a claimed token is from the sampler's own draw.

use assay_protocol::{PositionScore, TokenId};

use super::{CANDIDATES_MAX, Mask, Noise, Position, candidates, noisiest};

/// `logits` are raw and finite, `row` is adjusted, −∞ for what the grammar forbids; both of one length, not empty.
pub(super) fn score(
    position: &Position<'_>,
    logits: &[f32],
    row: &[f64],
    claimed: TokenId,
) -> PositionScore {
    let (own, margin) = own_and_margin(position, row, claimed);
    let logit = logits.get(claimed as usize).copied().unwrap_or_default();
    // Nothing is worse than outside, whatever the logits.
    let margin = margin.min(PositionScore::OUTSIDE);
    PositionScore { own, margin, logit, sum_p2: sum_p2(logits, row) }
}

fn own_and_margin(position: &Position<'_>, row: &[f64], claimed: TokenId) -> (TokenId, f64) {
    let temperature = position.sampling.temperature;
    let claimed_logit = row.get(claimed as usize).copied().filter(|logit| logit.is_finite());
    if temperature == 0.0 {
        let best = candidates::largest_one(row);
        return (best.id, claimed_logit.map_or(PositionScore::OUTSIDE, |it| best.logit - it));
    }
    // One more than can be drawn: it shows how near the edge the last candidates are.
    let sorted = candidates::largest(row, CANDIDATES_MAX + 1);
    let mask = Mask::new(&sorted, position.sampling);
    let mut noise = Noise::new(position.seed, position.index);
    let own = noisiest(mask.kept(), temperature, &mut noise);
    let is_kept = || mask.kept().iter().any(|candidate| candidate.id == claimed);
    let Some(claimed_logit) = claimed_logit.filter(|it| is_kept() || mask.could_keep(*it)) else {
        return (own, PositionScore::OUTSIDE);
    };
    let claimed_noisy = claimed_logit + temperature * noise.gumbel(claimed);
    let margin = mask
        .surely_kept()
        .map(|candidate| candidate.logit + temperature * noise.gumbel(candidate.id))
        .fold(0.0, |margin, noisy| f64::max(margin, noisy - claimed_noisy));
    (own, margin)
}

/// `Σ p²` of the softmax at temperature 1 over the raw logits of what is allowed: a token that the grammar forces
/// says nothing about who wrote it.
fn sum_p2(logits: &[f32], row: &[f64]) -> f64 {
    let allowed = logits.iter().zip(row).filter(|(_, adjusted)| adjusted.is_finite());
    let allowed = allowed.map(|(logit, _)| f64::from(*logit));
    let largest = allowed.clone().fold(f64::NEG_INFINITY, f64::max);
    let (sum, sum_of_squares) = allowed
        .map(|logit| libm::exp(logit - largest))
        .fold((0.0, 0.0), |(sum, squares), p| (sum + p, squares + p * p));
    sum_of_squares / (sum * sum)
}

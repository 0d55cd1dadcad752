//! How many tokens a cheat can write before it is seen: the long answers, cut at 32, 64 and 128 tokens.

use assay_protocol::GenerateStart;
use assay_verifier::bounds::{Bounds, bounds_95};
use serde::Serialize;

use super::{rules::Court, sample::Sample};

/// Lengths at which the goals are set.
pub const LENGTHS: [usize; 3] = [32, 64, 128];
/// A position where the model is all but certain teaches nothing: whoever guesses is right there.
const TRIVIAL_OVER: f64 = 0.9;

/// One kind of cheat at one length.
#[derive(Clone, Debug, Serialize)]
pub struct Seen {
    pub name: String,
    /// Tokens; for `nontrivial`, those where the model is not all but certain.
    pub tokens: usize,
    pub answers: u64,
    /// By the tokens alone (R1), as if no logits were reported.
    pub by_tokens: u64,
    pub by_tokens_bounds: Bounds,
    /// By the tokens or the reported logits (R1, R5).
    pub by_all: u64,
    pub by_all_bounds: Bounds,
    /// The same by tokens, over as many positions of which none is trivial.
    pub nontrivial_answers: u64,
    pub nontrivial_by_tokens: u64,
    /// How often one such token passes: as many in a row pass with that chance to the power of their number.
    pub nontrivial_token_passes: f64,
}

/// A kind's long answers against the rules.
pub fn seen(name: &str, court: &Court, starts: &[GenerateStart], samples: &[Sample]) -> Vec<Seen> {
    LENGTHS.iter().map(|tokens| at_length(name, *tokens, court, starts, samples)).collect()
}

fn at_length(
    name: &str,
    tokens: usize,
    court: &Court,
    starts: &[GenerateStart],
    samples: &[Sample],
) -> Seen {
    let (mut answers, mut by_tokens, mut by_all) = (0, 0, 0);
    let (mut nontrivial_answers, mut nontrivial_by_tokens) = (0, 0);
    let (mut open, mut passed) = (0u64, 0u64);
    let tau = court.limits.tau_gap;
    for (_, sample) in starts.iter().zip(samples) {
        let nontrivial: Vec<_> =
            sample.scores.iter().filter(|score| score.sum_p2 < TRIVIAL_OVER).collect();
        open += count(nontrivial.len());
        passed += count(nontrivial.iter().filter(|score| score.margin <= tau).count());
        if let Some(first) = nontrivial.get(..tokens) {
            nontrivial_answers += 1;
            nontrivial_by_tokens += u64::from(first.iter().any(|score| score.margin > tau));
        }
        let Some(scores) = sample.scores.get(..tokens) else { continue };
        answers += 1;
        let in_tokens = scores.iter().any(|score| score.margin > tau);
        let in_logits = sample.logit_difference(tokens) > court.limits.tau_logit;
        by_tokens += u64::from(in_tokens);
        by_all += u64::from(in_tokens || in_logits);
    }
    Seen {
        name: name.to_owned(),
        tokens,
        answers,
        by_tokens,
        by_tokens_bounds: bounds_95(by_tokens, answers),
        by_all,
        by_all_bounds: bounds_95(by_all, answers),
        nontrivial_answers,
        nontrivial_by_tokens,
        nontrivial_token_passes: as_f64(passed) / as_f64(open.max(1)),
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).expect("a count")
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

//! What the raw logits of a position say of its tokens, before the sampler bends them.

use assay_protocol::TokenLogprobs;

use super::candidates;

/// The log of the sum of all exponentials, and the `top` largest logits.
pub fn logprobs(logits: &[f32], top: u8) -> TokenLogprobs {
    let row: Vec<f64> = logits.iter().copied().map(f64::from).collect();
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = row.iter().map(|logit| libm::exp(logit - largest)).sum();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the logits it comes from are 32 bits, too"
    )]
    let log_sum_exp = (largest + libm::log(sum)) as f32;
    let likeliest = match top {
        0 => Vec::new(),
        top => candidates::largest(&row, usize::from(top)),
    };
    let top = likeliest.iter().map(|it| (it.id, logits[it.id as usize])).collect();
    TokenLogprobs { log_sum_exp, top }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one_whatever_the_logits() {
        for shift in [-80.0_f32, 0.0, 80.0] {
            let logits = [1.0, 3.0, -2.0, 3.0, 0.5].map(|logit| logit + shift);
            let said = logprobs(&logits, 20);
            let sum: f32 = said.top.iter().map(|(_, logit)| (logit - said.log_sum_exp).exp()).sum();
            assert!((sum - 1.0).abs() < 1e-4, "{sum}");
            let ids: Vec<_> = said.top.iter().map(|(id, _)| *id).collect();
            assert_eq!(ids, [1, 3, 0, 4, 2], "falling, ties to the lowest id");
            assert_eq!(logprobs(&logits, 2).top, said.top[..2]);
            assert!(logprobs(&logits, 0).top.is_empty());
        }
    }
}

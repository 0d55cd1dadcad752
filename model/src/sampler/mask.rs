//! Which candidates may be drawn: top-k, top-p and min-p, exactly for drawing and with an edge for checking.

use assay_protocol::Sampling;

use super::candidates::{CANDIDATES_MAX, Candidate};

/// δ: how far the difference of two logits may lie apart between two honest nodes, for the question of what
/// the mask holds. It is 1e-3, as the limit of a margin: thirty times the noise of 2.9e-5 measured on CPUs.
///
/// Everything follows from it. A token is *surely* inside the mask if it stays there, and *possibly* inside if
/// it could get there, when
/// - every token within δ of its own logit may change places with it (candidates, top-k, top-p);
/// - the odds of the probability mass above it move by a factor of `exp(δ/T)` (top-p);
/// - its distance from the largest logit moves by δ (min-p).
pub const MASK_EDGE_LOGITS: f64 = 1e-3;

/// The mask over sorted candidates: it keeps the first `kept_len` of them, at least one.
pub(super) struct Mask<'a> {
    sorted: &'a [Candidate],
    kept_len: usize,
    /// `K`: how many candidates top-k leaves.
    k: usize,
    /// `W_0 … W_K`; empty if neither top-p nor min-p is in use.
    weight_before: Vec<f64>,
    temperature: f64,
    top_p: Option<f64>,
    min_p: Option<f64>,
}

impl<'a> Mask<'a> {
    /// `sorted` holds the largest logits in order, more than [`CANDIDATES_MAX`] if the edge matters; not none.
    /// The temperature is above 0.
    pub(super) fn new(sorted: &'a [Candidate], sampling: &Sampling) -> Self {
        let candidates = sorted.len().min(CANDIDATES_MAX);
        let k = match sampling.top_k as usize {
            0 => candidates,
            top_k => candidates.min(top_k),
        };
        let top_p = Some(sampling.top_p).filter(|top_p| *top_p < 1.0);
        let min_p = Some(sampling.min_p).filter(|min_p| *min_p > 0.0);
        let temperature = sampling.temperature;
        let mut mask =
            Self { sorted, kept_len: k, k, weight_before: vec![], temperature, top_p, min_p };
        if top_p.is_some() || min_p.is_some() {
            mask.weigh();
            mask.kept_len = (1..k).find(|index| !mask.is_kept(*index)).unwrap_or(k);
        }
        mask
    }

    /// The candidates that can be drawn.
    pub(super) fn kept(&self) -> &'a [Candidate] {
        &self.sorted[..self.kept_len]
    }

    /// The kept candidates that no noise within δ moves out.
    pub(super) fn surely_kept(&self) -> impl Iterator<Item = &'a Candidate> {
        self.kept().iter().enumerate().filter(|(index, _)| self.stays(*index)).map(|(_, c)| c)
    }

    /// Whether noise within δ could move a token with this logit in. Kept ones are in anyway.
    pub(super) fn could_keep(&self, logit: f64) -> bool {
        let above = self.count_above(logit + MASK_EDGE_LOGITS);
        if above == 0 {
            return true;
        }
        above < self.k
            && self.top_p.is_none_or(|top_p| {
                self.shifted_share(self.weight_before[above], -MASK_EDGE_LOGITS) < top_p
            })
            && self.min_p.is_none_or(|min_p| logit >= self.min_p_logit(min_p) - MASK_EDGE_LOGITS)
    }

    /// Whether noise within δ leaves this kept candidate in.
    fn stays(&self, index: usize) -> bool {
        let logit = self.sorted[index].logit;
        let is_surely_first =
            index == 0 && self.sorted.get(1).is_none_or(|c| c.logit <= logit - MASK_EDGE_LOGITS);
        let leads_the_excluded =
            self.sorted.get(self.k).is_none_or(|c| c.logit <= logit - MASK_EDGE_LOGITS);
        is_surely_first
            || leads_the_excluded
                && self.top_p.is_none_or(|top_p| {
                    let not_below = self.count_above(logit - MASK_EDGE_LOGITS).min(self.k);
                    let others = self.weight_before[not_below] - self.weight(index);
                    self.shifted_share(others, MASK_EDGE_LOGITS) < top_p
                })
                && self
                    .min_p
                    .is_none_or(|min_p| logit >= self.min_p_logit(min_p) + MASK_EDGE_LOGITS)
    }

    /// Steps 6 and 7 of the specification, for any candidate but the first.
    fn is_kept(&self, index: usize) -> bool {
        self.top_p
            .is_none_or(|top_p| self.weight_before[index] < top_p * self.weight_before[self.k])
            && self.min_p.is_none_or(|min_p| self.weight(index) >= min_p)
    }

    fn weigh(&mut self) {
        let mut sum = 0.0;
        self.weight_before.push(sum);
        for index in 0..self.k {
            sum += self.weight(index);
            self.weight_before.push(sum);
        }
    }

    /// `w_i`: the likelihood relative to the first candidate's.
    fn weight(&self, index: usize) -> f64 {
        libm::exp((self.sorted[index].logit - self.sorted[0].logit) / self.temperature)
    }

    fn count_above(&self, logit: f64) -> usize {
        self.sorted.partition_point(|candidate| candidate.logit > logit)
    }

    /// The share `weight / W_K` after its odds moved by `exp(shift/T)`.
    fn shifted_share(&self, weight: f64, shift_logits: f64) -> f64 {
        let share = (weight / self.weight_before[self.k]).clamp(0.0, 1.0);
        let moved = share * libm::exp(shift_logits / self.temperature);
        if moved.is_infinite() { 1.0 } else { moved / (moved + (1.0 - share)) }
    }

    /// The logit of a token that is `min_p` as likely as the first.
    fn min_p_logit(&self, min_p: f64) -> f64 {
        self.sorted[0].logit + self.temperature * libm::log(min_p)
    }
}

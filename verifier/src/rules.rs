//! What the answers to one job are held to: its own bounds, and the limits that calibration measured.

use assay_protocol::TokenId;
use serde::Serialize;

use crate::ClassLimits;

/// The largest margin of an honest answer, in logits: the calibrated limit of CPU classes. Honest answers of
/// one class were measured at exactly 0, with no two logits nearer than 1e-4.
pub const TAU_GAP: f64 = 1e-3;
/// R2 by σ̂² wants a temperature this many times the class's noise; below, the sampler is as good as greedy.
const TEMPERATURE_OVER_NOISE_MIN: f64 = 10.0;

/// What answers to one job are held to.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// R1: no margin may be larger, in logits.
    pub tau_gap: f64,
    /// R5: the mean difference of reported and recomputed logits may not be larger. None: not calibrated, or no
    /// logits are collected; then nobody is held to them.
    pub tau_logit: Option<f64>,
    /// R2: σ̂² of the whole answer may not be larger. None: not calibrated.
    pub sigma2_max: Option<f64>,
    /// R2 where σ̂² says nothing: the highest honest share of flipped tokens. None: not calibrated.
    pub flips_max_per_mille: Option<u32>,
    /// Of the job's sampler.
    pub temperature: f64,
    /// How many positions the founding rule draws. R1 looks at all of them anyway.
    pub positions: SpotChecks,
    pub max_tokens: u32,
    pub vocab_size: u32,
    pub end_tokens: Vec<TokenId>,
}

/// How many random positions to check, besides the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SpotChecks {
    Random(u32),
    All,
}

impl Rules {
    /// The same job, held to what calibration measured for a class.
    pub fn calibrated(self, limits: &ClassLimits) -> Self {
        Self {
            tau_gap: limits.tau_gap,
            tau_logit: Some(limits.tau_logit),
            sigma2_max: Some(limits.sigma2_max),
            flips_max_per_mille: Some(limits.flips_max_per_mille),
            ..self
        }
    }

    /// Whether this token ends an answer.
    pub fn is_end(&self, id: TokenId) -> bool {
        self.end_tokens.contains(&id)
    }

    /// The limit of σ̂², if the temperature is high enough over the noise for it to mean anything.
    pub(crate) fn sigma2_limit(&self) -> Option<f64> {
        let noise = libm::sqrt(self.sigma2_max?);
        self.sigma2_max.filter(|_| self.temperature >= TEMPERATURE_OVER_NOISE_MIN * noise)
    }
}

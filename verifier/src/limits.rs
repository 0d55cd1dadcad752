//! What calibration measured for a model: `limits.json`, which lies beside its manifest.

use std::collections::BTreeMap;

use assay_protocol::Bytes32;
use serde::{Deserialize, Serialize};

use crate::rules::TAU_GAP;

/// The word that a file begins with.
pub const FORMAT: &str = "assay-limits/1";
/// Longest file that is read.
const BYTES_MAX: usize = 256 * 1024;
/// Limits stand this far above what was measured …
const HEADROOM: f64 = 1.5;
/// … and never under these. A logit: twenty times the largest honest mean difference on CPUs, 4.9e-6.
const TAU_LOGIT_MIN: f64 = 1e-4;
/// σ̂²: one flip that R1 just allows, at the highest temperature that clients may ask for, in an answer of uncertainty 1.
/// With less, R2 would hold short answers to a smaller margin than R1 does.
const SIGMA2_MIN: f64 = 2.0 * TEMPERATURE_MAX * TAU_GAP;
/// OpenAI's bound.
const TEMPERATURE_MAX: f64 = 2.0;
/// Nobody measures a share of flips under a thousandth reliably.
const FLIPS_PER_MILLE_MIN: u32 = 1;
/// Whatever was measured, nothing above these is called a limit. R1: 25 times what graphics cards are expected to need,
/// and a tenth of the least margin that gave a wrong seed away, 2.66.
const TAU_GAP_MAX: f64 = 0.25;
/// R5: the least that dynamic 8-bit weights differ by, 2.4e-2, is above it.
const TAU_LOGIT_MAX: f64 = 2e-2;
/// R2: as if each logit were off by 0.22 at random.
const SIGMA2_LARGEST: f64 = 5e-2;
/// R2 at low temperature: 4-bit weights flip 23 in a thousand.
const FLIPS_PER_MILLE_MAX: u32 = 20;

/// The limits of one model, for each class of hardware and runtime that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Always [`FORMAT`].
    pub format: String,
    /// The model that was measured.
    pub manifest_hash: Bytes32,
    /// By class, such as `cpu-fp32`. A class that is not here is not calibrated, and not served as verified.
    pub classes: BTreeMap<String, ClassLimits>,
}

/// What honest nodes of one class stay under.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassLimits {
    /// What it was measured with.
    pub runtime: String,
    /// R1: a margin, in logits.
    pub tau_gap: f64,
    /// R5: the mean difference of reported and recomputed logits of an answer.
    pub tau_logit: f64,
    /// R2: σ̂² of an answer.
    pub sigma2_max: f64,
    /// R2 at low temperature: the highest honest share of flipped tokens.
    pub flips_max_per_mille: u32,
    pub measured: Measured,
}

/// What the limits rest on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    pub answers: u64,
    pub tokens: u64,
    /// Tokens that another honest run of the class would not have drawn.
    pub flips: u64,
    /// In logits.
    pub largest_margin: f64,
    /// The largest mean of an answer.
    pub largest_logit_difference: f64,
    /// Over the answers that σ̂² says something of. Measure at the temperatures that clients may ask for: it is
    /// normalised by the uncertainty at temperature 1, so it grows a little at higher ones.
    pub largest_sigma2: f64,
    /// What was compared with what.
    pub configurations: Vec<String>,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    #[error("the limits have {0} bytes; {BYTES_MAX} are allowed")]
    TooLong(usize),
    #[error("the limits cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the format is `{0}`, not `{FORMAT}`")]
    Format(String),
    #[error("{field} of class `{class}` is {value}; a limit is above 0 and at most {largest}")]
    Value { class: String, field: &'static str, value: f64, largest: f64 },
}

impl Limits {
    /// Reads the file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, LimitsError> {
        if bytes.len() > BYTES_MAX {
            return Err(LimitsError::TooLong(bytes.len()));
        }
        let limits: Self = serde_json::from_slice(bytes)?;
        if limits.format != FORMAT {
            return Err(LimitsError::Format(limits.format));
        }
        limits.classes.iter().try_for_each(|(class, limits)| limits.check(class))?;
        Ok(limits)
    }
}

impl ClassLimits {
    /// The limits that follow from a measurement: 1.5 times the largest honest value, with floors for what a
    /// sample cannot show.
    pub fn from_measured(runtime: String, measured: Measured) -> Self {
        Self {
            runtime,
            tau_gap: (HEADROOM * measured.largest_margin).max(TAU_GAP),
            tau_logit: (HEADROOM * measured.largest_logit_difference).max(TAU_LOGIT_MIN),
            sigma2_max: (HEADROOM * measured.largest_sigma2).max(SIGMA2_MIN),
            flips_max_per_mille: measured.flips_per_mille().max(FLIPS_PER_MILLE_MIN),
            measured,
        }
    }

    fn check(&self, class: &str) -> Result<(), LimitsError> {
        let flips = f64::from(self.flips_max_per_mille);
        let limits = [
            ("tau_gap", self.tau_gap, TAU_GAP_MAX),
            ("tau_logit", self.tau_logit, TAU_LOGIT_MAX),
            ("sigma2_max", self.sigma2_max, SIGMA2_LARGEST),
            ("flips_max_per_mille", flips, f64::from(FLIPS_PER_MILLE_MAX)),
        ];
        let is_limit = |value: f64, largest: f64| value > 0.0 && value <= largest;
        match limits.into_iter().find(|(_, value, largest)| !is_limit(*value, *largest)) {
            Some((field, value, largest)) => {
                Err(LimitsError::Value { class: class.to_owned(), field, value, largest })
            }
            None => Ok(()),
        }
    }
}

impl Measured {
    /// With the headroom, rounded up.
    fn flips_per_mille(&self) -> u32 {
        let per_mille = self.flips.saturating_mul(1_500).div_ceil(self.tokens.max(1));
        u32::try_from(per_mille.min(999)).unwrap_or(999)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let measured = Measured {
            answers: 300,
            tokens: 8_945,
            largest_logit_difference: 4.9e-6,
            configurations: vec!["threads 1/2".into()],
            ..Measured::default()
        };
        let class = ClassLimits::from_measured("onnxruntime 1.32".into(), measured);
        Limits {
            format: FORMAT.into(),
            manifest_hash: Bytes32([7; 32]),
            classes: [("cpu-fp32".into(), class)].into(),
        }
    }

    #[test]
    fn a_file_is_read_back_as_it_was_written() {
        let text = serde_json::to_string_pretty(&limits()).unwrap();
        assert_eq!(Limits::parse(text.as_bytes()).unwrap(), limits());
    }

    #[test]
    fn quiet_classes_get_the_floors_and_noisy_ones_their_own_noise() {
        let quiet = &limits().classes["cpu-fp32"];
        assert_eq!((quiet.tau_gap, quiet.tau_logit, quiet.flips_max_per_mille), (1e-3, 1e-4, 1));
        let measured = Measured {
            tokens: 100_000,
            flips: 700,
            largest_margin: 0.02,
            largest_logit_difference: 0.01,
            largest_sigma2: 0.004,
            ..Measured::default()
        };
        let noisy = ClassLimits::from_measured("cuda".into(), measured);
        assert!((noisy.tau_gap - 0.03).abs() < 1e-12);
        assert!((noisy.tau_logit - 0.015).abs() < 1e-12);
        assert!((noisy.sigma2_max - 0.006).abs() < 1e-12);
        assert_eq!(noisy.flips_max_per_mille, 11, "10.5, rounded up");
    }

    #[test]
    fn the_widest_limits_are_taken() {
        let mut limits = limits();
        let class = limits.classes.get_mut("cpu-fp32").unwrap();
        (class.tau_gap, class.tau_logit) = (0.25, 2e-2);
        (class.sigma2_max, class.flips_max_per_mille) = (5e-2, 20);
        Limits::parse(&serde_json::to_vec(&limits).unwrap()).unwrap();
    }

    #[test]
    fn a_file_that_allows_everything_is_no_limit() {
        let parse = |change: fn(&mut ClassLimits)| {
            let mut limits = limits();
            change(limits.classes.get_mut("cpu-fp32").unwrap());
            Limits::parse(&serde_json::to_vec(&limits).unwrap())
        };
        assert!(parse(|_| ()).is_ok());
        for change in [
            (|class| class.tau_gap = 0.0) as fn(&mut ClassLimits),
            |class| class.tau_gap = 0.2501,
            |class| class.tau_logit = -1.0,
            |class| class.tau_logit = 2.01e-2,
            |class| class.sigma2_max = 0.0,
            |class| class.sigma2_max = 5.01e-2,
            |class| class.flips_max_per_mille = 0,
            |class| class.flips_max_per_mille = 21,
        ] {
            assert!(matches!(parse(change), Err(LimitsError::Value { .. })));
        }
        assert!(matches!(parse(|class| class.tau_gap = f64::NAN), Err(LimitsError::Json(_))));
        let other = Limits { format: "assay-limits/2".into(), ..limits() };
        let other = serde_json::to_vec(&other).unwrap();
        assert!(matches!(Limits::parse(&other), Err(LimitsError::Format(_))));
        assert!(matches!(Limits::parse(&vec![b' '; BYTES_MAX + 1]), Err(LimitsError::TooLong(_))));
        assert!(matches!(Limits::parse(b"{}"), Err(LimitsError::Json(_))));
    }
}

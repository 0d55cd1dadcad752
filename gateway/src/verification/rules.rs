//! What answers to one job are held to, by model and class.

use assay_verifier::{Rules, SpotChecks};

use crate::catalog::HostedModel;

/// A job's own bounds, held to what calibration measured for a class; without one, to the narrowest of
/// the model's classes.
pub(crate) fn rules(
    model: &HostedModel,
    class: Option<&str>,
    max_tokens: u32,
    temperature: f64,
    positions: SpotChecks,
) -> Rules {
    let manifest = &model.text.manifest;
    let bounds = Rules {
        tau_gap: assay_verifier::rules::TAU_GAP,
        tau_logit: None,
        sigma2_max: None,
        flips_max_per_mille: None,
        temperature,
        positions,
        max_tokens,
        vocab_size: manifest.vocab_size,
        end_tokens: manifest.end_tokens.clone(),
    };
    let limits = class.and_then(|class| model.limits.classes.get(class));
    match limits.or_else(|| model.narrowest_class().map(|(_, limits)| limits)) {
        Some(limits) => bounds.calibrated(limits),
        None => bounds,
    }
}

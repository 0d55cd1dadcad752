//! The part of `verifier check` that is about vectors: the model embeds the request's inputs once more, here.

use std::path::Path;

use anyhow::Context;
use assay_engine::{Embedder, EngineConfig, Runtime, RuntimeConfig};
use assay_model::TextModel;
use assay_verifier::{
    embedding::VECTOR_MARGIN,
    log::Evidence,
    receipt::{
        Checked, Receipt, Request, Saved,
        replay::{check_evidence, check_vectors, replay_inputs},
    },
};

use super::report::{Failure, Report};

/// How the vectors came out here.
#[derive(Debug)]
pub(super) struct Embedded {
    pub(super) vectors: usize,
    pub(super) largest_difference: f64,
}

/// Nothing where there is no response to hold against the model, or its weights are to be left alone.
pub(super) fn run(
    folder: &Path,
    checked: &Checked,
    request: &Request,
    response: Option<&Saved>,
    evidence: Option<&Evidence>,
    without_weights: bool,
    report: &Report,
) -> Result<Option<Embedded>, Failure> {
    let receipt = &checked.receipt;
    let text = TextModel::load(folder).context("the model folder cannot be read")?;
    let inputs = replay_inputs(receipt, request, &text).map_err(Failure::refused)?;
    let Some(saved) = response.filter(|_| !without_weights) else { return Ok(None) };
    report.progress("loading the model, hashing its files");
    let runtime = Runtime::load(&RuntimeConfig::default()).context("no runtime for the model")?;
    let mut embedder = Embedder::open(&runtime, folder, &EngineConfig::default())
        .context("the model cannot be loaded")?;
    report.progress(&format!("embedding {} tokens", receipt.prompt_tokens));
    let found = embedder.embed(&inputs).context("the model cannot embed")?;
    let dimensions = found.len() / inputs.len().max(1);
    let each = check_vectors(saved, &found, dimensions).map_err(Failure::refused)?;
    if let Some(evidence) = evidence {
        check_evidence(receipt, evidence, &each, VECTOR_MARGIN).map_err(Failure::refused)?;
    }
    let largest_difference = each.iter().copied().fold(0.0, f64::max);
    Ok(Some(Embedded { vectors: each.len(), largest_difference }))
}

/// What the check of vectors found, in a sentence.
pub(super) fn sentence(gateway: &str, checked: &Checked, embedded: Option<&Embedded>) -> String {
    let Receipt { manifest_hash, prompt_tokens, .. } = &checked.receipt;
    let signers = checked.signers.len();
    match embedded {
        Some(Embedded { vectors, largest_difference }) => format!(
            "These are the vectors of model {manifest_hash}: all {vectors} are its own (largest difference of a component \
             {largest_difference:.1e}, {VECTOR_MARGIN:.0e} allowed). {signers} node(s) signed such vectors, one of them these, \
             {gateway} signed the receipt, the log has it, and the payout adds up."
        ),
        None => format!(
            "The receipt of vectors for {prompt_tokens} tokens holds: {signers} node(s) signed vectors of these inputs, \
             {gateway} signed the receipt, the log has it, and the payout adds up."
        ),
    }
}

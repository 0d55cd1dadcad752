//! Holds limits against the weak forms of the model that lie beside it: limits that admit an answer of one are none.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use assay_engine::{BATCH_MAX, Engine, EngineConfig, Runtime};
use assay_model::{Manifest, zoo};
use assay_verifier::ClassLimits;

use super::{
    configurations::{judge, write},
    findings::passes,
    questions::Questions,
};

/// What the weak forms came to.
pub(super) struct Tried {
    /// How many there are.
    pub(super) forms: usize,
    /// Those of which the limits let at least one answer pass.
    pub(super) admitted: Vec<String>,
}

/// Has each form write some answers, and the model itself score them.
pub(super) fn admitted(
    runtime: &Runtime,
    folder: &Path,
    manifest: &Manifest,
    limits: &ClassLimits,
) -> anyhow::Result<Tried> {
    let entries = zoo::beside(folder, manifest).context("the zoo beside the model")?;
    let mut tried = Tried { forms: entries.len(), admitted: Vec::new() };
    if entries.is_empty() {
        return Ok(tried);
    }
    let mut model = Engine::open(runtime, folder, &EngineConfig::default())?;
    // A cheat does not care whether its graph can be verified.
    let config = EngineConfig { allow_unverifiable: true, ..EngineConfig::default() };
    for entry in entries {
        let place = Place::make(&entry.name)?;
        entry.lay_out(folder, manifest, &place.0).with_context(|| entry.name.clone())?;
        let mut weak = Engine::open(runtime, &place.0, &config)?;
        let mut questions = Questions::default();
        let requests = (0..BATCH_MAX).map(|_| questions.next(model.text()));
        let requests = requests.collect::<Result<Vec<_>, _>>()?;
        let answers = write(&mut weak, &requests)?;
        for (request, answer) in requests.into_iter().zip(answers) {
            if passes(&judge(&mut model, request, &answer)?, limits, manifest) {
                tried.admitted.push(entry.name);
                break;
            }
        }
    }
    Ok(tried)
}

/// A folder that goes when this is dropped.
struct Place(PathBuf);

impl Place {
    fn make(name: &str) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("assay-{name}-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

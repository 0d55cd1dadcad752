//! The models of `model/zoo`: what a cheat might run instead of the one that ships. Each becomes a model
//! folder of its own, with the demo's tokenizer and template, that an engine opens like any other.

use std::path::Path;

use assay_model::{
    Manifest,
    zoo::{self, ZooEntry},
};
use tempfile::TempDir;

use crate::binaries::demo_model;

/// A model folder in a place for tests; it goes when this is dropped.
#[derive(Debug)]
pub struct ZooModel {
    pub entry: ZooEntry,
    folder: TempDir,
}

/// Every model of the zoo.
///
/// # Panics
/// When the zoo cannot be read.
pub fn zoo_models() -> Vec<ZooEntry> {
    let (shipped, _) = Manifest::load(&demo_model()).expect("the demo's manifest");
    zoo::beside(&demo_model(), &shipped).expect("the zoo's list")
}

impl ZooModel {
    /// Assembles the model of this name: `Engine::open(&runtime, model.folder(), &config)` runs it.
    ///
    /// # Panics
    /// When there is none, or the folder cannot be written.
    pub fn assemble(name: &str) -> Self {
        let entry = zoo_models().into_iter().find(|entry| entry.name == name);
        let entry = entry.unwrap_or_else(|| panic!("the zoo has no model `{name}`"));
        let folder = tempfile::tempdir().expect("a folder for tests");
        let (shipped, _) = Manifest::load(&demo_model()).expect("the demo's manifest");
        entry.lay_out(&demo_model(), &shipped, folder.path()).expect("a model folder");
        Self { entry, folder }
    }

    /// The model folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

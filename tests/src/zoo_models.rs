//! The models of `model/zoo`: what a cheat might run instead of the one that ships. Each becomes a model
//! folder of its own, with the demo's tokenizer and template, that an engine opens like any other.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use assay_model::{FileEntry, Graph, Manifest, manifest};
use serde::Deserialize;
use tempfile::TempDir;

use crate::binaries::demo_model;

/// What `zoo.json` must be.
const FORMAT: &str = "assay-zoo/1";
/// Where the shipped weights lie, in which graphs of the zoo find the tensors that they share.
const SHIPPED_WEIGHTS: &str = "onnx/model.onnx";

/// One model of the zoo, as `zoo.json` describes it.
#[derive(Clone, Debug, Deserialize)]
pub struct ZooEntry {
    /// `fp16`, `int8`, `q4`, `int8-dynamic`, `earlier` or `smaller`.
    pub name: String,
    pub about: String,
    graph: String,
    borrows_weights: bool,
    parameters: u64,
    layers: u32,
    kv_heads: u32,
    head_dim: u32,
}

/// A model folder in a place for tests; it goes when this is dropped.
#[derive(Debug)]
pub struct ZooModel {
    pub entry: ZooEntry,
    folder: TempDir,
}

#[derive(Deserialize)]
struct Listing {
    format: String,
    models: Vec<ZooEntry>,
}

/// Every model of the zoo.
///
/// # Panics
/// When the zoo cannot be read.
pub fn zoo_models() -> Vec<ZooEntry> {
    let text = fs::read_to_string(zoo().join("zoo.json")).expect("the zoo's list");
    let listing: Listing = serde_json::from_str(&text).expect("the zoo's list reads");
    assert_eq!(listing.format, FORMAT);
    listing.models
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
        entry.lay_out(folder.path()).expect("a model folder");
        Self { entry, folder }
    }

    /// The model folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl ZooEntry {
    fn lay_out(&self, folder: &Path) -> io::Result<()> {
        let demo = demo_model();
        let (shipped, _) = Manifest::load(&demo).expect("the demo's manifest");
        let graph = Graph {
            form: "a".into(),
            precision: self.name.clone(),
            path: format!("onnx/{}", self.graph),
        };
        fs::create_dir(folder.join("onnx"))?;
        let mut paths = vec![shipped.chat_template.clone(), shipped.tokenizer.clone()];
        if self.borrows_weights {
            paths.push(SHIPPED_WEIGHTS.into());
        }
        for path in &paths {
            link(&demo.join(path), &folder.join(path))?;
        }
        link(&zoo().join(&self.graph), &folder.join(&graph.path))?;
        paths.push(graph.path.clone());

        let files = paths.into_iter().map(|path| {
            let entry = FileEntry::of(&folder.join(&path))?;
            Ok((path, entry))
        });
        let manifest = Manifest {
            id: format!("{}-{}", shipped.id, self.name),
            description: self.about.clone(),
            parameters: self.parameters,
            layers: self.layers,
            kv_heads: self.kv_heads,
            head_dim: self.head_dim,
            graphs: vec![graph],
            files: files.collect::<io::Result<_>>()?,
            ..shipped
        };
        fs::write(folder.join(manifest::FILE_NAME), serde_json::to_vec_pretty(&manifest)?)
    }
}

/// The same bytes at a second place. The runtime follows no symbolic link out of a model folder, so these are
/// hard links, or copies where the two places are on different disks.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}

fn zoo() -> PathBuf {
    demo_model().with_file_name("zoo")
}

//! Weak forms of a model that lie beside it, in `../zoo`: rounded weights, an earlier checkpoint, a smaller model. What a
//! cheat might run instead, each laid out as a model folder that an engine opens like any other.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::manifest::{self, FileEntry, Graph, Manifest};

/// What `zoo.json` must be.
const FORMAT: &str = "assay-zoo/1";
const LIST: &str = "zoo.json";
/// Where the model's weights lie, in which graphs of the zoo find the tensors that they share.
const WEIGHTS: &str = "onnx/model.onnx";

/// One weak form, as `zoo.json` describes it.
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

#[derive(Deserialize)]
struct List {
    format: String,
    /// The id of the model that these are forms of.
    model: String,
    models: Vec<ZooEntry>,
}

/// The weak forms of the model in this folder; none when no zoo lies beside it, or another model's.
///
/// # Errors
/// When the list is there and cannot be read.
pub fn beside(model: &Path, manifest: &Manifest) -> io::Result<Vec<ZooEntry>> {
    let text = match fs::read_to_string(folder_of(model).join(LIST)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let list: List = serde_json::from_str(&text)?;
    if list.format != FORMAT {
        return Err(io::Error::other(format!("{LIST} is of format `{}`", list.format)));
    }
    Ok(if list.model == manifest.id { list.models } else { Vec::new() })
}

impl ZooEntry {
    /// Makes a model folder of it, in an empty folder.
    ///
    /// # Errors
    /// When a file is missing or cannot be written.
    pub fn lay_out(&self, model: &Path, shipped: &Manifest, folder: &Path) -> io::Result<()> {
        let graph = Graph {
            form: "a".into(),
            precision: self.name.clone(),
            path: format!("onnx/{}", self.graph),
        };
        fs::create_dir(folder.join("onnx"))?;
        let mut paths = vec![shipped.chat_template.clone(), shipped.tokenizer.clone()];
        if self.borrows_weights {
            paths.push(WEIGHTS.into());
        }
        for path in &paths {
            link(&model.join(path), &folder.join(path))?;
        }
        link(&folder_of(model).join(&self.graph), &folder.join(&graph.path))?;
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
            ..shipped.clone()
        };
        fs::write(folder.join(manifest::FILE_NAME), serde_json::to_vec_pretty(&manifest)?)
    }
}

/// The same bytes at a second place. The runtime follows no symbolic link out of a model folder, so these are
/// hard links, or copies where the two places are on different disks.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to).or_else(|_| fs::copy(from, to).map(drop))
}

fn folder_of(model: &Path) -> PathBuf {
    model.join("..").join("zoo")
}

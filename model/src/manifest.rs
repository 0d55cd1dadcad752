//! `manifest.json`: what a model folder holds, with the hash of every file. The hash of the manifest is
//! the model's identity.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::{Component, Path, PathBuf},
};

use assay_protocol::{Bytes32, TokenId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{ModelError, sampler};

/// The file's name in a model folder.
pub const FILE_NAME: &str = "manifest.json";
/// The only form of manifest that this crate reads.
pub const FORMAT: &str = "assay-model/1";
/// A manifest longer than this is none.
const MANIFEST_BYTES_MAX: u64 = 1 << 20;
/// A tokenizer or template longer than this is not read into memory.
const TEXT_FILE_BYTES_MAX: u64 = 256 << 20;
/// How much of a file is hashed at a time.
const HASH_CHUNK_BYTES: usize = 1 << 20;

/// A model folder's description. Paths are relative to the folder, with `/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: String,
    /// The name that clients ask for.
    pub id: String,
    pub family: String,
    pub owner: String,
    /// Unix seconds.
    pub created: i64,
    #[serde(default)]
    pub description: String,
    pub licence: String,
    /// How many weights.
    pub parameters: u64,
    /// Prompt and output tokens together, at most.
    pub context_length: u32,
    /// Logits per position; ids run from 0 to one less.
    pub vocab_size: u32,
    /// Each ends an answer; a model that writes none has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub end_tokens: Vec<TokenId>,
    /// What `bos_token` is in the chat template, if the template uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bos_token: Option<String>,
    /// The template's file; a model that embeds has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub chat_template: String,
    /// The tokenizer's file.
    pub tokenizer: String,
    /// The sampler's specification; a model that embeds draws nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sampler: String,
    /// The runtime that the graphs were measured with.
    pub runtime: String,
    pub layers: u32,
    /// Of the key-value cache; a model that embeds has none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub kv_heads: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub head_dim: u32,
    /// Of a model that turns text into vectors, and writes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<Embedding>,
    pub graphs: Vec<Graph>,
    pub files: BTreeMap<String, FileEntry>,
}

/// What vectors a model makes of texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Embedding {
    /// Components of each vector.
    pub dimensions: u32,
    pub pooling: Pooling,
}

/// How the vector of a text follows from those of its tokens. All are brought to length 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Their mean.
    Mean,
}

/// One runnable form of the weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Graph {
    pub form: String,
    pub precision: String,
    pub path: String,
}

/// What a file must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub sha256: Bytes32,
    pub bytes: u64,
}

/// Which files to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Files {
    /// Tokenizer and chat template: all that a gateway needs.
    Text,
    /// Every file that the manifest names.
    All,
}

impl Manifest {
    /// Reads and checks `manifest.json` in `dir`; with it the SHA-256 of the file's bytes.
    pub fn load(dir: &Path) -> Result<(Self, Bytes32), ModelError> {
        let path = dir.join(FILE_NAME);
        let bytes = read_bounded(&path, MANIFEST_BYTES_MAX)
            .map_err(|source| ModelError::Read { path: path.clone(), source })?;
        let manifest: Self = serde_json::from_slice(&bytes)
            .map_err(|source| ModelError::ManifestForm { path, source })?;
        manifest.check()?;
        Ok((manifest, Self::hash_of(&bytes)))
    }

    /// A model's identity: the SHA-256 of its manifest's bytes.
    pub fn hash_of(bytes: &[u8]) -> Bytes32 {
        Bytes32(Sha256::digest(bytes).into())
    }

    /// Compares length and SHA-256 of the files with the manifest; the error names the first wrong one.
    pub fn check_files(&self, dir: &Path, which: Files) -> Result<(), ModelError> {
        match which {
            Files::Text => self.text_files().try_for_each(|path| self.check_file(dir, path)),
            Files::All => self.files.keys().try_for_each(|path| self.check_file(dir, path)),
        }
    }

    /// Reads a listed file into memory, and hands it out only if it is the one that the manifest names.
    pub(crate) fn read_text_file(&self, dir: &Path, path: &str) -> Result<Vec<u8>, ModelError> {
        let entry = self.entry(path)?;
        let path = dir.join(path);
        let bytes = read_bounded(&path, TEXT_FILE_BYTES_MAX)
            .map_err(|source| ModelError::Read { path: path.clone(), source })?;
        let found =
            FileEntry { sha256: Bytes32(Sha256::digest(&bytes).into()), bytes: bytes.len() as u64 };
        entry.compare(path, found)?;
        Ok(bytes)
    }

    fn check_file(&self, dir: &Path, path: &str) -> Result<(), ModelError> {
        let entry = self.entry(path)?;
        let path = dir.join(path);
        let found = FileEntry::of(&path)
            .map_err(|source| ModelError::Read { path: path.clone(), source })?;
        entry.compare(path, found)
    }

    fn entry(&self, path: &str) -> Result<&FileEntry, ModelError> {
        self.files.get(path).ok_or_else(|| self.wrong(format!("`{path}` is not among its files")))
    }

    /// Tokenizer, and chat template where there is one.
    fn text_files(&self) -> impl Iterator<Item = &String> {
        [&self.chat_template, &self.tokenizer].into_iter().filter(|path| !path.is_empty())
    }

    /// Everything that can be wrong without looking at another file.
    fn check(&self) -> Result<(), ModelError> {
        if self.format != FORMAT {
            return Err(self.wrong(format!("format is `{}`, not `{FORMAT}`", self.format)));
        }
        if self.vocab_size == 0 || self.context_length == 0 {
            return Err(self.wrong("vocabulary and context must not be empty".into()));
        }
        match self.embedding {
            Some(embedding) if embedding.dimensions == 0 => {
                return Err(self.wrong("its vectors have no dimension".into()));
            }
            Some(_) => {}
            None => self.check_writing()?,
        }
        if let Some(path) = self.files.keys().find(|path| !stays_inside(path)) {
            return Err(self.wrong(format!("`{path}` leaves the model folder")));
        }
        let graphs = self.graphs.iter().map(|graph| &graph.path);
        for path in self.text_files().chain(graphs) {
            self.entry(path)?;
        }
        Ok(())
    }

    /// What a model that writes answers needs besides.
    fn check_writing(&self) -> Result<(), ModelError> {
        if self.sampler != sampler::NAME {
            let (found, known) = (&self.sampler, sampler::NAME);
            return Err(self.wrong(format!("sampler is `{found}`, not `{known}`")));
        }
        if self.end_tokens.is_empty() {
            return Err(self.wrong("no end token".into()));
        }
        if let Some(id) = self.end_tokens.iter().find(|id| **id >= self.vocab_size) {
            return Err(self.wrong(format!("end token {id} is outside the vocabulary")));
        }
        if self.chat_template.is_empty() {
            return Err(self.wrong("no chat template".into()));
        }
        Ok(())
    }

    fn wrong(&self, problem: String) -> ModelError {
        ModelError::Manifest { model: self.id.clone(), problem }
    }
}

impl FileEntry {
    /// Length and hash of a file as it is, read in pieces.
    pub fn of(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut hasher = Sha256::new();
        let mut chunk = vec![0; HASH_CHUNK_BYTES];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut chunk)?;
            if read == 0 {
                return Ok(Self { sha256: Bytes32(hasher.finalize().into()), bytes });
            }
            hasher.update(&chunk[..read]);
            bytes += read as u64;
        }
    }

    fn compare(self, path: PathBuf, found: Self) -> Result<(), ModelError> {
        let problem = if found.bytes != self.bytes {
            format!("{} bytes instead of {}", found.bytes, self.bytes)
        } else if found.sha256 != self.sha256 {
            format!("SHA-256 {} instead of {}", found.sha256, self.sha256)
        } else {
            return Ok(());
        };
        Err(ModelError::FileDiffers { path, problem })
    }
}

fn read_bounded(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::other(format!("longer than {bytes_max} bytes")));
    }
    Ok(bytes)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn stays_inside(path: &str) -> bool {
    !path.is_empty()
        && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

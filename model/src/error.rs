//! What can be wrong with a model folder, or with a request to its tokenizer and template.

use std::{io, path::PathBuf};

/// Every error of this crate but the sampler's.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the model cannot be read.
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// `manifest.json` is not JSON of the expected form.
    #[error("{} is no manifest", path.display())]
    ManifestForm { path: PathBuf, source: serde_json::Error },
    /// `manifest.json` reads well but says something impossible.
    #[error("manifest of `{model}`: {problem}")]
    Manifest { model: String, problem: String },
    /// A file is not the one that the manifest names.
    #[error("{} is not the file that the manifest names: {problem}", path.display())]
    FileDiffers { path: PathBuf, problem: String },
    /// The tokenizer file cannot be used.
    #[error("tokenizer of `{model}`: {problem}")]
    TokenizerForm { model: String, problem: String },
    /// The chat template cannot be parsed.
    #[error("chat template of `{model}`")]
    TemplateForm { model: String, source: minijinja::Error },
    /// The chat template refuses these messages; the text is the template's own, meant for the client.
    #[error("{0}")]
    MessagesRefused(String),
    /// The chat template failed on these messages.
    #[error("the chat template failed")]
    Template(#[source] minijinja::Error),
    /// The tokenizer failed on this text.
    #[error("the tokenizer failed: {0}")]
    Encode(String),
}

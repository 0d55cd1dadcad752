//! A model folder of either kind, ready to run: one that writes answers, or one that makes vectors.

use std::path::Path;

use assay_model::{Manifest, TextModel};

use crate::{Embedder, Engine, EngineConfig, EngineError, Runtime};

/// See the head of this file.
#[derive(Debug)]
pub enum Machine {
    Writes(Box<Engine>),
    Embeds(Box<Embedder>),
}

impl Machine {
    /// Opens a model folder as its manifest says.
    pub fn open(
        runtime: &Runtime,
        folder: &Path,
        config: &EngineConfig,
    ) -> Result<Self, EngineError> {
        let (manifest, _) = Manifest::load(folder)?;
        Ok(match manifest.embedding {
            Some(_) => Self::Embeds(Box::new(Embedder::open(runtime, folder, config)?)),
            None => Self::Writes(Box::new(Engine::open(runtime, folder, config)?)),
        })
    }

    /// Manifest and tokenizer of the model.
    pub fn text(&self) -> &TextModel {
        match self {
            Self::Writes(engine) => engine.text(),
            Self::Embeds(embedder) => embedder.text(),
        }
    }

    /// The runtime's name and version.
    pub fn runtime(&self) -> &str {
        match self {
            Self::Writes(engine) => engine.runtime(),
            Self::Embeds(embedder) => embedder.runtime(),
        }
    }

    /// What computes, after a fallback: `cpu` or `cuda`.
    pub fn execution_provider(&self) -> &'static str {
        match self {
            Self::Writes(engine) => engine.execution_provider(),
            Self::Embeds(embedder) => embedder.execution_provider(),
        }
    }

    /// The precision of the graph that runs, as the manifest names it.
    pub fn precision(&self) -> &str {
        match self {
            Self::Writes(engine) => engine.precision(),
            Self::Embeds(embedder) => embedder.precision(),
        }
    }

    /// The engine of a model that writes.
    pub fn writer(&mut self) -> Result<&mut Engine, EngineError> {
        match self {
            Self::Writes(engine) => Ok(engine),
            Self::Embeds(_) => Err(EngineError::OtherKind("makes vectors, and writes nothing")),
        }
    }

    /// The one of a model that embeds.
    pub fn embedder(&mut self) -> Result<&mut Embedder, EngineError> {
        match self {
            Self::Embeds(embedder) => Ok(embedder),
            Self::Writes(_) => Err(EngineError::OtherKind("writes answers, and makes no vectors")),
        }
    }
}

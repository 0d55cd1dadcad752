//! Runs a model that turns texts into vectors: a graph like BERT's, the mean over a text's tokens, brought to length 1.
//!
//! Each text is fed alone, so that its vector does not depend on what else was asked for with it.

use std::{fmt, path::Path};

use assay_model::{Embedding, Files, Pooling, TextModel};
use assay_protocol::TokenId;
use ort::{session::Session, value::Tensor};

use crate::{EngineConfig, EngineError, Runtime, forms::check_verifiable, session};

/// How manifests name a graph that this runs.
const FORM: &str = "embedding";
const OUTPUT: &str = "last_hidden_state";
const TYPES: &str = "token_type_ids";

/// A model that embeds, ready to run. One request at a time; moves freely between threads.
pub struct Embedder {
    text: TextModel,
    embedding: Embedding,
    session: Session,
    /// Whether the graph wants to know which of two texts a token is of; there is always one here.
    takes_types: bool,
    precision: String,
    runtime: String,
    execution_provider: &'static str,
}

impl fmt::Debug for Embedder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedder")
            .field("model", &self.text.manifest.id)
            .field("execution_provider", &self.execution_provider)
            .finish_non_exhaustive()
    }
}

impl Embedder {
    /// Opens a model folder: checks the hash of every file, then loads its graph.
    ///
    /// # Errors
    /// Also when the graph is quantized dynamically, because its vectors could not be verified.
    pub fn open(
        runtime: &Runtime,
        folder: &Path,
        config: &EngineConfig,
    ) -> Result<Self, EngineError> {
        let text = TextModel::load(folder)?;
        text.manifest.check_files(folder, Files::All)?;
        let wrong = |problem: &str| EngineError::Graph {
            path: folder.to_path_buf(),
            problem: problem.to_owned(),
        };
        let embedding = text.manifest.embedding.ok_or_else(|| wrong("it makes no vectors"))?;
        let graph = text.manifest.graphs.iter().find(|graph| graph.form == FORM);
        let graph = graph.ok_or_else(|| wrong("the manifest lists no graph of form embedding"))?;
        let path = folder.join(&graph.path);
        if !config.allow_unverifiable {
            check_verifiable(&path)?;
        }
        let (session, execution_provider) = session::open(runtime, &path, config)?;
        if !session.outputs().iter().any(|output| output.name() == OUTPUT) {
            return Err(wrong("its graph has no `last_hidden_state`"));
        }
        Ok(Self {
            takes_types: session.inputs().iter().any(|input| input.name() == TYPES),
            precision: graph.precision.clone(),
            runtime: runtime.name(),
            text,
            embedding,
            session,
            execution_provider,
        })
    }

    /// Manifest and tokenizer of the model.
    pub fn text(&self) -> &TextModel {
        &self.text
    }

    /// What computes, after a fallback: `cpu` or `cuda`.
    pub fn execution_provider(&self) -> &'static str {
        self.execution_provider
    }

    /// The runtime's name and version.
    pub fn runtime(&self) -> &str {
        &self.runtime
    }

    /// The precision of the graph, as the manifest names it.
    pub fn precision(&self) -> &str {
        &self.precision
    }

    /// The vectors of these texts, one after the other.
    pub fn embed(&mut self, inputs: &[Vec<TokenId>]) -> Result<Vec<f32>, EngineError> {
        inputs.iter().try_for_each(|ids| self.check(ids))?;
        let mut components = Vec::with_capacity(inputs.len() * self.embedding.dimensions as usize);
        for ids in inputs {
            components.extend(self.embed_one(ids)?);
        }
        Ok(components)
    }

    fn check(&self, ids: &[TokenId]) -> Result<(), EngineError> {
        let manifest = &self.text.manifest;
        let (tokens, context) = (ids.len(), manifest.context_length as usize);
        let vocabulary = manifest.vocab_size as usize;
        if ids.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        if tokens > context {
            return Err(EngineError::TooLong { tokens, context });
        }
        match ids.iter().find(|id| **id as usize >= vocabulary) {
            Some(id) => Err(EngineError::TokenOutOfRange { id: *id, vocabulary }),
            None => Ok(()),
        }
    }

    fn embed_one(&mut self, ids: &[TokenId]) -> Result<Vec<f32>, EngineError> {
        let row =
            |values: Vec<i64>| Ok::<_, EngineError>(Tensor::from_array(([1, ids.len()], values))?);
        let mut inputs = vec![
            ("input_ids", row(ids.iter().map(|id| i64::from(*id)).collect())?),
            ("attention_mask", row(vec![1; ids.len()])?),
        ];
        if self.takes_types {
            inputs.push((TYPES, row(vec![0; ids.len()])?));
        }
        let outputs = self.session.run(inputs)?;
        let (shape, values) = outputs[OUTPUT].try_extract_tensor::<f32>()?;
        let dimensions = self.embedding.dimensions as usize;
        if values.len() != ids.len() * dimensions {
            return Err(EngineError::Runtime(format!(
                "hidden states of shape {shape:?} for {} tokens of {dimensions} components",
                ids.len()
            )));
        }
        match self.embedding.pooling {
            Pooling::Mean => unit(&sum(values, dimensions)),
        }
    }
}

/// The sum over the tokens, which points where their mean does: in 64 bits and in order, so that only the graph itself
/// rounds differently from machine to machine.
fn sum(values: &[f32], dimensions: usize) -> Vec<f64> {
    let mut sums = vec![0.0; dimensions];
    for token in values.chunks_exact(dimensions) {
        sums.iter_mut().zip(token).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    sums
}

/// The same direction at length 1.
fn unit(vector: &[f64]) -> Result<Vec<f32>, EngineError> {
    let length = vector.iter().map(|component| component * component).sum::<f64>().sqrt();
    if !length.is_finite() || length <= 0.0 {
        return Err(EngineError::Runtime("a vector without a direction".into()));
    }
    #[expect(clippy::cast_possible_truncation, reason = "vectors have 32-bit components")]
    let rounded = vector.iter().map(|component| (component / length) as f32);
    Ok(rounded.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_the_direction_of_its_tokens_mean() {
        let vector = unit(&sum(&[3.0, 0.0, 0.0, 4.0], 2)).unwrap();
        assert_eq!(vector, [0.6, 0.8]);
        assert!(unit(&[0.0, 0.0]).is_err());
        assert!(unit(&[f64::NAN, 1.0]).is_err());
    }
}

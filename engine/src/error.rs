//! What can go wrong between a model folder, the runtime and a request.

use std::path::PathBuf;

use assay_model::{GrammarError, ModelError, sampler::SamplerError};
use assay_protocol::TokenId;

/// Why the engine could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// No usable ONNX Runtime library; the text says what was tried and what helps.
    #[error("ONNX Runtime is not available: {0}")]
    NoRuntime(String),
    /// The model folder is incomplete, altered or of another format.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The runtime refused the graph or failed in a run.
    #[error("ONNX Runtime: {0}")]
    Runtime(String),
    /// The graph is valid ONNX, but not one that this engine serves.
    #[error("{}: {problem}", path.display())]
    Graph { path: PathBuf, problem: String },
    /// There is nothing to go on from.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// An id that the model does not have.
    #[error("token {id} is outside the vocabulary of {vocabulary} tokens")]
    TokenOutOfRange { id: TokenId, vocabulary: usize },
    /// Prompt and answer do not fit into the model's context.
    #[error("{tokens} tokens do not fit into the context of {context}")]
    TooLong { tokens: usize, context: usize },
    /// More was handed over than the whole answer may hold.
    #[error("a prefix of {prefix} tokens is longer than the answer's {max_tokens}")]
    PrefixTooLong { prefix: usize, max_tokens: u32 },
    /// The model does the other kind of work.
    #[error("the model {0}")]
    OtherKind(&'static str),
    /// More answers at once than the engine writes.
    #[error("{requests} requests are more than a batch holds; {} are the most", crate::BATCH_MAX)]
    BatchTooLarge { requests: usize },
    /// The answer's grammar cannot be used.
    #[error("grammar: {0}")]
    Grammar(#[from] GrammarError),
    /// Nothing can be drawn from these logits with these parameters.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
}

impl EngineError {
    /// Whether the request is to blame, not the model or the machine.
    pub fn is_bad_request(&self) -> bool {
        matches!(
            self,
            Self::EmptyPrompt
                | Self::TokenOutOfRange { .. }
                | Self::TooLong { .. }
                | Self::PrefixTooLong { .. }
                | Self::BatchTooLarge { .. }
                | Self::OtherKind(_)
                | Self::Grammar(_)
                | Self::Sampler(SamplerError::Temperature(_) | SamplerError::NothingAllowed)
        )
    }
}

impl<R> From<ort::Error<R>> for EngineError {
    fn from(error: ort::Error<R>) -> Self {
        Self::Runtime(error.to_string())
    }
}

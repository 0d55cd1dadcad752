//! Runs a model folder on ONNX Runtime: writes answers with a key-value cache, scores answers in one pass, and turns
//! texts into vectors. Everything blocks; the caller brings the threads.

mod constraint;
mod embedding;
mod engine;
mod error;
mod fetch;
mod forms;
mod machine;
mod runtime;
mod scoring;
mod session;
mod writing;

pub use embedding::Embedder;
pub use engine::Engine;
pub use error::EngineError;
pub use fetch::{CUDA_RUNTIME_VERSION, RUNTIME_VERSION};
pub use forms::Form;
pub use machine::Machine;
pub use runtime::{Runtime, RuntimeConfig, locate_or_fetch};
pub use scoring::{ScoreRequest, Scores};
pub use session::{EngineConfig, ExecutionProvider};
pub use writing::{BATCH_MAX, Drawn, GenerateRequest};

//! Runs a model folder on ONNX Runtime: writes answers with a key-value cache, and scores answers in one
//! pass. Everything blocks; the caller brings the threads.

mod engine;
mod error;
mod fetch;
mod forms;
mod runtime;
mod session;

pub use engine::{Engine, GenerateRequest, ScoreRequest};
pub use error::EngineError;
pub use fetch::{CUDA_RUNTIME_VERSION, RUNTIME_VERSION};
pub use runtime::{Runtime, RuntimeConfig, locate_or_fetch};
pub use session::{EngineConfig, ExecutionProvider};

//! Opens a graph on the runtime: threads, spinning and the execution provider.

use std::path::Path;

use ort::{ep, session::Session, session::builder::SessionBuilder};

use crate::{EngineError, Form, Runtime};

/// How a model is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineConfig {
    /// What computes.
    pub execution_provider: ExecutionProvider,
    /// Threads within one operator; more than one helps only on idle cores.
    pub threads: usize,
    /// Which of the manifest's graphs; the best one when unset.
    pub form: Option<Form>,
    /// Opens dynamically quantized graphs, too: their answers pass no check, which is what tests show.
    pub allow_unverifiable: bool,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            execution_provider: ExecutionProvider::Cpu,
            threads: 1,
            form: None,
            allow_unverifiable: false,
        }
    }
}

/// What computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecutionProvider {
    #[default]
    Cpu,
    /// The CUDA device with this number; the processor when it cannot be used.
    Cuda { device: i32 },
}

/// A session and the provider that it got, by its name.
pub(crate) fn open(
    runtime: &Runtime,
    graph: &Path,
    config: &EngineConfig,
) -> Result<(Session, &'static str), EngineError> {
    if let ExecutionProvider::Cuda { device } = config.execution_provider {
        match open_on_cuda(runtime, graph, config, device) {
            Ok(session) => return Ok((session, "cuda")),
            Err(error) => tracing::warn!(
                device,
                %error,
                "CUDA cannot be used, the model runs on the processor instead"
            ),
        }
    }
    Ok((builder(runtime, config)?.commit_from_file(graph)?, "cpu"))
}

fn open_on_cuda(
    runtime: &Runtime,
    graph: &Path,
    config: &EngineConfig,
    device: i32,
) -> Result<Session, EngineError> {
    // TF32 rounds operands to 10 bits, which would drown the margins that answers are judged by.
    let cuda = ep::CUDA::default().with_device_id(device).with_tf32(false).build();
    let session = builder(runtime, config)?
        .with_execution_providers([cuda.error_on_failure()])?
        .commit_from_file(graph)?;
    Ok(session)
}

/// Spinning is off: nodes share their machine, and an idle node must cost nothing.
fn builder(runtime: &Runtime, config: &EngineConfig) -> Result<SessionBuilder, EngineError> {
    Ok(Session::builder(&runtime.environment)?
        .with_intra_threads(config.threads.max(1))?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_inter_op_spinning(false)?)
}

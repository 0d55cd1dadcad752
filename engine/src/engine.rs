//! One model on one session: opens a folder, and says what runs.

use std::{fmt, path::Path};

use assay_model::{Files, Graph as GraphEntry, Manifest, TextModel};
use assay_protocol::TokenId;

use crate::{
    EngineConfig, EngineError, ExecutionProvider, Form, Runtime,
    forms::{Graph, check_verifiable},
    session,
};

/// Logits in memory at once: tokens are fed in pieces of at most this size. The pieces' logits equal
/// those of one pass up to rounding (at most 3e-5), and small models are fed in one piece.
const LOGITS_BYTES_MAX: usize = 256 << 20;

/// A model that is ready to run. One request at a time, or one batch; moves freely between threads.
pub struct Engine {
    text: TextModel,
    pub(crate) graph: Graph,
    precision: String,
    runtime: String,
    execution_provider: &'static str,
    /// How many tokens may be fed in one run.
    pub(crate) piece_len: usize,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("model", &self.text.manifest.id)
            .field("form", &self.graph.form())
            .field("execution_provider", &self.execution_provider)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens a model folder: checks the hash of every file, then loads one of its graphs.
    ///
    /// # Errors
    /// Also when the graph is quantized dynamically, because its answers could not be verified.
    pub fn open(
        runtime: &Runtime,
        folder: &Path,
        config: &EngineConfig,
    ) -> Result<Self, EngineError> {
        let text = TextModel::load(folder)?;
        text.manifest.check_files(folder, Files::All)?;
        let graphs = choose(&text.manifest, config)
            .map_err(|problem| EngineError::Graph { path: folder.to_path_buf(), problem })?;
        let (entry, graph, execution_provider) =
            first_that_opens(runtime, folder, &text.manifest, &graphs, config)?;
        let precision = entry.precision.clone();
        let row_bytes = size_of::<f32>() * text.manifest.vocab_size as usize;
        let piece_len = (LOGITS_BYTES_MAX / row_bytes.max(1)).max(1);
        let runtime = runtime.name();
        Ok(Self { text, graph, precision, runtime, execution_provider, piece_len })
    }

    /// Manifest, tokenizer and template of the model.
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

    /// The precision of the graph that runs, as the manifest names it.
    pub fn precision(&self) -> &str {
        &self.precision
    }

    /// The form of the graph that runs.
    pub fn form(&self) -> Form {
        self.graph.form()
    }

    /// Whether these can be fed at all.
    pub(crate) fn check(&self, prompt: &[TokenId], output: &[TokenId]) -> Result<(), EngineError> {
        if prompt.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        let (tokens, context) = (prompt.len() + output.len(), self.context_length());
        if tokens > context {
            return Err(EngineError::TooLong { tokens, context });
        }
        let vocabulary = self.text.manifest.vocab_size as usize;
        match prompt.iter().chain(output).find(|id| **id as usize >= vocabulary) {
            Some(id) => Err(EngineError::TokenOutOfRange { id: *id, vocabulary }),
            None => Ok(()),
        }
    }

    pub(crate) fn context_length(&self) -> usize {
        self.text.manifest.context_length as usize
    }
}

/// The graph of the form that is wanted, or else all that the manifest lists, the best first.
///
/// On processors that is form B: GroupQueryAttention computes in one operator what form A says in a hundred, and
/// writes up to twice as fast. On CUDA it has no 32-bit kernel.
fn choose<'a>(
    manifest: &'a Manifest,
    config: &EngineConfig,
) -> Result<Vec<(&'a GraphEntry, Form)>, String> {
    let preferred: &[Form] = match (config.form, config.execution_provider) {
        (Some(Form::A), _) => &[Form::A],
        (Some(Form::B), _) => &[Form::B],
        (None, ExecutionProvider::Cpu) => &[Form::B, Form::A],
        (None, ExecutionProvider::Cuda { .. }) => &[Form::A],
    };
    let of_form = |form: &Form| {
        let mut graphs = manifest.graphs.iter();
        graphs.find(|graph| graph.form.parse() == Ok(*form)).map(|graph| (graph, *form))
    };
    let found: Vec<_> = preferred.iter().filter_map(of_form).collect();
    if found.is_empty() {
        let letters: Vec<String> = preferred.iter().map(Form::to_string).collect();
        return Err(format!("the manifest lists no graph of form {}", letters.join(" or ")));
    }
    Ok(found)
}

/// A graph may ask for what this machine refuses, as weights behind a symbolic link: then the next one runs.
fn first_that_opens<'a>(
    runtime: &Runtime,
    folder: &Path,
    manifest: &Manifest,
    graphs: &[(&'a GraphEntry, Form)],
    config: &EngineConfig,
) -> Result<(&'a GraphEntry, Graph, &'static str), EngineError> {
    let mut refused = None;
    for (entry, form) in graphs {
        match open_graph(runtime, &folder.join(&entry.path), *form, manifest, config) {
            Ok((graph, execution_provider)) => return Ok((entry, graph, execution_provider)),
            Err(error) => {
                if graphs.len() > 1 {
                    tracing::warn!(path = entry.path, %error, "a graph of the model cannot be opened");
                }
                refused.get_or_insert(error);
            }
        }
    }
    Err(refused.expect("there is at least one graph"))
}

fn open_graph(
    runtime: &Runtime,
    path: &Path,
    form: Form,
    manifest: &Manifest,
    config: &EngineConfig,
) -> Result<(Graph, &'static str), EngineError> {
    if !config.allow_unverifiable {
        check_verifiable(path)?;
    }
    let (session, execution_provider) = session::open(runtime, path, config)?;
    let graph = Graph::of(session, path, manifest)?;
    if graph.form() != form {
        let problem = format!("it is of form {}, and its manifest says {form}", graph.form());
        return Err(EngineError::Graph { path: path.to_path_buf(), problem });
    }
    Ok((graph, execution_provider))
}

/// Positions fit: the context is far below 2³².
pub(crate) fn position(index: usize) -> u32 {
    u32::try_from(index).expect("an output position within the context")
}

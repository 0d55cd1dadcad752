//! The shapes that graphs of language models come in. An engine asks a graph for the logits after some
//! tokens, and does not know which shape answers.

mod form_a;

use std::path::Path;

use assay_model::Manifest;
use assay_protocol::TokenId;
use ort::session::Session;

use crate::EngineError;

/// A graph of a known form.
#[derive(Debug)]
pub(crate) enum Graph {
    A(form_a::FormA),
}

/// Keys and values of the tokens that were fed so far.
#[derive(Debug)]
pub(crate) enum Cache {
    A(form_a::Cache),
}

impl Graph {
    /// Reads the form off the graph's inputs: only form A takes `position_ids`.
    pub(crate) fn of(
        session: Session,
        path: &Path,
        manifest: &Manifest,
    ) -> Result<Self, EngineError> {
        let graph_error = |problem: &str| EngineError::Graph {
            path: path.to_path_buf(),
            problem: problem.to_owned(),
        };
        if session.inputs().iter().any(|input| input.name() == "position_ids") {
            return form_a::FormA::of(session, manifest)
                .map(Self::A)
                .map_err(|problem| EngineError::Graph { path: path.to_path_buf(), problem });
        }
        Err(graph_error("graphs of form B (without `position_ids`) are not served yet"))
    }

    /// A cache with nothing in it.
    pub(crate) fn empty_cache(&self) -> Result<Cache, EngineError> {
        match self {
            Self::A(graph) => graph.empty_cache().map(Cache::A),
        }
    }

    /// Feeds more tokens and hands over the logits of each of them, row by row.
    pub(crate) fn feed<T>(
        &mut self,
        cache: &mut Cache,
        ids: &[TokenId],
        read: impl FnOnce(&[f32]) -> T,
    ) -> Result<T, EngineError> {
        match (self, cache) {
            (Self::A(graph), Cache::A(cache)) => graph.feed(cache, ids, read),
        }
    }
}

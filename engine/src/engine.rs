//! One model on one session: writes an answer token by token, or scores a given one in one pass.

use std::{fmt, ops::ControlFlow, path::Path};

use assay_model::{
    Files, TextModel,
    sampler::{Position, TokenCounts},
};
use assay_protocol::{Bytes32, Finish, PositionScore, Sampling, TokenId};

use crate::{
    EngineConfig, EngineError, Runtime,
    forms::{Cache, Graph},
    session,
};

/// Logits in memory at once: tokens are fed in pieces of at most this size. The pieces' logits equal
/// those of one pass up to rounding (at most 3e-5), and small models are fed in one piece.
const LOGITS_BYTES_MAX: usize = 256 << 20;

/// Write an answer.
#[derive(Clone, Debug)]
pub struct GenerateRequest {
    pub prompt: Vec<TokenId>,
    /// Output tokens that are already there: the answer goes on after them.
    pub prefix: Vec<TokenId>,
    /// Output tokens at most, the prefix included.
    pub max_tokens: u32,
    pub sampling: Sampling,
    pub seed: Bytes32,
}

/// Judge an answer.
#[derive(Clone, Debug)]
pub struct ScoreRequest {
    pub prompt: Vec<TokenId>,
    pub output: Vec<TokenId>,
    pub sampling: Sampling,
    pub seed: Bytes32,
}

/// A model that is ready to run. One request at a time; moves freely between threads.
pub struct Engine {
    text: TextModel,
    graph: Graph,
    precision: String,
    runtime: String,
    execution_provider: &'static str,
    /// How many tokens may be fed in one run.
    piece_len: usize,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("model", &self.text.manifest.id)
            .field("execution_provider", &self.execution_provider)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens a model folder: checks the hash of every file, then loads the first graph of form A.
    pub fn open(
        runtime: &Runtime,
        folder: &Path,
        config: &EngineConfig,
    ) -> Result<Self, EngineError> {
        let text = TextModel::load(folder)?;
        text.manifest.check_files(folder, Files::All)?;
        let entry = text.manifest.graphs.first().ok_or_else(|| EngineError::Graph {
            path: folder.to_path_buf(),
            problem: "the manifest lists no graph".into(),
        })?;
        let path = folder.join(&entry.path);
        let (session, execution_provider) = session::open(runtime, &path, config)?;
        let graph = Graph::of(session, &path, &text.manifest)?;
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

    /// Writes an answer. `on_token` gets each new token with its raw logit, the end token too.
    ///
    /// Ends with `Stop` at an end token, `Length` at `max_tokens` or the end of the context, and
    /// `Told` when the callback breaks.
    pub fn generate(
        &mut self,
        request: &GenerateRequest,
        on_token: &mut dyn FnMut(TokenId, f32) -> ControlFlow<()>,
    ) -> Result<Finish, EngineError> {
        self.check(&request.prompt, &request.prefix)?;
        let mut index = request.prefix.len();
        let max_tokens = request.max_tokens as usize;
        if index > max_tokens {
            let max_tokens = request.max_tokens;
            return Err(EngineError::PrefixTooLong { prefix: index, max_tokens });
        }
        if request.prefix.last().is_some_and(|id| self.text.is_end(*id)) {
            return Ok(Finish::Stop);
        }
        let answer_max = max_tokens.min(self.context_length() - request.prompt.len());
        if index >= answer_max {
            return Ok(Finish::Length);
        }

        let mut counts = TokenCounts::of(&request.prefix);
        let mut cache = self.graph.empty_cache()?;
        let mut next = [request.prompt.as_slice(), &request.prefix].concat();
        loop {
            let (id, logit) = self.feed_and_draw(
                &mut cache,
                &next,
                &Position {
                    sampling: &request.sampling,
                    seed: request.seed,
                    index: position(index),
                    counts: &counts,
                },
            )?;
            index += 1;
            if on_token(id, logit).is_break() {
                return Ok(Finish::Told);
            }
            if self.text.is_end(id) {
                return Ok(Finish::Stop);
            }
            if index == answer_max {
                return Ok(Finish::Length);
            }
            counts.push(id);
            next = vec![id];
        }
    }

    /// Feeds prompt and output and says, for each output position, what the model wanted there.
    pub fn score(&mut self, request: &ScoreRequest) -> Result<Vec<PositionScore>, EngineError> {
        self.check(&request.prompt, &request.output)?;
        let Some((_, all_but_last)) = request.output.split_last() else {
            return Ok(Vec::new());
        };
        let fed = [request.prompt.as_slice(), all_but_last].concat();
        let first = request.prompt.len() - 1;
        let vocabulary = self.vocabulary();

        let mut scores = Vec::with_capacity(request.output.len());
        let mut counts = TokenCounts::default();
        let mut cache = self.graph.empty_cache()?;
        let mut row_index = 0;
        for piece in fed.chunks(self.piece_len) {
            self.graph.feed(&mut cache, piece, |logits| {
                for row in logits.chunks_exact(vocabulary) {
                    row_index += 1;
                    let Some(index) = (row_index - 1usize).checked_sub(first) else { continue };
                    let claimed = request.output[index];
                    let at = Position {
                        sampling: &request.sampling,
                        seed: request.seed,
                        index: position(index),
                        counts: &counts,
                    };
                    scores.push(at.score(row, claimed)?);
                    counts.push(claimed);
                }
                Ok::<_, EngineError>(())
            })??;
        }
        assert_eq!(scores.len(), request.output.len(), "one score for each output token");
        Ok(scores)
    }

    /// Feeds `ids` and draws the token after them, with its raw logit.
    fn feed_and_draw(
        &mut self,
        cache: &mut Cache,
        ids: &[TokenId],
        at: &Position<'_>,
    ) -> Result<(TokenId, f32), EngineError> {
        let vocabulary = self.vocabulary();
        let pieces: Vec<&[TokenId]> = ids.chunks(self.piece_len).collect();
        let (last, before) = pieces.split_last().ok_or(EngineError::EmptyPrompt)?;
        for piece in before {
            self.graph.feed(cache, piece, |_| ())?;
        }
        self.graph.feed(cache, last, |logits| {
            let row = &logits[logits.len() - vocabulary..];
            let id = at.draw(row)?;
            Ok((id, row[id as usize]))
        })?
    }

    fn check(&self, prompt: &[TokenId], output: &[TokenId]) -> Result<(), EngineError> {
        if prompt.is_empty() {
            return Err(EngineError::EmptyPrompt);
        }
        let (tokens, context) = (prompt.len() + output.len(), self.context_length());
        if tokens > context {
            return Err(EngineError::TooLong { tokens, context });
        }
        let vocabulary = self.vocabulary();
        match prompt.iter().chain(output).find(|id| **id as usize >= vocabulary) {
            Some(id) => Err(EngineError::TokenOutOfRange { id: *id, vocabulary }),
            None => Ok(()),
        }
    }

    fn vocabulary(&self) -> usize {
        self.text.manifest.vocab_size as usize
    }

    fn context_length(&self) -> usize {
        self.text.manifest.context_length as usize
    }
}

/// Positions fit: the context is far below 2³².
fn position(index: usize) -> u32 {
    u32::try_from(index).expect("an output position within the context")
}

#[cfg(test)]
mod tests {
    use assay_model::ChatMessage;

    use super::*;
    use crate::RuntimeConfig;

    #[test]
    fn feeding_in_pieces_changes_nothing_but_rounding() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../model/demo");
        let runtime = Runtime::load(&RuntimeConfig::default()).unwrap();
        let mut engine = Engine::open(&runtime, folder.as_ref(), &EngineConfig::default()).unwrap();
        let ask = ChatMessage { role: "user".into(), content: "Tell me a story.".into() };
        let prompt = engine.text().encode(&engine.text().render(&[ask]).unwrap()).unwrap();
        let (sampling, seed) = (Sampling::default(), Bytes32([1; 32]));

        let mut write = |piece_len| {
            engine.piece_len = piece_len;
            let (prompt, sampling) = (prompt.clone(), sampling.clone());
            let mut output = Vec::new();
            let request =
                GenerateRequest { prompt, prefix: Vec::new(), max_tokens: 24, sampling, seed };
            let push = &mut |id, _| {
                output.push(id);
                ControlFlow::Continue(())
            };
            engine.generate(&request, push).unwrap();
            let GenerateRequest { prompt, sampling, .. } = request;
            let request = ScoreRequest { prompt, output: output.clone(), sampling, seed };
            (output, engine.score(&request).unwrap())
        };
        let (output, whole) = write(usize::MAX);
        let (output_in_pieces, in_pieces) = write(3);
        assert_eq!(output_in_pieces, output);
        for (one, other) in whole.iter().zip(&in_pieces) {
            assert_eq!(one.own, other.own);
            assert!((one.logit - other.logit).abs() < 1e-4, "{one:?} {other:?}");
        }
    }
}

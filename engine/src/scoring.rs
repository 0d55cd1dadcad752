//! Judges an answer: feeds all of it in one pass and says what the model wanted at each position.

use assay_model::sampler::{Position, TokenCounts, logprobs};
use assay_protocol::{Bytes32, PositionScore, Sampling, TokenId, TokenLogprobs};

use crate::{Engine, EngineError, constraint::Constraint, engine::position};

/// Judge an answer.
#[derive(Clone, Debug)]
pub struct ScoreRequest {
    pub prompt: Vec<TokenId>,
    pub output: Vec<TokenId>,
    pub sampling: Sampling,
    pub seed: Bytes32,
}

/// What the model says of an answer: one of each for every output position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    pub positions: Vec<PositionScore>,
    /// If the sampling asks for them; otherwise empty.
    pub logprobs: Vec<TokenLogprobs>,
}

impl Engine {
    /// Feeds prompt and output and says, for each output position, what the model wanted there.
    pub fn score(&mut self, request: &ScoreRequest) -> Result<Vec<PositionScore>, EngineError> {
        Ok(self.score_told(request)?.positions)
    }

    /// The same, with log probabilities if the sampling asks for them.
    pub fn score_told(&mut self, request: &ScoreRequest) -> Result<Scores, EngineError> {
        self.check(&request.prompt, &request.output)?;
        let Some((_, all_but_last)) = request.output.split_last() else {
            return Ok(Scores::default());
        };
        let fed = [request.prompt.as_slice(), all_but_last].concat();
        let first = request.prompt.len() - 1;

        let mut scores = Vec::with_capacity(request.output.len());
        let mut told = Vec::new();
        let mut counts = TokenCounts::default();
        let mut constraint = Constraint::of(self.text(), &request.sampling, &[])?;
        let mut cache = self.graph.empty_cache(1)?;
        let mut fed_before = 0;
        for piece in fed.chunks(self.piece_len) {
            self.graph.feed(&mut cache, &[piece], |logits| {
                for token in first.saturating_sub(fed_before)..piece.len() {
                    let index = fed_before + token - first;
                    let claimed = request.output[index];
                    let at = Position {
                        sampling: &request.sampling,
                        seed: request.seed,
                        index: position(index),
                        counts: &counts,
                        allowed: constraint.as_ref().and_then(Constraint::allowed),
                    };
                    let logits = logits.after(0, token);
                    scores.push(at.score(logits, claimed)?);
                    told.extend(request.sampling.top_logprobs.map(|top| logprobs(logits, top)));
                    counts.push(claimed);
                    if let Some(constraint) = &mut constraint {
                        constraint.push(claimed)?;
                    }
                }
                Ok::<_, EngineError>(())
            })??;
            fed_before += piece.len();
        }
        assert_eq!(scores.len(), request.output.len(), "one score for each output token");
        Ok(Scores { positions: scores, logprobs: told })
    }
}

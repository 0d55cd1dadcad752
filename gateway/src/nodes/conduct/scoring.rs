//! A scored answer as it comes in: one entry for every output position, no more and no fewer.

use assay_protocol::{PositionScore, ScoreStart, TokenId, TokenLogprobs, limits};

use super::Violation;

/// What a scorer says: one of each for every output position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scored {
    pub positions: Vec<PositionScore>,
    /// If the job asks for them; otherwise empty.
    pub logprobs: Vec<TokenLogprobs>,
}

#[derive(Debug)]
pub(super) struct Scoring {
    expected: usize,
    top_logprobs: Option<u8>,
    vocab_size: u32,
    scored: Scored,
}

impl Scoring {
    pub(super) fn new(start: &ScoreStart, vocab_size: TokenId) -> Self {
        let (expected, top_logprobs) = (start.output.len(), start.sampling.top_logprobs);
        Self { expected, top_logprobs, vocab_size, scored: Scored::default() }
    }

    /// Adds positions; gives the whole list back when `last` closes it.
    pub(super) fn take(&mut self, piece: Scored, last: bool) -> Result<Option<Scored>, Violation> {
        let Scored { positions, logprobs } = piece;
        let piece_max = match self.top_logprobs {
            None => limits::SCORED_POSITIONS_PER_FRAME_MAX,
            Some(_) => limits::SCORED_LOGPROBS_PER_FRAME_MAX,
        };
        if positions.len() > piece_max {
            return Err(Violation::WrongPositions);
        }
        let finite = |p: &PositionScore| {
            p.margin.is_finite() && p.margin >= 0.0 && p.logit.is_finite() && p.sum_p2.is_finite()
        };
        if !positions.iter().all(finite) {
            return Err(Violation::NotFinite);
        }
        let asked = self.top_logprobs.map_or(0, |_| positions.len());
        let told = positions.iter().zip(&logprobs);
        let mut possible = told.map(|(position, told)| {
            let top = self.top_logprobs.unwrap_or_default();
            told.is_possible(position.logit, top, self.vocab_size)
        });
        if logprobs.len() != asked || !possible.all(|possible| possible) {
            return Err(Violation::WrongLogprobs);
        }
        self.scored.positions.extend(positions);
        self.scored.logprobs.extend(logprobs);
        let complete = self.scored.positions.len() == self.expected;
        match (last, complete) {
            (true, true) => Ok(Some(std::mem::take(&mut self.scored))),
            (false, _) if self.scored.positions.len() < self.expected => Ok(None),
            _ => Err(Violation::WrongPositions),
        }
    }
}

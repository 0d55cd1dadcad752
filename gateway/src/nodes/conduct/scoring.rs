//! A scored answer as it comes in: one entry for every output position, no more and no fewer.

use assay_protocol::{PositionScore, ScoreStart, limits};

use super::Violation;

#[derive(Debug)]
pub(super) struct Scoring {
    expected: usize,
    positions: Vec<PositionScore>,
}

impl Scoring {
    pub(super) fn new(start: &ScoreStart) -> Self {
        Self { expected: start.output.len(), positions: Vec::new() }
    }

    /// Adds positions; gives the whole list back when `last` closes it.
    pub(super) fn take(
        &mut self,
        positions: Vec<PositionScore>,
        last: bool,
    ) -> Result<Option<Vec<PositionScore>>, Violation> {
        if positions.len() > limits::SCORED_POSITIONS_PER_FRAME_MAX {
            return Err(Violation::WrongPositions);
        }
        let finite = |p: &PositionScore| {
            p.margin.is_finite() && p.margin >= 0.0 && p.logit.is_finite() && p.sum_p2.is_finite()
        };
        if !positions.iter().all(finite) {
            return Err(Violation::NotFinite);
        }
        self.positions.extend(positions);
        let complete = self.positions.len() == self.expected;
        match (last, complete) {
            (true, true) => Ok(Some(std::mem::take(&mut self.positions))),
            (false, _) if self.positions.len() < self.expected => Ok(None),
            _ => Err(Violation::WrongPositions),
        }
    }
}

//! Failover: fresh nodes go on from the verified prefix where others were lost.
//!
//! What two owners agreed on is handed over as it is; what one node said alone is scored first.

use std::time::{Duration, Instant};

use super::{
    super::{
        answer::Answer,
        branch::{Branch, Stage},
        delivery::ServeError,
    },
    OWNERS_TO_AGREE, Round,
    placing::Target,
};

impl Round<'_> {
    /// Asks fresh nodes when too few are left to go on with the answer.
    pub(super) fn replace_lost(&mut self, answer: &Answer<'_>) -> Result<(), ServeError> {
        self.waits_until = None;
        if self.is_over() || answer.stopped_at().is_some() || answer.is_done() {
            return Ok(());
        }
        let on_line = self.on_line(answer);
        let enough = OWNERS_TO_AGREE.min(self.wanted);
        // A set of which nobody stood goes to a new set; one that was short from the beginning cannot be filled.
        let refuted = self.branches.iter().any(|it| matches!(it.stage, Stage::Refuted { .. }));
        let is_lost = on_line == 0 && refuted;
        if on_line >= enough || is_lost || self.stranger_alone {
            return Ok(());
        }
        if self.wanted == 1 && !self.is_scored(answer) {
            if self.inquiry.is_none() {
                if !self.may_inquire(answer) {
                    return self.await_somebody();
                }
                self.inquire(answer.ids().to_vec());
            }
            return Ok(());
        }
        let target = if self.wanted == 1 { Target::Set } else { Target::OnLine(enough) };
        self.recruit(target, answer);
        if self.on_line(answer) == 0 {
            let wait = Duration::from_millis(self.app.config.serving.failover_wait_ms);
            let since = *self.lost_since.get_or_insert_with(Instant::now);
            self.waits_until = Some(self.deadline.min(since + wait));
        } else {
            self.lost_since = None;
        }
        Ok(())
    }

    /// Waits a while for a scorer, without whom what one node said alone cannot be handed over.
    fn await_somebody(&mut self) -> Result<(), ServeError> {
        let wait = Duration::from_millis(self.app.config.serving.failover_wait_ms);
        let until = self.deadline.min(*self.lost_since.get_or_insert_with(Instant::now) + wait);
        if Instant::now() >= until {
            return Err(self.abandon(ServeError::NotVerified { rounds: self.number }));
        }
        self.unheard = false;
        self.waits_until = Some(until);
        Ok(())
    }

    /// Whether an answer that nobody is left to write is worth waiting for a while.
    pub(super) fn waits_for_somebody(&self) -> bool {
        self.waits_until.is_some_and(|until| Instant::now() < until)
    }

    /// Those who write, or are about to write, what goes on from what was released.
    pub(super) fn on_line(&self, answer: &Answer<'_>) -> usize {
        let released = answer.ids();
        let is_on = |branch: &&Branch| match branch.stage {
            Stage::Offered | Stage::Accepted => true,
            Stage::Writing | Stage::Complete(_) => {
                branch.counts()
                    && (branch.ids.starts_with(released) || released.starts_with(&branch.ids))
            }
            Stage::Lost(..) | Stage::Refuted { .. } => false,
        };
        self.branches.iter().filter(is_on).count()
    }

    /// Whether the model confirmed everything that was released.
    fn is_scored(&self, answer: &Answer<'_>) -> bool {
        let limit = self.rules.tau_gap;
        let confirms = |score: &crate::verification::scorer::Score| {
            score.ids.starts_with(answer.ids())
                && score.positions[..answer.ids().len()].iter().all(|it| it.margin <= limit)
        };
        answer.ids().is_empty() || self.found.iter().any(confirms)
    }
}

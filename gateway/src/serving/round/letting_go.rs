//! Lets nodes go that are still at work: too late, not needed any more, or no fault of theirs.

use assay_protocol::{CancelReason, Outcome};

use super::{
    super::{branch::Stage, delivery::ServeError},
    Round,
};

impl Round<'_> {
    /// Goes on without those who are not done, now that two complete answers agree.
    pub(super) fn drop_stragglers(&mut self) {
        self.drop_writers("two equal answers were complete long before");
    }

    /// Lets go of everybody who is not done.
    pub(super) fn drop_writers(&mut self, reason: &str) {
        self.call_off(CancelReason::NotNeeded);
        for branch in self.branches.iter_mut().filter(|branch| branch.stage == Stage::Writing) {
            branch.lose(Outcome::Cancelled, reason);
        }
    }

    /// Calls everybody off who is still at work.
    pub(super) fn call_off(&mut self, reason: CancelReason) {
        for branch in &self.branches {
            let _ = match branch.stage {
                Stage::Writing => branch.handle.cancel(self.job.id, reason),
                Stage::Offered | Stage::Accepted => branch.handle.withdraw(self.job.id),
                Stage::Complete(_) | Stage::Refuted { .. } | Stage::Lost(..) => Ok(()),
            };
        }
        self.branches.retain(|b| !matches!(b.stage, Stage::Offered | Stage::Accepted));
    }

    pub(super) fn abandon(&mut self, error: ServeError) -> ServeError {
        let reason = match error {
            ServeError::ShuttingDown => CancelReason::Shutdown,
            ServeError::Timeout => CancelReason::TooSlow,
            _ => CancelReason::NotNeeded,
        };
        self.call_off(reason);
        error
    }
}

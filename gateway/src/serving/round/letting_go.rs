//! Lets nodes go that are still at work: too late, not needed any more, or no fault of theirs.

use assay_protocol::{CancelReason, Outcome};

use super::{
    super::{
        answer::Answer,
        branch::{Branch, Stage},
        delivery::ServeError,
    },
    Round,
    agreeing::common,
};

impl Round<'_> {
    /// Goes on without those who are not done, now that two complete answers agree. If one of them wrote something
    /// else, the model is asked about those who agree.
    pub(super) fn drop_stragglers(&mut self, answer: &Answer<'_>) {
        let cut = answer.stopped_at();
        let shared = self.branches.iter().find(|branch| self.is_shared(branch, cut));
        if let Some((ids, _)) = shared.and_then(|branch| branch.whole(cut)) {
            let differs = |branch: &Branch| {
                branch.stage == Stage::Writing
                    && common(ids, &branch.ids) < ids.len().min(branch.ids.len())
            };
            if self.branches.iter().any(differs) {
                self.must_audit = true;
            }
        }
        self.drop_writers("two equal answers were complete long before");
    }

    /// Lets go of everybody who is not done.
    pub(in crate::serving) fn drop_writers(&mut self, reason: &str) {
        self.call_off(CancelReason::NotNeeded);
        for branch in self.branches.iter_mut().filter(|branch| branch.stage == Stage::Writing) {
            branch.lose(Outcome::Cancelled, reason);
        }
    }

    /// Calls everybody off who is still at work.
    pub(in crate::serving) fn call_off(&mut self, reason: CancelReason) {
        for branch in &self.branches {
            let _ = match branch.stage {
                Stage::Writing => branch.handle.cancel(self.job.id, reason),
                Stage::Offered | Stage::Accepted => branch.handle.withdraw(self.job.id),
                Stage::Complete(_) | Stage::Refuted { .. } | Stage::Lost(..) => Ok(()),
            };
        }
        self.branches.retain(|b| !matches!(b.stage, Stage::Offered | Stage::Accepted));
    }

    pub(in crate::serving) fn abandon(&mut self, error: ServeError) -> ServeError {
        let reason = match error {
            ServeError::ShuttingDown => CancelReason::Shutdown,
            ServeError::Timeout => CancelReason::TooSlow,
            _ => CancelReason::NotNeeded,
        };
        self.call_off(reason);
        error
    }
}

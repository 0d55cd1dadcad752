//! What the nodes of a round agree on so far: released token by token, and whole in the end.

use std::time::{Duration, Instant};

use assay_protocol::{Finish, TokenId};
use assay_verifier::OwnerId;

use super::{
    super::{
        answer::Answer,
        branch::{Branch, Stage},
    },
    Round,
};

/// What two owners need to agree.
pub(in crate::serving) const OWNERS_TO_AGREE: usize = 2;

/// A whole answer that is undisputed so far.
#[derive(Clone, Copy, Debug)]
pub(in crate::serving) struct Agreement<'a> {
    pub(in crate::serving) ids: &'a [TokenId],
    pub(in crate::serving) finish: Finish,
    pub(in crate::serving) nodes_agreed: u32,
}

impl Round<'_> {
    /// Releases what two owners agree on, and tells everybody where a stop string ended the answer.
    /// An end token waits for the verdict: a pair that forges the end must not close the answer for
    /// those who go on. So does all that a node says alone.
    pub(super) fn release_agreed(&mut self, answer: &mut Answer<'_>) {
        if answer.stopped_at().is_some() {
            return;
        }
        let released = answer.ids();
        let heard = self.branches.iter().filter(|branch| !branch.is_violator());
        let branches: Vec<(OwnerId, &[TokenId])> =
            heard.map(|branch| (OwnerId(branch.owner.0), &branch.ids[..])).collect();
        let agreed = assay_verifier::agreed_prefix(&branches, released);
        let Some(agreed) = agreed else { return };
        let is_end = |id: &TokenId| self.job.model.text.is_end(*id);
        let end = agreed.iter().position(is_end).unwrap_or(agreed.len());
        if end > released.len() {
            answer.advance(&agreed[..end]);
        }
        if answer.stopped_at().is_some() {
            for branch in self.branches.iter().filter(|branch| branch.stage == Stage::Writing) {
                let _ = branch.handle.finish(self.job.id, answer.tokens());
            }
        }
    }

    /// An answer that at least two owners gave whole, while nobody says otherwise.
    pub(in crate::serving) fn agreement(&self, answer: &Answer<'_>) -> Option<Agreement<'_>> {
        let cut = answer.stopped_at();
        let mut whole = self.branches.iter().filter_map(|branch| branch.whole(cut));
        let (ids, finish) = whole.next()?;
        let nodes = 1 + whole.count();
        let agrees = |branch: &Branch| match branch.whole(cut) {
            Some(other) => other == (ids, finish),
            // Beyond a stop string a node may write on until it hears of it; beyond an end it may not.
            None => ids.starts_with(&branch.ids) || (cut.is_some() && branch.ids.starts_with(ids)),
        };
        let undisputed = self.branches.iter().filter(|branch| branch.is_live()).all(agrees);
        let nodes_agreed = u32::try_from(nodes).unwrap_or(u32::MAX);
        (nodes >= OWNERS_TO_AGREE && undisputed).then_some(Agreement { ids, finish, nodes_agreed })
    }

    /// How long the others get once two complete answers agree.
    pub(super) fn straggler_deadline(&self) -> Instant {
        let now = Instant::now();
        let longest = self.branches.iter().map(Branch::elapsed_ms).max().unwrap_or(0);
        let half = Duration::from_millis(longest.unsigned_abs() / 2);
        let wait = half.max(Duration::from_millis(self.app.config.serving.straggler_ms));
        self.deadline.min(now + wait)
    }
}

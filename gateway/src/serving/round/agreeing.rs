//! What the nodes of a round agree on so far: released token by token, and whole in the end.

use std::time::{Duration, Instant};

use assay_protocol::{Finish, TokenId, ToldToken};
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
    /// Releases what two owners agree on, or what a proven node says that was asked alone; up to where the answers
    /// split, while the model is asked about that.
    pub(super) fn release_agreed(&mut self, answer: &mut Answer<'_>) {
        let agreed = if self.wanted == 1 { self.said_alone(answer) } else { self.agreed(answer) };
        let Some(agreed) = agreed else { return };
        let end = self.split_at.map_or(agreed.len(), |at| at.min(agreed.len()));
        let agreed = agreed[..end].to_vec();
        self.release(&agreed, answer);
    }

    /// Releases these ids as far as they go on from what was released, and tells everybody where a stop string ended
    /// the answer. An end token waits for the verdict: a pair that forges the end must not close the answer for
    /// those who go on. So does the last token that fits: whoever steps in has something left to say.
    pub(super) fn release(&mut self, ids: &[TokenId], answer: &mut Answer<'_>) {
        if answer.stopped_at().is_some() || !ids.starts_with(answer.ids()) {
            return;
        }
        let is_end = |id: &TokenId| self.job.model.text.is_end(*id);
        let end = ids.iter().position(is_end).unwrap_or(ids.len());
        let end = end.min(self.job.max_tokens as usize - 1);
        let released = answer.ids().len();
        let told: Vec<ToldToken> = match self.job.sampling.top_logprobs {
            None => Vec::new(),
            Some(_) => (released..end).map_while(|at| self.vouched_at(ids, at)).collect(),
        };
        // What is told of a token goes out with it, and is vouched for as the token is.
        let end = match self.job.sampling.top_logprobs {
            None => end,
            Some(_) => released + told.len(),
        };
        if end > released {
            answer.advance(&ids[..end], told);
        }
        if answer.stopped_at().is_some() {
            for branch in self.branches.iter().filter(|branch| branch.stage == Stage::Writing) {
                let _ = branch.handle.finish(self.job.id, answer.tokens());
            }
        }
    }

    /// What is told of the tokens of an answer, as far as somebody vouches for it; nothing where the job asks for nothing.
    pub(in crate::serving) fn told_of(&self, ids: &[TokenId]) -> Vec<Option<ToldToken>> {
        let asked = self.job.sampling.top_logprobs.map_or(0, |_| ids.len());
        (0..asked).map(|at| self.vouched_at(ids, at)).collect()
    }

    /// What the model tells of the token at this position, or two owners alike, or a proven node that was asked alone.
    fn vouched_at(&self, ids: &[TokenId], position: usize) -> Option<ToldToken> {
        let beginning = &ids[..=position];
        let mut scored = self.found.iter().filter(|score| score.ids.starts_with(beginning));
        let scored = scored.find_map(|score| {
            let logprobs = score.logprobs.get(position)?.clone();
            Some(ToldToken { logit: score.positions.get(position)?.logit, logprobs })
        });
        if scored.is_some() {
            return scored;
        }
        let says = |branch: &&Branch| branch.has_say() && branch.ids.starts_with(beginning);
        let branches = self.branches.iter().filter(says);
        let told: Vec<(OwnerId, ToldToken)> = branches
            .filter(|branch| self.wanted > 1 || branch.trust.proven)
            .filter_map(|branch| Some((OwnerId(branch.owner.0), branch.told_at(position)?)))
            .collect();
        match (self.wanted, &told[..]) {
            (1, [(_, alone)]) => Some(alone.clone()),
            _ => assay_verifier::agreed_told(&told, &self.rules).cloned(),
        }
    }

    /// What two owners agree on. When a proven node is in the set, it is one of them.
    fn agreed(&self, answer: &Answer<'_>) -> Option<&[TokenId]> {
        let heard = self.branches.iter().filter(|branch| branch.has_say());
        let branches: Vec<(OwnerId, &[TokenId])> =
            heard.map(|branch| (OwnerId(branch.owner.0), &branch.ids[..])).collect();
        let agreed = assay_verifier::agreed_prefix(&branches, answer.ids())?;
        let proven = self.branches.iter().filter(|branch| branch.counts() && branch.trust.proven);
        let vouched = proven.map(|branch| common(agreed, &branch.ids)).max();
        Some(&agreed[..vouched.unwrap_or(agreed.len())])
    }

    /// What the one proven node says that was asked.
    fn said_alone(&self, answer: &Answer<'_>) -> Option<&[TokenId]> {
        let speaks = |branch: &&Branch| {
            branch.counts() && branch.trust.proven && branch.ids.starts_with(answer.ids())
        };
        self.branches.iter().find(speaks).map(|branch| &branch.ids[..])
    }

    /// An answer that at least two owners gave whole, a proven one among them if there is any, while nobody says
    /// otherwise.
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
        let live = || self.branches.iter().filter(|branch| branch.is_live());
        let mut proven = live().filter(|branch| branch.trust.proven).peekable();
        let vouched = proven.peek().is_none() || proven.any(|branch| branch.whole(cut).is_some());
        let agreed = nodes >= OWNERS_TO_AGREE && vouched && live().all(agrees);
        let nodes_agreed = u32::try_from(nodes).unwrap_or(u32::MAX);
        agreed.then_some(Agreement { ids, finish, nodes_agreed })
    }

    /// Whether two owners gave the same whole answer, a proven one among them if there is any: whoever is not done by
    /// then gets no more time than [`Round::straggler_deadline`], whatever it writes.
    pub(in crate::serving) fn is_decidable(&self, answer: &Answer<'_>) -> bool {
        let cut = answer.stopped_at();
        let mut live = self.branches.iter().filter(|branch| branch.is_live());
        let mut proven = live.clone().filter(|branch| branch.trust.proven).peekable();
        let vouched = proven.peek().is_none() || proven.any(|branch| branch.whole(cut).is_some());
        vouched && live.any(|branch| self.is_shared(branch, cut))
    }

    /// Whether another node gave the same whole answer.
    pub(super) fn is_shared(&self, branch: &Branch, cut: Option<usize>) -> bool {
        let Some(whole) = branch.whole(cut) else { return false };
        let equal = |other: &&Branch| other.is_live() && other.whole(cut) == Some(whole);
        self.branches.iter().filter(equal).count() >= OWNERS_TO_AGREE
    }

    /// How long the others get once two complete answers agree.
    pub(in crate::serving) fn straggler_deadline(&self) -> Instant {
        let now = Instant::now();
        let longest = self.branches.iter().map(Branch::elapsed_ms).max().unwrap_or(0);
        let half = Duration::from_millis(longest.unsigned_abs() / 2);
        let wait = half.max(Duration::from_millis(self.app.config.serving.straggler_ms));
        self.deadline.min(now + wait)
    }
}

/// How long the common beginning is.
pub(super) fn common(a: &[TokenId], b: &[TokenId]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

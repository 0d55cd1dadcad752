//! Asking the model about a part of an answer while the rest of it is being written.
//!
//! What one scorer refutes is shown to another one before it ends a stream or costs a proven node its job, as long as
//! there is another one. If that one confirms it, what the first said counts for nothing.

use std::{
    fmt,
    pin::Pin,
    time::{Duration, Instant},
};

use assay_protocol::{NodeId, TokenId};
use tracing::error;

use super::{super::answer::Answer, Round};
use crate::verification::scorer::{self, Score, Until};

/// After all scorers were busy.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A question that is out. One at a time: the next split comes after this one.
pub(super) struct Inquiry<'a> {
    /// What a first scorer refuted, when this is a second one's turn.
    again: Option<Vec<TokenId>>,
    reply: Pin<Box<dyn Future<Output = Option<Score>> + Send + 'a>>,
}

impl Inquiry<'_> {
    /// What the model says; for ever nothing when nobody was asked.
    pub(super) async fn reply(inquiry: &mut Option<Self>) -> Option<Score> {
        match inquiry {
            Some(Self { reply, .. }) => reply.await,
            None => std::future::pending().await,
        }
    }
}

impl fmt::Debug for Inquiry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inquiry")
    }
}

impl Round<'_> {
    /// Whether the model can be asked about the answer while it is written.
    pub(super) fn may_inquire(&self, answer: &Answer<'_>) -> bool {
        !self.unheard
            && !answer.is_done()
            && answer.stopped_at().is_none()
            && scorer::is_another_available(self.app, self.job.question(), &self.overruled())
    }

    /// Has a scorer run the model over these output ids, one that was not overruled before. One that is merely busy is
    /// waited for as long as the job has time: what is split stays unsaid until then.
    pub(super) fn inquire(&mut self, ids: Vec<TokenId>) {
        let (app, job, deadline) = (self.app, self.job, self.deadline);
        let wait = Duration::from_millis(app.config.serving.scorer_wait_ms);
        let except = self.overruled();
        let reply = async move {
            loop {
                let until = Until { found: deadline.min(Instant::now() + wait), heard: deadline };
                let score = scorer::score(app, job.question(), &ids, until, &except).await;
                let is_hopeless = || {
                    let is_over = app.shutdown.is_cancelled() || until.found == deadline;
                    is_over || !scorer::is_another_available(app, job.question(), &except)
                };
                if score.is_some() || is_hopeless() {
                    return score;
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        };
        self.inquiry = Some(Inquiry { again: None, reply: Box::pin(reply) });
    }

    /// Shows what one scorer refuted to another one, if much depends on it and another one is there. False when what the
    /// first said has to do.
    pub(super) fn inquire_again(&mut self, refuted: &[TokenId], answer: &Answer<'_>) -> bool {
        let looked = self.looked_at(refuted);
        let (app, job) = (self.app, self.job);
        let except = [&looked[..], &self.overruled()].concat();
        if self.unheard_again
            || looked.len() != 1
            || !self.is_grave(refuted, answer)
            || !scorer::is_another_available(app, job.question(), &except)
        {
            return false;
        }
        let wait = Duration::from_millis(app.config.serving.scorer_wait_ms);
        let until = self.deadline.min(Instant::now() + wait);
        let ids = refuted.to_vec();
        let reply =
            async move { scorer::score(app, job.question(), &ids, until.into(), &except).await };
        self.inquiry = Some(Inquiry { again: Some(refuted.to_vec()), reply: Box::pin(reply) });
        true
    }

    /// Whether nobody could go on, or a proven node would lose the job.
    fn is_grave(&self, refuted: &[TokenId], answer: &Answer<'_>) -> bool {
        let mut proven = self.branches.iter().filter(|branch| branch.trust.proven);
        answer.ids().starts_with(refuted) || proven.any(|branch| branch.ids.starts_with(refuted))
    }

    /// The scorers that were asked about these ids, or more.
    fn looked_at(&self, ids: &[TokenId]) -> Vec<NodeId> {
        let about = self.found.iter().filter(|score| score.ids.starts_with(ids));
        let mut scorers: Vec<NodeId> = about.map(|score| score.scorer).collect();
        scorers.sort_unstable();
        scorers.dedup();
        scorers
    }

    /// The scorers that another one contradicted: they are not asked again in this round.
    pub(super) fn overruled(&self) -> Vec<NodeId> {
        let overruled = self.found.iter().filter(|score| self.is_overruled(score));
        overruled.map(|score| score.scorer).collect()
    }

    /// Takes what the model said. From tokens that it contradicts nobody goes on, and if the client has read them,
    /// the round is over.
    pub(super) fn hear_model(&mut self, reply: Option<Score>, answer: &mut Answer<'_>) {
        let again = self.inquiry.take().and_then(|inquiry| inquiry.again);
        let about = match (reply, again) {
            (Some(score), again) => {
                let about = score.ids.clone();
                self.found.push(score);
                if again.is_some() {
                    self.tell_dispute(&about);
                }
                about
            }
            (None, Some(refuted)) => {
                self.unheard_again = true;
                refuted
            }
            (None, None) => {
                // As without a scorer: the verdict at the end may find one again.
                self.unheard = true;
                return;
            }
        };
        self.refute_shared(&about, answer);
    }

    /// Raises the alarm if a second scorer confirmed what a first one refuted.
    fn tell_dispute(&self, about: &[TokenId]) {
        let mut first = self.found.iter().filter(|score| score.ids.starts_with(about));
        if let Some(doubted) = first.find(|score| self.is_overruled(score)) {
            error!(
                job = %self.job.id, scorer = %doubted.scorer,
                "scorers contradict each other in the middle of an answer; nobody is called off"
            );
            self.app.disputes.add_one();
        }
    }

    /// Refutes what all share of these ids, if the model contradicts it. Whoever is asked about a claim learns of it when
    /// the split is settled.
    fn refute_shared(&mut self, about: &[TokenId], answer: &mut Answer<'_>) {
        // A second scorer is asked about the beginning only that the first one refuted.
        let asked = self.found.iter().map(|score| &score.ids).filter(|ids| ids.starts_with(about));
        let Some(asked) = asked.map(Vec::len).max() else { return };
        let shared = asked.saturating_sub(1).max(answer.ids().len());
        let said = self.found.iter().filter(|score| score.ids.starts_with(about));
        let mut said = said.filter(|score| !self.is_overruled(score));
        let faulty = |score: &Score| {
            let at = self.fault(score).filter(|at| *at < shared)?;
            Some(score.ids[..=at].to_vec())
        };
        let Some(refuted) = said.find_map(faulty) else { return };
        if !self.inquire_again(&refuted, answer) {
            self.refute(&refuted, answer);
        }
    }

    /// The first position at which the model contradicts what it was asked about.
    fn fault(&self, score: &Score) -> Option<usize> {
        let limit = self.rules.tau_gap;
        score.positions.iter().position(|position| position.margin > limit)
    }

    /// Whether another scorer confirms what this one contradicts.
    pub(super) fn is_overruled(&self, score: &Score) -> bool {
        let Some(at) = self.fault(score) else { return false };
        let confirms = |other: &Score| {
            other.ids.starts_with(&score.ids[..=at]) && self.fault(other).is_none_or(|it| it > at)
        };
        self.found.iter().any(confirms)
    }

    /// The model contradicts the last of these ids: whoever begins with them is out, and what was released of them
    /// cannot be mended.
    pub(super) fn refute(&mut self, ids: &[TokenId], answer: &mut Answer<'_>) {
        let job = self.job;
        for branch in self.branches.iter_mut().filter(|branch| branch.ids.starts_with(ids)) {
            branch.refute(ids.len() - 1, job.id);
        }
        if answer.ids().starts_with(ids) {
            answer.begin_round(job);
            if answer.ids().starts_with(ids) {
                self.contradicted = Some(ids.to_vec());
            }
        }
    }
}

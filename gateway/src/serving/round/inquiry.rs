//! Asking the model about a part of an answer while the rest of it is being written.

use std::{
    fmt,
    pin::Pin,
    time::{Duration, Instant},
};

use assay_protocol::TokenId;

use super::{super::answer::Answer, Round};
use crate::verification::scorer::{self, Score};

/// After all scorers were busy.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A question that is out. One at a time: the next split comes after this one.
pub(super) struct Inquiry<'a>(Pin<Box<dyn Future<Output = Option<Score>> + Send + 'a>>);

impl Inquiry<'_> {
    /// What the model says; for ever nothing when nobody was asked.
    pub(super) async fn reply(inquiry: &mut Option<Self>) -> Option<Score> {
        match inquiry {
            Some(Self(reply)) => reply.await,
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
            && scorer::is_available(self.app, self.job.question())
    }

    /// Has a scorer run the model over these output ids. One that is merely busy is waited for as long as the job has
    /// time: what is split stays unsaid until then.
    pub(super) fn inquire(&mut self, ids: Vec<TokenId>) {
        let (app, job, deadline) = (self.app, self.job, self.deadline);
        let wait = Duration::from_millis(app.config.serving.scorer_wait_ms);
        let reply = async move {
            loop {
                let until = deadline.min(Instant::now() + wait);
                let score = scorer::score(app, job.question(), &ids, until).await;
                let is_hopeless = || {
                    let is_over = app.shutdown.is_cancelled() || until == deadline;
                    is_over || !scorer::is_available(app, job.question())
                };
                if score.is_some() || is_hopeless() {
                    return score;
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        };
        self.inquiry = Some(Inquiry(Box::pin(reply)));
    }

    /// Takes what the model said. From tokens that it contradicts nobody goes on, and if the client has read them,
    /// the round is over.
    pub(super) fn hear_model(&mut self, reply: Option<Score>, answer: &mut Answer<'_>) {
        self.inquiry = None;
        let Some(score) = reply else {
            // As without a scorer: the verdict at the end may find one again.
            self.unheard = true;
            return;
        };
        let limit = self.rules.tau_gap;
        let margins = score.positions.iter().map(|position| position.margin);
        // Whoever is asked about a claim learns of it when the split is settled; here it is what all share.
        let shared = score.ids.len().saturating_sub(1).max(answer.ids().len());
        let fault = margins.take(shared).position(|margin| margin > limit);
        let ids = score.ids.clone();
        self.found.push(score);
        if let Some(at) = fault {
            self.refute(&ids[..=at], answer);
        }
    }

    /// The model contradicts the last of these ids: whoever begins with them is out, and what was released of them
    /// cannot be mended.
    pub(super) fn refute(&mut self, ids: &[TokenId], answer: &mut Answer<'_>) {
        let job = self.job;
        for branch in &mut self.branches {
            if branch.ids.starts_with(ids) && !branch.is_violator() {
                branch.refute(ids.len() - 1, job.id);
            }
        }
        if answer.ids().starts_with(ids) {
            answer.begin_round(job);
            self.over |= answer.ids().starts_with(ids);
        }
    }
}

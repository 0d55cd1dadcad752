//! What happens to a round: news of its nodes, the model's word, time that is over.

use std::time::{Duration, Instant};

use assay_protocol::{CancelReason, FailCode, Outcome, limits};
use tokio::time::{sleep_until, timeout_at};

use super::{
    super::{
        answer::Answer,
        branch::{Branch, Stage},
        delivery::ServeError,
    },
    Round,
    inquiry::Inquiry,
};
use crate::{
    nodes::{JobNews, LostReason, NodeNews},
    verification::scorer::Score,
};

/// After a client left, its nodes get this long to sign what they had written.
const LEFT_WAIT: Duration = Duration::from_millis(limits::CANCEL_MS_MAX + 500);

/// What a round waits for.
pub(in crate::serving) enum Event {
    News(Option<NodeNews>),
    /// The model's word, if a scorer gave it.
    Model(Option<Score>),
    Deadline,
    ClientLeft,
    Shutdown,
}

impl Round<'_> {
    pub(in crate::serving) async fn event(&mut self, answer: &Answer<'_>) -> Event {
        let writing = self.count(|stage| *stage == Stage::Writing) > 0;
        let next = self
            .branches
            .iter()
            .filter_map(|branch| branch.deadline(&self.waits))
            .chain(self.stragglers_until.filter(|_| writing && self.split_at.is_none()))
            .chain(self.look_again())
            .chain([self.deadline])
            .min()
            .unwrap_or(self.deadline);
        tokio::select! {
            news = self.news.recv() => Event::News(news),
            reply = Inquiry::reply(&mut self.inquiry) => Event::Model(reply),
            () = sleep_until(next.into()) => Event::Deadline,
            () = answer.client_left() => Event::ClientLeft,
            () = self.app.shutdown.cancelled() => Event::Shutdown,
        }
    }

    pub(in crate::serving) fn take(&mut self, news: Option<NodeNews>) {
        let Some(NodeNews { node, news, .. }) = news else { return };
        let Some(index) = self.branches.iter().position(|branch| branch.node() == node) else {
            return;
        };
        let branch = &mut self.branches[index];
        let now = Instant::now();
        match (&branch.stage, news) {
            (Stage::Offered, JobNews::Accepted) => branch.stage = Stage::Accepted,
            // Nothing was handed over, so nothing is held against the node.
            (Stage::Offered, _) | (Stage::Accepted, JobNews::Lost(_) | JobNews::Failed(_)) => {
                let branch = self.branches.remove(index);
                // News of an earlier session may be late, and it has an offer in the next one.
                let _ = branch.handle.withdraw(self.job.id);
            }
            (Stage::Writing, JobNews::Tokens { ids, logits, logprobs }) => {
                branch.tokens(&ids, &logits, logprobs, now);
            }
            (Stage::Writing, JobNews::Complete { finish, count }) => {
                branch.complete(finish, count, now);
            }
            (Stage::Writing, JobNews::Embedded(vectors)) => branch.embedded(vectors, now),
            (Stage::Writing, JobNews::Lost(lost)) => {
                let outcome = match lost {
                    LostReason::Violation(_) => Outcome::Violation,
                    LostReason::Shutdown => Outcome::Cancelled,
                    _ => Outcome::Left,
                };
                branch.lose(outcome, lost.to_string());
            }
            // A client's grammar may be too much for anybody: that is no node's fault.
            (Stage::Writing, JobNews::Failed(FailCode::Grammar))
                if self.job.sampling.grammar.is_some() =>
            {
                branch.lose(Outcome::Cancelled, "the answer's grammar became too expensive");
            }
            (Stage::Writing, JobNews::Failed(code)) => {
                branch.lose(Outcome::Left, format!("the node gave up: {code:?}"));
            }
            _ => {}
        }
    }

    /// Lets go of everybody whose time is over. At the job's own end, whole answers that agree are judged all the same.
    pub(in crate::serving) fn expire(&mut self, answer: &Answer<'_>) -> Result<(), ServeError> {
        let now = Instant::now();
        let is_last = now >= self.deadline;
        let cut = answer.stopped_at();
        if is_last && !self.branches.iter().any(|branch| self.is_shared(branch, cut)) {
            return Err(self.abandon(ServeError::Timeout));
        }
        let waits = self.waits;
        let late = |branch: &Branch| branch.deadline(&waits).is_some_and(|at| at <= now);
        self.branches.retain(|branch| {
            let silent = branch.stage == Stage::Offered && late(branch);
            if silent {
                let _ = branch.handle.withdraw(self.job.id);
                self.app.nodes.rest(branch.node());
            }
            !silent
        });
        for branch in self.branches.iter_mut().filter(|branch| branch.stage == Stage::Writing) {
            if late(branch) {
                let _ = branch.handle.cancel(self.job.id, CancelReason::TooSlow);
                branch.lose(Outcome::Left, "nothing came for too long");
            }
        }
        // A split that the model is being asked about is worth the wait: the late one may be the honest one.
        let is_late = self.stragglers_until.is_some_and(|until| until <= now);
        if is_last || (is_late && self.split_at.is_none()) {
            self.drop_stragglers(answer);
        }
        Ok(())
    }

    /// Waits for the signatures of nodes that were called off.
    pub(super) async fn hear_last_words(&mut self) {
        let until = tokio::time::Instant::now() + LEFT_WAIT;
        while self.count(|stage| *stage == Stage::Writing) > 0 {
            match timeout_at(until, self.news.recv()).await {
                Ok(news) => self.take(news),
                Err(_) => break,
            }
        }
        for branch in self.branches.iter_mut().filter(|branch| branch.stage == Stage::Writing) {
            branch.lose(Outcome::Left, "did not stop within a second of being called off");
        }
    }
}

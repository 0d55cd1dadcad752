//! One round of a job: a set of nodes is asked, writes, and is heard until every one of them is
//! complete or lost. What two owners agree on is released on the way.

mod placing;

mod agreeing;
mod inquiry;
mod replacing;
mod splitting;

use std::time::{Duration, Instant};

use assay_ledger::AccountId;
use assay_protocol::{CancelReason, Outcome, limits};
use assay_verifier::Rules;
use tokio::{
    sync::mpsc,
    time::{sleep_until, timeout_at},
};

use super::{
    answer::Answer,
    branch::{Branch, Stage, Waits},
    checkpoint,
    delivery::ServeError,
    job::Job,
};
use crate::{
    app::App,
    nodes::{
        JobNews, LostReason, NodeNews,
        handle::{NewsDesk, news_desk},
    },
    verification::{audits, judgement::Case, scorer::Score},
};
use inquiry::Inquiry;

pub(super) use agreeing::{Agreement, OWNERS_TO_AGREE};
pub(super) use placing::Placed;

/// After a client left, its nodes get this long to sign what they had written.
const LEFT_WAIT: Duration = Duration::from_millis(limits::CANCEL_MS_MAX + 500);

/// A round in progress.
#[derive(Debug)]
pub(super) struct Round<'a> {
    app: &'a App,
    pub(super) job: &'a Job,
    pub(super) number: u8,
    pub(super) branches: Vec<Branch>,
    /// Nodes that the policy wants for this set.
    pub(super) wanted: usize,
    /// Nodes that got the work in the first place; those that stepped in later do not count.
    pub(super) asked: u32,
    /// Whether one node was there instead of a set, and it is not proven.
    stranger_alone: bool,
    /// Owners who must not be asked (again).
    owners_taken: Vec<AccountId>,
    /// Owners whose nodes would be asked if they were not busy, when last looked.
    busy_owners: usize,
    /// How long busy nodes are waited for.
    place_until: Instant,
    /// When the others have had time enough, once two complete answers agree.
    stragglers_until: Option<Instant>,
    /// Whether the model is asked although two agree; drawn once, when they do.
    audited: Option<bool>,
    rules: Rules,
    /// What the model is asked while nodes write, and what it said.
    inquiry: Option<Inquiry<'a>>,
    found: Vec<Score>,
    /// No scorer answered: the answers go on as if none were there.
    unheard: bool,
    /// Where the answers part, while the model is asked about that.
    split_at: Option<usize>,
    /// The model contradicts what the client has read.
    over: bool,
    /// Since when nobody is left to go on, and how long somebody new is waited for.
    lost_since: Option<Instant>,
    waits_until: Option<Instant>,
    deadline: Instant,
    waits: Waits,
    desk: NewsDesk,
    news: mpsc::Receiver<NodeNews>,
}

/// How the writing ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Everybody is complete or lost.
    Whole,
    /// The client let go first.
    ClientLeft,
}

enum Event {
    News(Option<NodeNews>),
    /// The model's word, if a scorer gave it.
    Model(Option<Score>),
    Deadline,
    ClientLeft,
    Shutdown,
}

impl<'a> Round<'a> {
    /// `owners_taken`: all owners of earlier rounds.
    pub(super) fn new(
        app: &'a App,
        job: &'a Job,
        number: u8,
        owners_taken: Vec<AccountId>,
        deadline: Instant,
    ) -> Self {
        let (desk, news) = news_desk();
        let settings = &app.config.serving;
        let waits = Waits {
            offer: Duration::from_millis(limits::OFFER_MS_MAX),
            first_token: Duration::from_millis(settings.first_token_ms),
            stall: Duration::from_millis(settings.stall_ms),
        };
        Self {
            app,
            job,
            number,
            branches: Vec::new(),
            wanted: job.policy.nodes,
            asked: 0,
            stranger_alone: false,
            owners_taken,
            busy_owners: 0,
            place_until: deadline,
            stragglers_until: None,
            audited: None,
            rules: job.rules(),
            inquiry: None,
            found: Vec::new(),
            unheard: false,
            split_at: None,
            over: false,
            lost_since: None,
            waits_until: None,
            deadline,
            waits,
            desk,
            news,
        }
    }

    /// Hears the nodes out. Where they part, the model is asked and the honest ones go on; who is lost is replaced from
    /// the verified prefix. `agreed` is called once, when two complete answers agree and nobody differs.
    pub(super) async fn write(
        &mut self,
        answer: &mut Answer<'_>,
        mut agreed: impl FnMut(&Self, &mut Answer<'_>),
    ) -> Result<Written, ServeError> {
        loop {
            self.settle_splits(answer);
            self.release_agreed(answer);
            checkpoint::note(self.app, self, answer);
            if self.stragglers_until.is_none() && self.agreement(answer).is_some() {
                self.stragglers_until = Some(self.straggler_deadline());
                let case = self.case(answer, Written::Whole);
                let audited = audits::draw(self.app, &case).await;
                self.audited = Some(audited);
                agreed(self, answer);
            }
            self.replace_lost(answer)?;
            self.start_accepted(answer);
            if self.over {
                self.drop_writers("the job ended before its answer could be judged");
            }
            if !self.is_busy() {
                return Ok(Written::Whole);
            }
            match self.event(answer).await {
                Event::News(news) => self.take(news),
                Event::Model(reply) => self.hear_model(reply, answer),
                Event::Deadline => self.expire()?,
                Event::ClientLeft => {
                    self.call_off(CancelReason::ClientLeft);
                    self.hear_last_words().await;
                    return Ok(Written::ClientLeft);
                }
                Event::Shutdown if self.stragglers_until.is_some() => self.drop_stragglers(),
                Event::Shutdown => return Err(self.abandon(ServeError::ShuttingDown)),
            }
        }
    }

    /// What is to be judged once the writing ended. When the client left, what was released by then
    /// is the answer.
    pub(super) fn case<'c>(&'c self, answer: &'c Answer<'_>, written: Written) -> Case<'c> {
        let left = written == Written::ClientLeft;
        Case {
            question: self.job.question(),
            account: self.job.account,
            quote: &self.job.quote,
            rules: self.rules.clone(),
            risk: self.job.risk,
            round: self.number,
            asked: self.asked,
            owners_wanted: u32::try_from(self.wanted).unwrap_or(u32::MAX),
            alone: self.wanted == 1,
            score_always: self.job.policy.score_always,
            branches: &self.branches,
            found: &self.found,
            cut: if left { Some(answer.ids().len()) } else { answer.stopped_at() },
            released: answer.sent(),
            audited: self.audited,
            deadline: self.deadline,
        }
    }

    /// Whether the model is asked although two agree, as far as that is drawn.
    pub(super) fn is_audited(&self) -> bool {
        self.audited.unwrap_or(false)
    }

    /// Whether fewer owners were there than the policy wants, so that agreement alone does not do.
    pub(super) fn is_short(&self) -> bool {
        (self.asked as usize) < self.wanted
    }

    /// Whether the model spoke against somebody: then it is asked about the whole answer before that ends.
    pub(super) fn is_disputed(&self) -> bool {
        self.branches.iter().any(|branch| matches!(branch.stage, Stage::Refuted { .. }))
    }

    /// Measures how fast and how dependable everybody was.
    pub(super) fn observe(&self, app: &App) {
        for branch in &self.branches {
            let finished = match &branch.stage {
                Stage::Complete(_) => true,
                Stage::Lost(Outcome::Left | Outcome::Violation, _) => false,
                _ => continue,
            };
            app.nodes.observe_finished(branch.node(), finished);
            if let Some((first_token_ms, ms_per_token)) = branch.speed() {
                app.nodes.observe_speed(branch.node(), first_token_ms, ms_per_token);
            }
        }
    }

    /// All owners that this job has asked so far.
    pub(super) fn into_owners_taken(self) -> Vec<AccountId> {
        self.owners_taken
    }

    fn take(&mut self, news: Option<NodeNews>) {
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
                self.branches.remove(index);
            }
            (Stage::Writing, JobNews::Tokens { ids, logits }) => {
                branch.tokens(&ids, &logits, now);
            }
            (Stage::Writing, JobNews::Complete { finish, count }) => {
                branch.complete(finish, count, now);
            }
            (Stage::Writing, JobNews::Lost(lost)) => {
                let outcome = match lost {
                    LostReason::Violation(_) => Outcome::Violation,
                    LostReason::Shutdown => Outcome::Cancelled,
                    _ => Outcome::Left,
                };
                branch.lose(outcome, lost.to_string());
            }
            (Stage::Writing, JobNews::Failed(code)) => {
                branch.lose(Outcome::Left, format!("the node gave up: {code:?}"));
            }
            _ => {}
        }
    }

    /// Lets go of everybody whose time is over.
    fn expire(&mut self) -> Result<(), ServeError> {
        let now = Instant::now();
        if now >= self.deadline && self.stragglers_until.is_none() {
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
                branch.lose(Outcome::Left, "no token came for too long");
            }
        }
        if self.stragglers_until.is_some_and(|until| until <= now) {
            self.drop_stragglers();
        }
        Ok(())
    }

    /// Goes on without those who are not done, now that two complete answers agree.
    fn drop_stragglers(&mut self) {
        self.drop_writers("two equal answers were complete long before");
    }

    /// Lets go of everybody who is not done.
    fn drop_writers(&mut self, reason: &str) {
        self.call_off(CancelReason::NotNeeded);
        for branch in self.branches.iter_mut().filter(|branch| branch.stage == Stage::Writing) {
            branch.lose(Outcome::Cancelled, reason);
        }
    }

    async fn event(&mut self, answer: &Answer<'_>) -> Event {
        let writing = self.count(|stage| *stage == Stage::Writing) > 0;
        let next = self
            .branches
            .iter()
            .filter_map(|branch| branch.deadline(&self.waits))
            .chain(self.stragglers_until.filter(|_| writing))
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

    /// Waits for the signatures of nodes that were called off.
    async fn hear_last_words(&mut self) {
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

    /// Calls everybody off who is still at work.
    fn call_off(&mut self, reason: CancelReason) {
        for branch in &self.branches {
            let _ = match branch.stage {
                Stage::Writing => branch.handle.cancel(self.job.id, reason),
                Stage::Offered | Stage::Accepted => branch.handle.withdraw(self.job.id),
                Stage::Complete(_) | Stage::Refuted { .. } | Stage::Lost(..) => Ok(()),
            };
        }
        self.branches.retain(|b| !matches!(b.stage, Stage::Offered | Stage::Accepted));
    }

    fn abandon(&mut self, error: ServeError) -> ServeError {
        let reason = match error {
            ServeError::ShuttingDown => CancelReason::Shutdown,
            ServeError::Timeout => CancelReason::TooSlow,
            _ => CancelReason::NotNeeded,
        };
        self.call_off(reason);
        error
    }

    /// Whether more can come. An open question about a split is not waited for when everybody is done: the verdict
    /// asks about whole answers.
    fn is_busy(&self) -> bool {
        let works =
            |stage: &Stage| matches!(stage, Stage::Offered | Stage::Accepted | Stage::Writing);
        let live = self.branches.iter().any(Branch::is_live);
        let asks = self.inquiry.is_some() && !live;
        !self.over && (self.count(works) > 0 || asks || self.waits_for_somebody())
    }

    fn count(&self, stage: impl Fn(&Stage) -> bool) -> usize {
        self.branches.iter().filter(|branch| stage(&branch.stage)).count()
    }
}

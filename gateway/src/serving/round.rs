//! One round of a job: a set of nodes is asked, writes, and is heard until every one of them is
//! complete or lost. What two owners agree on is released on the way.

mod placing;

mod hearing;

mod agreeing;
mod inquiry;
mod splitting;

mod letting_go;
mod replacing;

use std::time::{Duration, Instant};

use assay_protocol::{CancelReason, Outcome, TokenId, limits};
use assay_verifier::Rules;
use tokio::sync::mpsc;

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
        NodeNews,
        handle::{NewsDesk, news_desk},
    },
    scheduler::Party,
    verification::{audits, judgement::Case, scorer::Score},
};
use inquiry::Inquiry;

pub(super) use agreeing::{Agreement, OWNERS_TO_AGREE};
pub(super) use hearing::Event;
pub(super) use placing::Placed;

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
    /// Who must not be asked (again), nor anybody related to them: the client, and whoever was asked.
    taken: Vec<Party>,
    /// Owners whose nodes would be asked if they were not busy, when last looked.
    busy_owners: usize,
    /// How long busy nodes are waited for.
    place_until: Instant,
    /// When the others have had time enough, once two complete answers agree.
    pub(super) stragglers_until: Option<Instant>,
    /// Whether the model is asked although two agree; drawn once, when they do.
    audited: Option<bool>,
    /// Somebody differed and was let go: the model is asked, whatever the draw says.
    must_audit: bool,
    rules: Rules,
    /// What the model is asked while nodes write, and what it said.
    inquiry: Option<Inquiry<'a>>,
    found: Vec<Score>,
    /// No scorer answered: the answers go on as if none were there.
    unheard: bool,
    /// No second scorer answered: what one says has to do.
    unheard_again: bool,
    /// Where the answers part, while the model is asked about that.
    split_at: Option<usize>,
    /// What the client has read, as far as the model contradicts it: the round is over.
    contradicted: Option<Vec<TokenId>>,
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

impl<'a> Round<'a> {
    /// `taken`: the client, and all who were asked in earlier rounds.
    pub(super) fn new(
        app: &'a App,
        job: &'a Job,
        number: u8,
        taken: Vec<Party>,
        deadline: Instant,
    ) -> Self {
        let (desk, news) = news_desk();
        let settings = &app.config.serving;
        let waits = Waits {
            offer: Duration::from_millis(limits::OFFER_MS_MAX),
            first_token: Duration::from_millis(settings.first_token_ms + job.reading_ms()),
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
            taken,
            busy_owners: 0,
            place_until: deadline,
            stragglers_until: None,
            audited: None,
            must_audit: false,
            rules: job.rules(),
            inquiry: None,
            found: Vec::new(),
            unheard: false,
            unheard_again: false,
            split_at: None,
            contradicted: None,
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
            if self.stragglers_until.is_none() && self.is_decidable(answer) {
                self.stragglers_until = Some(self.straggler_deadline());
            }
            if self.audited.is_none() && self.agreement(answer).is_some() {
                let case = self.case(answer, Written::Whole);
                let audited = audits::draw(self.app, &case).await;
                self.audited = Some(audited);
                agreed(self, answer);
            }
            self.replace_lost(answer)?;
            self.start_accepted(answer);
            if self.is_over() {
                self.drop_writers("the job ended before its answer could be judged");
            }
            if !self.is_busy() {
                // Nobody hears the reply any more; the scorer is free for the verdict.
                self.inquiry = None;
                return Ok(Written::Whole);
            }
            match self.event(answer).await {
                Event::News(news) => self.take(news),
                Event::Model(reply) => self.hear_model(reply, answer),
                Event::Deadline => self.expire(answer)?,
                Event::ClientLeft => {
                    self.call_off(CancelReason::ClientLeft);
                    self.hear_last_words().await;
                    return Ok(Written::ClientLeft);
                }
                Event::Shutdown if self.stragglers_until.is_some() => self.drop_stragglers(answer),
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
            answered: answer.ids(),
            audited: self.audited,
            must_audit: self.must_audit,
            overruled: self.overruled(),
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

    /// Whether the model contradicts what the client has read.
    fn is_over(&self) -> bool {
        self.contradicted.is_some()
    }

    /// Whether no fresh nodes can go on from what the client has read: the model contradicts it, and none of these
    /// answers, which some scorer confirms, begins with it.
    pub(super) fn is_beyond_repair(&self, disputed: &[Vec<TokenId>]) -> bool {
        let stands = |read: &Vec<TokenId>| disputed.iter().any(|ids| ids.starts_with(read));
        self.contradicted.as_ref().is_some_and(|read| !stands(read))
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
    pub(super) fn into_taken(self) -> Vec<Party> {
        self.taken
    }

    /// Whether more can come. An open question about a split is not waited for when everybody is done: the verdict
    /// asks about whole answers.
    fn is_busy(&self) -> bool {
        let works =
            |stage: &Stage| matches!(stage, Stage::Offered | Stage::Accepted | Stage::Writing);
        let live = self.branches.iter().any(Branch::is_live);
        let asks = self.inquiry.is_some() && !live;
        !self.is_over() && (self.count(works) > 0 || asks || self.waits_for_somebody())
    }

    fn count(&self, stage: impl Fn(&Stage) -> bool) -> usize {
        self.branches.iter().filter(|branch| stage(&branch.stage)).count()
    }
}

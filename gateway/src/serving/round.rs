//! One round of a job: a set of nodes is asked, writes, and is heard until every one of them is
//! complete or lost. What two owners agree on is released on the way.

use std::time::{Duration, Instant};

use assay_ledger::AccountId;
use assay_protocol::{
    CancelReason, Finish, GenerateStart, JobKind, JobOffer, Outcome, Start, TokenId, limits,
};
use assay_verifier::OwnerId;
use tokio::{
    sync::mpsc,
    time::{sleep_until, timeout_at},
};

use super::{
    answer::Answer,
    branch::{Branch, Stage, Waits},
    delivery::ServeError,
    job::Job,
};
use crate::{
    app::App,
    nodes::{
        JobNews, LostReason, NodeNews,
        conduct::ModelFacts,
        handle::{NewsDesk, news_desk},
    },
    scheduler::{Wanted, choose},
    verification::{candidates::candidates, judgement::Case},
};

/// What two owners need to agree.
pub(super) const OWNERS_TO_AGREE: usize = 2;
/// After a client left, its nodes get this long to sign what they had written.
const LEFT_WAIT: Duration = Duration::from_millis(limits::CANCEL_MS_MAX + 200);

/// How often a job looks whether a busy node is free.
const BUSY_LOOK: Duration = Duration::from_millis(20);

/// A round in progress.
#[derive(Debug)]
pub(super) struct Round<'a> {
    app: &'a App,
    pub(super) job: &'a Job,
    pub(super) number: u8,
    pub(super) branches: Vec<Branch>,
    /// Nodes that got the work in the first place; those that stepped in later do not count.
    pub(super) asked: u32,
    /// Owners who must not be asked (again).
    owners_taken: Vec<AccountId>,
    /// Owners whose nodes would be asked if they were not busy, when last looked.
    busy_owners: usize,
    /// How long busy nodes are waited for.
    place_until: Instant,
    /// When the others have had time enough, once two complete answers agree.
    stragglers_until: Option<Instant>,
    deadline: Instant,
    waits: Waits,
    desk: NewsDesk,
    news: mpsc::Receiver<NodeNews>,
}

/// A whole answer that is undisputed so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Agreement<'a> {
    pub(super) ids: &'a [TokenId],
    pub(super) finish: Finish,
    pub(super) nodes_agreed: u32,
}

/// How the asking ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    Started,
    /// The client let go first.
    ClientLeft,
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
    Deadline,
    ClientLeft,
    Shutdown,
}

impl<'a> Round<'a> {
    /// `owners_taken`: the client's own account and all owners of earlier rounds.
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
            asked: 0,
            owners_taken,
            busy_owners: 0,
            place_until: deadline,
            stragglers_until: None,
            deadline,
            waits,
            desk,
            news,
        }
    }

    /// Asks nodes until the set is full, and starts them together: until then none of them knows the
    /// prompt or the seed. Jobs of one model take turns, so that two of them never wait for each
    /// other's nodes; a job waits for busy nodes, but not for ones that refuse.
    pub(super) async fn place(
        &mut self,
        answer: &Answer<'_>,
        nodes_min: usize,
    ) -> Result<Placed, ServeError> {
        let settings = &self.app.config.serving;
        self.place_until = Instant::now() + Duration::from_millis(settings.place_wait_ms);
        let job = self.job;
        let _turn = tokio::select! {
            turn = job.model.turn() => turn,
            () = sleep_until(self.place_until.into()) => return Err(ServeError::Overloaded),
            () = answer.client_left() => return Ok(Placed::ClientLeft),
        };
        loop {
            self.recruit(self.job.policy.nodes, answer.tokens());
            if self.is_placed() {
                break;
            }
            match self.event(answer).await {
                Event::News(news) => self.take(news),
                Event::Deadline => self.expire()?,
                Event::ClientLeft => {
                    self.call_off(CancelReason::ClientLeft);
                    return Ok(Placed::ClientLeft);
                }
                Event::Shutdown => return Err(self.abandon(ServeError::ShuttingDown)),
            }
        }
        let accepted = self.count(|stage| matches!(stage, Stage::Accepted));
        if accepted < nodes_min {
            let model = self.job.model.id().to_owned();
            return Err(self.abandon(match accepted {
                _ if self.busy_owners > 0 => ServeError::Overloaded,
                0 => ServeError::NoNodes { model },
                _ => ServeError::TooFewNodes { model },
            }));
        }
        self.asked = u32::try_from(accepted).unwrap_or(u32::MAX);
        self.start_accepted(answer);
        Ok(Placed::Started)
    }

    /// Nobody is still thinking, and nobody else can be waited for.
    fn is_placed(&self) -> bool {
        let accepted = self.count(|stage| matches!(stage, Stage::Accepted));
        let thinking = self.count(|stage| matches!(stage, Stage::Offered));
        let full = accepted >= self.job.policy.nodes;
        let waiting = self.busy_owners > 0 && Instant::now() < self.place_until;
        full || (thinking == 0 && !waiting)
    }

    /// Hears the nodes out. Replaces a lost one from the agreed prefix when too few are left to
    /// agree. `agreed` is called once, when two complete answers agree and nobody differs.
    pub(super) async fn write(
        &mut self,
        answer: &mut Answer<'_>,
        mut agreed: impl FnMut(&Self, &mut Answer<'_>),
    ) -> Result<Written, ServeError> {
        loop {
            self.release_agreed(answer);
            if self.stragglers_until.is_none() && self.agreement(answer).is_some() {
                self.stragglers_until = Some(self.straggler_deadline());
                agreed(self, answer);
            }
            if self.live() < OWNERS_TO_AGREE.min(self.job.policy.nodes) && self.asked > 1 {
                self.recruit(OWNERS_TO_AGREE, answer.tokens());
            }
            self.start_accepted(answer);
            if !self.is_busy() {
                return Ok(Written::Whole);
            }
            match self.event(answer).await {
                Event::News(news) => self.take(news),
                Event::Deadline => self.expire()?,
                Event::ClientLeft => {
                    self.call_off(CancelReason::ClientLeft);
                    self.hear_last_words().await;
                    return Ok(Written::ClientLeft);
                }
                Event::Shutdown => return Err(self.abandon(ServeError::ShuttingDown)),
            }
        }
    }

    /// An answer that at least two owners gave whole, while nobody says otherwise.
    pub(super) fn agreement(&self, answer: &Answer<'_>) -> Option<Agreement<'_>> {
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

    /// What is to be judged once the writing ended. When the client left, what was released by then
    /// is the answer.
    pub(super) fn case<'c>(&'c self, answer: &'c Answer<'_>, written: Written) -> Case<'c> {
        let left = written == Written::ClientLeft;
        Case {
            question: self.job.question(),
            rules: self.job.rules(self.app),
            round: self.number,
            asked: self.asked,
            owners_wanted: u32::try_from(self.job.policy.nodes).unwrap_or(u32::MAX),
            score_always: self.job.policy.score_always,
            branches: &self.branches,
            cut: if left { Some(answer.ids().len()) } else { answer.stopped_at() },
            released: answer.sent(),
            deadline: self.deadline,
        }
    }

    /// Whether fewer owners were there than the policy wants, so that agreement alone does not do.
    pub(super) fn is_short(&self) -> bool {
        (self.asked as usize) < self.job.policy.nodes
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

    /// Offers the job until `target` branches are on their way.
    fn recruit(&mut self, target: usize, prefix_tokens: u32) {
        let active = self.count(|stage| !matches!(stage, Stage::Lost(..)));
        if active >= target {
            return;
        }
        let model = &self.job.model.text;
        let pool = candidates(self.app, &model.manifest.id, model.manifest_hash);
        let wanted = Wanted {
            count: target - active,
            output_tokens: self.job.max_tokens - prefix_tokens,
            owners_taken: &self.owners_taken,
        };
        let chosen = choose(pool.candidates(), &wanted, &mut rand::rng());
        self.busy_owners = match chosen.len() < wanted.count {
            true => pool.busy_owners(&self.owners_taken),
            false => 0,
        };
        let offer = JobOffer {
            job: self.job.id,
            round: self.number,
            model: model.manifest.id.clone(),
            manifest_hash: model.manifest_hash,
            kind: JobKind::Generate,
            prompt_tokens: self.job.prompt_tokens(),
            max_tokens: self.job.max_tokens,
            deadline_ms: remaining_ms(self.deadline),
        };
        for node in chosen {
            let Some((handle, owner)) = pool.find(node) else { continue };
            self.owners_taken.push(owner);
            if handle
                .offer(offer.clone(), ModelFacts::of(&self.job.model), self.desk.clone())
                .is_ok()
            {
                self.branches.push(Branch::offered(handle, owner, Instant::now()));
            }
        }
    }

    /// Hands the work to everybody who accepted.
    fn start_accepted(&mut self, answer: &Answer<'_>) {
        for branch in &mut self.branches {
            if branch.stage != Stage::Accepted {
                continue;
            }
            let start = Start::Generate(GenerateStart {
                job: self.job.id,
                prompt: self.job.prompt.clone(),
                prefix: answer.ids().to_vec(),
                max_tokens: self.job.max_tokens,
                sampling: self.job.sampling.clone(),
                seed: self.job.seed,
                salt: self.job.salt,
            });
            match branch.handle.start(start) {
                Ok(()) => branch.start(answer.ids(), Instant::now()),
                Err(gone) => branch.lose(Outcome::Left, gone.to_string()),
            }
        }
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
            (Stage::Writing, JobNews::Tokens { ids, .. }) => branch.tokens(&ids, now),
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
        if now >= self.deadline {
            return Err(self.abandon(ServeError::Timeout));
        }
        let waits = self.waits;
        let late = |branch: &Branch| branch.deadline(&waits).is_some_and(|at| at <= now);
        self.branches.retain(|branch| {
            let silent = branch.stage == Stage::Offered && late(branch);
            if silent {
                let _ = branch.handle.withdraw(self.job.id);
            }
            !silent
        });
        let stragglers_over = self.stragglers_until.is_some_and(|until| until <= now);
        for branch in self.branches.iter_mut().filter(|branch| branch.stage == Stage::Writing) {
            if late(branch) {
                let _ = branch.handle.cancel(self.job.id, CancelReason::TooSlow);
                branch.lose(Outcome::Left, "no token came for too long");
            } else if stragglers_over {
                let _ = branch.handle.cancel(self.job.id, CancelReason::NotNeeded);
                branch.lose(Outcome::Cancelled, "two equal answers were complete long before");
            }
        }
        Ok(())
    }

    /// Releases what two owners agree on (with one node asked, what it says), and tells everybody
    /// where a stop string ended the answer. An end token waits for the verdict: a pair that forges
    /// the end must not close the answer for those who go on.
    fn release_agreed(&mut self, answer: &mut Answer<'_>) {
        if answer.stopped_at().is_some() {
            return;
        }
        let released = answer.ids();
        let agreed = if self.asked == 1 {
            let only = self.branches.iter().find(|branch| branch.is_live());
            only.map(|branch| &branch.ids[..]).filter(|ids| ids.len() > released.len())
        } else {
            let branches: Vec<(OwnerId, &[TokenId])> =
                self.branches.iter().map(|b| (OwnerId(b.owner.0), &b.ids[..])).collect();
            assay_verifier::agreed_prefix(&branches, released)
        };
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

    async fn event(&mut self, answer: &Answer<'_>) -> Event {
        let look_again = (self.busy_owners > 0).then(|| Instant::now() + BUSY_LOOK);
        let writing = self.count(|stage| *stage == Stage::Writing) > 0;
        let next = self
            .branches
            .iter()
            .filter_map(|branch| branch.deadline(&self.waits))
            .chain(self.stragglers_until.filter(|_| writing))
            .chain(look_again)
            .chain([self.deadline])
            .min()
            .unwrap_or(self.deadline);
        tokio::select! {
            news = self.news.recv() => Event::News(news),
            () = sleep_until(next.into()) => Event::Deadline,
            () = answer.client_left() => Event::ClientLeft,
            () = self.app.shutdown.cancelled() => Event::Shutdown,
        }
    }

    fn straggler_deadline(&self) -> Instant {
        let now = Instant::now();
        let longest = self.branches.iter().map(Branch::elapsed_ms).max().unwrap_or(0);
        let half = Duration::from_millis(longest.unsigned_abs() / 2);
        now + half.max(Duration::from_millis(self.app.config.serving.straggler_ms))
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
    }

    /// Calls everybody off who is still at work.
    fn call_off(&mut self, reason: CancelReason) {
        for branch in &self.branches {
            let _ = match branch.stage {
                Stage::Writing => branch.handle.cancel(self.job.id, reason),
                Stage::Offered | Stage::Accepted => branch.handle.withdraw(self.job.id),
                Stage::Complete(_) | Stage::Lost(..) => Ok(()),
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

    fn is_busy(&self) -> bool {
        self.count(|stage| matches!(stage, Stage::Offered | Stage::Accepted | Stage::Writing)) > 0
    }

    fn live(&self) -> usize {
        self.branches.iter().filter(|branch| branch.is_live()).count()
    }

    fn count(&self, stage: impl Fn(&Stage) -> bool) -> usize {
        self.branches.iter().filter(|branch| stage(&branch.stage)).count()
    }
}

fn remaining_ms(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
}

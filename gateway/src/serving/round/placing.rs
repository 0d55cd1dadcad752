//! Asking nodes: offers go out until the set is full; those who accept start together.

use std::time::{Duration, Instant};

use assay_ledger::AccountId;
use assay_protocol::{CancelReason, GenerateStart, JobKind, JobOffer, Outcome, Start};
use tokio::{sync::MutexGuard, time::sleep_until};

use super::{
    super::{
        answer::Answer,
        branch::{Branch, Stage},
        delivery::ServeError,
    },
    Round,
    hearing::Event,
};
use crate::{
    clock,
    db::CheckpointAsked,
    nodes::conduct::ModelFacts,
    scheduler::{Trust, Wanted, choose, free, set_size},
    verification::{
        candidates::{Pool, candidates},
        scorer,
    },
};

/// How often a job looks whether a busy node is free.
const BUSY_LOOK: Duration = Duration::from_millis(20);

/// How many are to be on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// A whole set, as the policy wants it for whoever is there.
    Set,
    /// This many who go on with the answer.
    OnLine(usize),
}

/// How the asking ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serving) enum Placed {
    Started,
    /// The client let go first.
    ClientLeft,
}

/// How far a set came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    /// As far as it can.
    Done,
    /// It would have to wait for busy nodes, and it is another job's turn.
    Stuck,
    /// The client let go first.
    ClientLeft,
}

impl<'a> Round<'a> {
    /// Asks nodes until the set is full, and starts them together: until then none of them knows the
    /// prompt or the seed. A job waits for busy nodes, but not for ones that refuse.
    ///
    /// Only whoever has its model's turn waits for busy nodes, so that two jobs never wait for each other's. While those that
    /// a job has asked think about it, the next one has its turn; if some refuse and all others are busy, it lets go of the
    /// rest, and keeps its next turn to the end.
    pub(in crate::serving) async fn place(
        &mut self,
        answer: &Answer<'_>,
        nodes_min: usize,
    ) -> Result<Placed, ServeError> {
        let settings = &self.app.config.serving;
        self.place_until = Instant::now() + Duration::from_millis(settings.place_wait_ms);
        for keeps_turn in [false, true] {
            let Some(turn) = self.turn(answer).await? else { return Ok(Placed::ClientLeft) };
            match self.fill(answer, turn, keeps_turn).await? {
                Filled::Done => break,
                Filled::Stuck => self.let_go(),
                Filled::ClientLeft => return Ok(Placed::ClientLeft),
            }
        }
        let accepted = self.count(|stage| matches!(stage, Stage::Accepted));
        if accepted < nodes_min {
            let model = self.job.model.id().to_owned();
            return Err(self.abandon(match accepted {
                _ if self.busy_owners > 0 => ServeError::Overloaded,
                0 => ServeError::NoNodes { model },
                there => ServeError::TooFewNodes { model, there, needed: nodes_min },
            }));
        }
        self.asked = u32::try_from(accepted).unwrap_or(u32::MAX);
        self.stranger_alone = accepted == 1 && self.wanted > 1;
        self.start_accepted(answer);
        Ok(Placed::Started)
    }

    /// The turn of the job's model; nothing when the client let go first.
    async fn turn(
        &mut self,
        answer: &Answer<'_>,
    ) -> Result<Option<MutexGuard<'a, ()>>, ServeError> {
        let job = self.job;
        tokio::select! {
            turn = job.model.turn() => Ok(Some(turn)),
            () = sleep_until(self.place_until.into()) => Err(ServeError::Overloaded),
            () = answer.client_left() => Ok(None),
        }
    }

    async fn fill(
        &mut self,
        answer: &Answer<'_>,
        turn: MutexGuard<'a, ()>,
        keeps_turn: bool,
    ) -> Result<Filled, ServeError> {
        let mut turn = Some(turn);
        loop {
            self.recruit(Target::Set, answer);
            let thinking = self.count(|stage| matches!(stage, Stage::Offered)) > 0;
            match (self.is_placed(), self.busy_owners > 0) {
                (true, _) => return Ok(Filled::Done),
                // An answer to an offer that is taken back could be taken for one to the next offer.
                (false, true) if turn.is_none() && !thinking => return Ok(Filled::Stuck),
                (false, false) if !keeps_turn => turn = None,
                (false, _) => {}
            }
            match self.event(answer).await {
                Event::News(news) => self.take(news),
                // Nobody writes yet, so nothing is asked.
                Event::Model(_) => {}
                Event::Deadline => self.expire(answer)?,
                Event::ClientLeft => {
                    self.call_off(CancelReason::ClientLeft);
                    return Ok(Filled::ClientLeft);
                }
                Event::Shutdown => return Err(self.abandon(ServeError::ShuttingDown)),
            }
        }
    }

    /// Does without those who accepted; they may be asked again, but nobody who refused or did not answer.
    fn let_go(&mut self) {
        let asked: Vec<AccountId> = self.branches.iter().map(|branch| branch.owner).collect();
        self.taken.retain(|party| !asked.contains(&party.account));
        self.call_off(CancelReason::NotNeeded);
    }

    /// Nobody is still thinking, and nobody else can be waited for.
    fn is_placed(&self) -> bool {
        let accepted = self.count(|stage| matches!(stage, Stage::Accepted));
        let thinking = self.count(|stage| matches!(stage, Stage::Offered));
        let full = accepted >= self.wanted;
        let waiting = self.busy_owners > 0 && Instant::now() < self.place_until;
        full || (thinking == 0 && !waiting)
    }

    /// Offers the job until `target` is met. The first of a set is a proven node, if one is free.
    pub(super) fn recruit(&mut self, target: Target, answer: &Answer<'_>) {
        let model = &self.job.model.text;
        let pool = candidates(self.app, &model.manifest.id, model.manifest_hash);
        let members: Vec<Trust> =
            self.branches.iter().filter(|it| !it.is_out()).map(|it| it.trust).collect();
        let missing = match target {
            Target::Set => {
                self.wanted = self.set_size(&pool, &members);
                self.wanted.saturating_sub(members.len())
            }
            Target::OnLine(nodes) => {
                // A small set is small for a trusted member's sake: without one it is filled up.
                let before = self.wanted;
                self.wanted = before.max(self.set_size(&pool, &members));
                let grown = self.wanted > before;
                let missing = if grown { self.wanted - members.len() } else { 0 };
                missing.max(nodes.saturating_sub(self.on_line(answer)))
            }
        };
        if missing == 0 {
            return;
        }
        let wanted = Wanted {
            count: missing,
            proven: self.trust_missing(&members),
            output_tokens: self.job.max_tokens - answer.tokens(),
            taken: &self.taken,
        };
        let chosen = choose(pool.candidates(), &wanted, &mut rand::rng());
        self.busy_owners = match chosen.len() < wanted.count {
            true => pool.busy_owners(&self.taken),
            false => 0,
        };
        let offer = JobOffer {
            job: self.job.id,
            round: self.number,
            model: model.manifest.id.clone(),
            manifest_hash: model.manifest_hash,
            kind: if self.job.inputs.is_some() { JobKind::Embed } else { JobKind::Generate },
            prompt_tokens: self.job.prompt_tokens(),
            max_tokens: self.job.max_tokens,
            deadline_ms: remaining_ms(self.deadline),
        };
        for node in chosen {
            let Some((handle, party, trust)) = pool.find(node) else { continue };
            let owner = party.account;
            self.taken.push(party);
            if handle
                .offer(offer.clone(), ModelFacts::of(&self.job.model), self.desk.clone())
                .is_ok()
            {
                self.branches.push(Branch::offered(handle, owner, trust, Instant::now()));
            }
        }
    }

    /// The policy's number of nodes, or fewer when one of them is trusted and could be checked, and nothing is
    /// wrong with its whole class.
    fn set_size(&self, pool: &Pool, members: &[Trust]) -> usize {
        let policy = &self.job.policy;
        let braked = self.app.brakes.is_engaged(self.job.model.id(), clock::now_ms());
        let checkable = !braked && scorer::is_available(self.app, self.job.question());
        let fewer = policy.fewer.filter(|_| checkable);
        let free = free(pool.candidates(), &self.taken).map(|candidate| candidate.trust);
        set_size(policy.nodes, fewer, members, free)
    }

    /// How correct a proven node has to be that the set still lacks: the one for whose sake it is small, or any.
    fn trust_missing(&self, members: &[Trust]) -> Option<f64> {
        let fewer = self.job.policy.fewer.filter(|fewer| fewer.nodes == self.wanted);
        let least = fewer.map_or(0.0, |fewer| fewer.correctness_min);
        (!members.iter().any(|trust| trust.is_proven_to(least))).then_some(least)
    }

    /// Hands the work to everybody who accepted.
    pub(super) fn start_accepted(&mut self, answer: &Answer<'_>) {
        for branch in &mut self.branches {
            if branch.stage != Stage::Accepted {
                continue;
            }
            let to_write = || GenerateStart {
                job: self.job.id,
                prompt: self.job.prompt.clone(),
                prefix: answer.ids().to_vec(),
                max_tokens: self.job.max_tokens,
                sampling: self.job.sampling.clone(),
                seed: self.job.seed,
                salt: self.job.salt,
            };
            let start = match self.job.to_embed() {
                Some(start) => Start::Embed(start),
                None => Start::Generate(to_write()),
            };
            match branch.handle.start(start) {
                Ok(()) => {
                    branch.start(answer.ids(), Instant::now());
                    let asked = CheckpointAsked { node: branch.node(), round: self.number };
                    let held = self.job.quote.highest();
                    self.app.checkpoints.asked(self.job.id, held, asked);
                }
                Err(gone) => branch.lose(Outcome::Left, gone.to_string()),
            }
        }
    }

    /// When to look again whether a busy node is free, or somebody came.
    pub(super) fn look_again(&self) -> Option<Instant> {
        let looks = self.busy_owners > 0 || self.waits_for_somebody();
        looks.then(|| Instant::now() + BUSY_LOOK)
    }
}

fn remaining_ms(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
}

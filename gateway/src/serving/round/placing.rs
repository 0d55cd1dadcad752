//! Asking nodes: offers go out until the set is full; those who accept start together.

use std::time::{Duration, Instant};

use assay_protocol::{CancelReason, GenerateStart, JobKind, JobOffer, Outcome, Start};
use tokio::time::sleep_until;

use super::{
    super::{
        answer::Answer,
        branch::{Branch, Stage},
        delivery::ServeError,
    },
    Event, Round,
};
use crate::{
    nodes::conduct::ModelFacts,
    scheduler::{Wanted, choose},
    verification::candidates::candidates,
};

/// How often a job looks whether a busy node is free.
const BUSY_LOOK: Duration = Duration::from_millis(20);

/// How the asking ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::serving) enum Placed {
    Started,
    /// The client let go first.
    ClientLeft,
}

impl Round<'_> {
    /// Asks nodes until the set is full, and starts them together: until then none of them knows the
    /// prompt or the seed. Jobs of one model take turns, so that two of them never wait for each
    /// other's nodes; a job waits for busy nodes, but not for ones that refuse.
    pub(in crate::serving) async fn place(
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
                there => ServeError::TooFewNodes { model, there, needed: nodes_min },
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

    /// Offers the job until `target` branches are on their way.
    pub(super) fn recruit(&mut self, target: usize, prefix_tokens: u32) {
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
    pub(super) fn start_accepted(&mut self, answer: &Answer<'_>) {
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

    /// When to look again whether a busy node is free.
    pub(super) fn look_again(&self) -> Option<Instant> {
        (self.busy_owners > 0).then(|| Instant::now() + BUSY_LOOK)
    }
}

fn remaining_ms(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
}

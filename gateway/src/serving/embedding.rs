//! Texts to vectors: the same rounds of the same nodes as for an answer, but vectors come whole and are near each other,
//! not equal. Nothing is released before the verdict.

use std::time::{Duration, Instant};

use assay_model::FinishReason;
use assay_protocol::{CancelReason, EmbedStart, TokenId};

use super::{
    answer::Answer,
    branch::Stage,
    delivery::{Outlet, ServeError, Summary},
    job::Job,
    nodes_min,
    round::{Event, Placed, Round, Written},
    settle::Ending,
};
use crate::{
    app::App,
    verification::{
        judgement::undecided,
        vectors::{self, Embedded},
    },
};

impl Job {
    /// What nodes are handed to embed; nothing of a job that writes.
    pub(super) fn to_embed(&self) -> Option<EmbedStart> {
        let inputs = self.inputs.clone()?;
        Some(EmbedStart { job: self.id, inputs, salt: self.salt })
    }
}

/// Rounds of fresh nodes until one of them gave the model's vectors, the client leaves or nobody is left to ask.
pub(super) async fn answer(
    app: &App,
    job: &Job,
    inputs: &[Vec<TokenId>],
    outlet: &Outlet,
) -> Ending {
    let deadline = Instant::now() + Duration::from_millis(app.config.serving.job_deadline_ms);
    // It stays empty: there are no tokens.
    let nothing = Answer::new(job, outlet);
    let mut taken = vec![job.client.clone()];
    let mut ending = Ending::default();
    for number in 1..=app.config.serving.rounds_max {
        let mut round = Round::new(app, job, number, taken, deadline);
        match round.place(&nothing, nodes_min(app, job, number)).await {
            Ok(Placed::Started) => {}
            Ok(Placed::ClientLeft) => return ending.cancelled(&[]),
            Err(error) => return ending.not_placed(error),
        }
        let written = round.embed(&nothing).await;
        round.observe(app);
        if !matches!(written, Ok(Written::Whole)) {
            let ending = ending.with(number, round.asked, undecided(number, &round.branches));
            return match written {
                Ok(_) => ending.cancelled(&[]),
                Err(error) => ending.failed(error),
            };
        }
        let judged = vectors::decide(app, &round.case(&nothing, Written::Whole), inputs).await;
        ending = ending.with(number, round.asked, judged.parts);
        ending.majority_refuted = judged.majority_refuted;
        if let Some(Embedded { components, verdict }) = judged.accepted {
            let summary = Summary {
                finish: FinishReason::Embedded,
                prompt_tokens: job.prompt_tokens(),
                completion_tokens: 0,
                verdict,
                ids: Vec::new(),
            };
            outlet.vectors(components);
            outlet.done(summary.clone());
            return ending.succeeded(summary);
        }
        taken = round.into_taken();
    }
    let rounds = ending.rounds;
    ending.failed(ServeError::NotVerified { rounds })
}

impl Round<'_> {
    /// Hears the nodes out.
    async fn embed(&mut self, nothing: &Answer<'_>) -> Result<Written, ServeError> {
        loop {
            if self.stragglers_until.is_none() && self.is_decidable(nothing) {
                self.stragglers_until = Some(self.straggler_deadline());
            }
            if !self.branches.iter().any(|branch| branch.stage == Stage::Writing) {
                // Whoever still thinks about it comes too late.
                self.call_off(CancelReason::NotNeeded);
                return Ok(Written::Whole);
            }
            match self.event(nothing).await {
                Event::News(news) => self.take(news),
                // Nothing is asked before the verdict.
                Event::Model(_) => {}
                Event::Deadline => self.expire(nothing)?,
                Event::ClientLeft => {
                    self.call_off(CancelReason::ClientLeft);
                    self.drop_writers("the client left");
                    return Ok(Written::ClientLeft);
                }
                Event::Shutdown => {
                    return Err(self.abandon(ServeError::ShuttingDown));
                }
            }
        }
    }
}

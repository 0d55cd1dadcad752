//! The spine: one request from its quote to its settlement, each of its choices a job of its own.
//!
//! quote the highest cost → hold that money → place on nodes of different owners → start → release
//! tokens as they are agreed → verdict → settle. A tracked task owns the job all the way; the
//! HTTP handler only listens, so a client that hangs up takes nothing along.

mod answer;
mod branch;
mod checkpoint;
mod client;
pub mod delivery;
mod embedding;
mod job;
pub mod policy;
mod quote;
mod release;
mod round;
pub mod settings;
mod settle;

use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    time::{Duration, Instant},
};

use assay_protocol::{Bytes32, JobId, Sampling, TokenId};
use futures_util::{FutureExt, StreamExt, stream};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use assay_verifier::Rule;
pub use delivery::{Deliveries, Event, ServeError, Summary, Verdict};
pub use job::{ChatJob, Prompt};
pub use policy::{ReleaseRule, Risk, Terms};
pub use settings::ServingSettings;

pub(crate) use branch::{Branch, Stage};

use answer::Answer;
use delivery::{Outlet, Word};
use job::{Job, Waits};
use round::{Agreement, OWNERS_TO_AGREE, Placed, Round, Written};
use settle::Ending;

use crate::{
    app::App,
    auth::Caller,
    catalog::HostedModel,
    verification::{
        judgement::{self, Accepted},
        scorer,
    },
};

/// How long a client whose job failed waits for its credit to be given back before it is told.
const FAILURE_WAIT_MAX: Duration = Duration::from_secs(10);

/// What was asked, as nodes and scorers see it.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub job: JobId,
    pub model: &'a HostedModel,
    pub prompt: &'a [TokenId],
    pub sampling: &'a Sampling,
    pub seed: Bytes32,
    /// Of its answers' hash chains.
    pub salt: Bytes32,
}

/// Takes a request. An error is one that needs no money to be known; all others are events.
pub async fn serve_request(
    app: &App,
    caller: &Caller,
    request: ChatJob,
) -> Result<Deliveries, ServeError> {
    let permit = || app.jobs_running.clone().try_acquire_owned();
    let running: Result<Vec<_>, _> = (0..request.jobs()).map(|_| permit()).collect();
    let running = running.map_err(|_| ServeError::Overloaded)?;
    // A long prompt takes a while to tokenize; other requests must not wait for it.
    let preparing = {
        let client = client::party(app, caller).await?;
        let (app, account) = (app.clone(), caller.account);
        app.tasks.clone().spawn_blocking(move || Job::prepare(&app, account, client, request))
    };
    let jobs = preparing.await.map_err(|_| ServeError::Internal)??;
    let first = jobs.first().ok_or(ServeError::Internal)?;
    if first.policy.score_always && !scorer::is_available(app, first.question()) {
        return Err(ServeError::NoScorer { model: first.model.id().to_owned() });
    }
    let created_s = crate::clock::now_ms() / 1_000;
    let mut deliveries = Deliveries::new(first.answer_id.clone(), created_s);
    let opened = jobs.into_iter().zip(running).map(|(job, running)| {
        let outlet = deliveries.open(job.id, job.max_tokens);
        Opened { job, outlet, _running: running }
    });
    let opened: Vec<Opened> = opened.collect();
    app.tasks.spawn(run_all(app.clone(), *caller, opened));
    Ok(deliveries)
}

/// A job on its way.
struct Opened {
    job: Job,
    outlet: Outlet,
    _running: OwnedSemaphorePermit,
}

/// The request's own task: all of it is held or nothing, then each choice is a job of its own, a few at once.
async fn run_all(app: App, caller: Caller, choices: Vec<Opened>) {
    let jobs: Vec<&Job> = choices.iter().map(|choice| &choice.job).collect();
    if let Err(error) = settle::hold(&app, &caller, &jobs).await {
        return choices.iter().for_each(|choice| choice.outlet.failed(error.clone()));
    }
    let turns = Semaphore::new(app.config.serving.choices_at_once);
    stream::iter(choices).for_each_concurrent(None, |choice| run(&app, choice, &turns)).await;
}

/// One job, from its hold to its settlement.
async fn run(app: &App, choice: Opened, turns: &Semaphore) {
    let Opened { job, mut outlet, _running } = choice;
    // Whoever waits for the others to be answered must not keep them from their turn.
    let turn = turns.acquire().await;
    // A panic is a bug, but not one that may keep a client's money held.
    let work = async {
        match &job.inputs {
            Some(inputs) => embedding::answer(app, &job, inputs, &outlet).await,
            None => answer(app, &job, &outlet).await,
        }
    };
    let ending = AssertUnwindSafe(work).catch_unwind().await;
    drop(turn);
    let ending = ending.unwrap_or_else(|_| Ending::default().failed(ServeError::Internal));
    let ending = hear_word(app, &job, &mut outlet, ending).await;
    let failure = ending.failure.clone();
    let mut ended = pin!(settle::end(app, &job, ending, outlet.sent()));
    let Some(error) = failure else { return ended.await };
    // What a failed job held is given back before its client hears of it, unless the store is away for long.
    let is_stored = timeout(FAILURE_WAIT_MAX, &mut ended).await.is_ok();
    outlet.failed(error);
    if !is_stored {
        ended.await;
    }
}

/// What would be charged waits until the client has all that it asked for, where that is more than this answer.
async fn hear_word(app: &App, job: &Job, outlet: &mut Outlet, ending: Ending) -> Ending {
    if job.waits == Waits::No || ending.failure.is_some() {
        return ending;
    }
    let word = timeout(settle::word_wait(app, job), outlet.word()).await.ok().flatten();
    match (word, job.waits) {
        (Some(Word::Settle), _) | (None, Waits::No | Waits::Siblings) => ending,
        (Some(Word::Void), _) | (None, Waits::Kept) => ending.void(),
    }
}

/// Rounds of fresh nodes until one answer is accepted, the client leaves or nobody is left to ask.
async fn answer(app: &App, job: &Job, outlet: &Outlet) -> Ending {
    let deadline = Instant::now() + Duration::from_millis(app.config.serving.job_deadline_ms);
    let mut answer = Answer::new(job, outlet);
    let mut taken = vec![job.client.clone()];
    let mut ending = Ending::default();
    for number in 1..=app.config.serving.rounds_max {
        answer.begin_round(job);
        let mut round = Round::new(app, job, number, taken, deadline);
        match round.place(&answer, nodes_min(app, job, number)).await {
            Ok(Placed::Started) => {}
            Ok(Placed::ClientLeft) => return ending.cancelled(answer.ids()),
            Err(error) => return ending.not_placed(error),
        }
        let written = match round
            .write(&mut answer, |round, answer| finish_early(app, round, answer))
            .await
        {
            Ok(written) => written,
            Err(error) => {
                round.observe(app);
                let parts = judgement::undecided(number, &round.branches);
                return ending.with(number, round.asked, parts).failed(error);
            }
        };
        let judged = judgement::decide(app, &round.case(&answer, written)).await;
        round.observe(app);
        ending = ending.with(number, round.asked, judged.parts);
        ending.majority_refuted = judged.majority_refuted;
        match (written, judged.accepted) {
            (Written::Whole, Some(accepted)) => return deliver(job, ending, answer, accepted),
            (Written::ClientLeft, _) => return ending.cancelled(answer.ids()),
            // What the client was told is whole cannot be gone on from.
            (Written::Whole, None)
                if judged.contradicted
                    || answer.is_done()
                    || round.is_beyond_repair(&judged.disputed) =>
            {
                return ending.failed(ServeError::Contradicted);
            }
            (Written::Whole, None) => taken = round.into_taken(),
        }
    }
    let rounds = ending.rounds;
    ending.failed(ServeError::NotVerified { rounds })
}

/// Fewer nodes than this and the round is not begun. A later round may ask a single one: its answer is
/// scored, and a client that waits is better served than sent away.
fn nodes_min(app: &App, job: &Job, round: u8) -> usize {
    // While its whole class is in doubt, nobody serves alone.
    let braked = app.brakes.is_engaged(job.model.id(), crate::clock::now_ms());
    match scorer::is_available(app, job.question()) && !braked {
        true if round > 1 => 1,
        true => job.policy.nodes_min,
        false => job.policy.nodes_min.max(OWNERS_TO_AGREE),
    }
}

/// Two complete answers agree and nobody differs: the client need not wait for the rest, unless the
/// model is asked anyway. Until there is a verdict, two strangers who collude must not end an answer.
fn finish_early(app: &App, round: &Round<'_>, answer: &mut Answer<'_>) {
    let is_scored = (round.is_short() || round.is_audited() || round.is_disputed())
        && scorer::is_available(app, round.job.question());
    if is_scored || round.job.policy.score_always {
        return;
    }
    if let Some(Agreement { ids, finish, nodes_agreed }) = round.agreement(answer)
        && answer.accept(round.job, ids, &round.told_of(ids))
    {
        let verdict = Verdict {
            rule: Rule::Agreement,
            policy: round.job.risk,
            round: round.number,
            nodes_asked: round.asked,
            nodes_agreed,
            audited: round.is_audited(),
            positions_checked: 0,
            largest_margin: None,
            sigma2: None,
        };
        answer.finish(round.job, finish, verdict);
    }
}

/// Releases what is left of the accepted answer, unless it contradicts what went out.
fn deliver(job: &Job, ending: Ending, mut answer: Answer<'_>, accepted: Accepted) -> Ending {
    let Accepted { ids, finish, verdict, told } = accepted;
    if !answer.accept(job, &ids, &told) {
        return ending.failed(ServeError::Contradicted);
    }
    ending.succeeded(answer.finish(job, finish, verdict))
}

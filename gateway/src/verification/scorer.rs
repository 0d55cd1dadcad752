//! Asks a trusted node to run the model once over an answer.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use assay_protocol::{
    JobId, JobKind, JobOffer, NodeId, PositionScore, ScoreStart, Start, TokenId, TokenLogprobs,
};
use rand::seq::SliceRandom;
use tokio::time::{sleep_until, timeout_at};
use tracing::{debug, warn};
use uuid::Uuid;

use crate::{
    app::App,
    nodes::{
        Errand, JobNews, NodeHandle,
        conduct::{ModelFacts, Scored},
    },
    serving::Question,
};

/// What a scorer found: one entry for every output position.
#[derive(Clone, Debug)]
pub struct Score {
    pub scorer: NodeId,
    /// The output that was scored.
    pub ids: Vec<TokenId>,
    pub positions: Vec<PositionScore>,
    /// One for each, if the job asks for them.
    pub logprobs: Vec<TokenLogprobs>,
    pub elapsed_ms: i64,
}

/// How long somebody is looked for, and how long what was asked may take.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    /// Nobody took it by then: it is given up.
    pub found: Instant,
    /// What is said later is not heard.
    pub heard: Instant,
}

impl From<Instant> for Until {
    fn from(deadline: Instant) -> Self {
        Self { found: deadline, heard: deadline }
    }
}

/// How often scorers contradicted each other since the gateway started.
#[derive(Debug, Default)]
pub struct Disputes(AtomicU64);

impl Disputes {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("assay_scorer_disputes_total").increment(1);
    }

    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Scores an answer on whichever scorer takes it first and is none of `except`; nothing when none did in time.
pub async fn score(
    app: &App,
    question: Question<'_>,
    output: &[TokenId],
    until: Until,
    except: &[NodeId],
) -> Option<Score> {
    let mut changes = app.nodes.changes();
    loop {
        changes.mark_unchanged();
        let others = scorers(app, question).into_iter().filter(|h| !except.contains(&h.id()));
        for handle in others {
            match ask(app, &handle, question, output, until.heard).await {
                Some(score) => return Some(score),
                None => debug!(scorer = %handle.id(), "scorer did not take or finish the job"),
            }
        }
        // Somebody may come, or a busy scorer may be free again soon.
        let retry = Instant::now() + Duration::from_millis(250);
        if retry >= until.found.min(until.heard) || app.shutdown.is_cancelled() {
            warn!(job = %question.job, "no scorer for an answer that needs one");
            return None;
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = sleep_until(retry.into()) => {}
            () = app.shutdown.cancelled() => {}
        }
    }
}

/// Whether a scorer for this model is connected.
pub fn is_available(app: &App, question: Question<'_>) -> bool {
    is_another_available(app, question, &[])
}

/// Whether a scorer is connected that is none of these.
pub fn is_another_available(app: &App, question: Question<'_>, except: &[NodeId]) -> bool {
    scorers(app, question).iter().any(|handle| !except.contains(&handle.id()))
}

/// Free scorers first, otherwise any: none of them judges everything.
pub(super) fn scorers(app: &App, question: Question<'_>) -> Vec<NodeHandle> {
    let model = &question.model.text;
    let mut serving = app.nodes.serving(&model.manifest.id, model.manifest_hash, true);
    serving.shuffle(&mut rand::rng());
    serving.sort_by_key(|served| served.snapshot.jobs);
    serving.into_iter().map(|served| served.snapshot.handle).collect()
}

async fn ask(
    app: &App,
    handle: &NodeHandle,
    question: Question<'_>,
    output: &[TokenId],
    deadline: Instant,
) -> Option<Score> {
    let left = deadline.checked_duration_since(Instant::now())?;
    let job = JobId(Uuid::now_v7());
    let limit = Duration::from_millis(app.config.serving.score_ms);
    let offer = JobOffer {
        job,
        round: 1,
        model: question.model.text.manifest.id.clone(),
        manifest_hash: question.model.text.manifest_hash,
        kind: JobKind::Score,
        prompt_tokens: u32::try_from(question.prompt.len()).unwrap_or(u32::MAX),
        max_tokens: u32::try_from(output.len()).unwrap_or(u32::MAX),
        deadline_ms: u64::try_from(left.min(limit).as_millis()).unwrap_or(u64::MAX),
    };
    let mut errand = Errand::offer(handle, offer, ModelFacts::of(question.model)).ok()?;
    if timeout_at(deadline.into(), errand.reply()).await.ok()?? != JobNews::Accepted {
        return None;
    }
    let start = ScoreStart {
        job,
        prompt: question.prompt.to_vec(),
        output: output.to_vec(),
        sampling: question.sampling.clone(),
        seed: question.seed,
    };
    errand.start(Start::Score(start)).ok()?;
    let since = errand.since();
    let Ok(scored) = errand.news(deadline.min(since + limit)).await else {
        if since.elapsed() >= limit {
            // Whoever takes the work and does not do it keeps no other answer waiting for a while.
            app.nodes.rest(handle.id());
        }
        return None;
    };
    let JobNews::Scored(Scored { positions, logprobs }) = scored? else { return None };
    let elapsed_ms = i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
    metrics::histogram!("assay_score_seconds").record(since.elapsed().as_secs_f64());
    Some(Score { scorer: handle.id(), ids: output.to_vec(), positions, logprobs, elapsed_ms })
}

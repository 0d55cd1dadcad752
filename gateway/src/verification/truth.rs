//! Has a trusted node compute the vectors that others' are held to.

use std::time::{Duration, Instant};

use assay_protocol::{EmbedStart, JobId, JobKind, JobOffer, NodeId, Start, TokenId};
use assay_verifier::embedding::Truth;
use tokio::time::{sleep_until, timeout_at};
use tracing::warn;
use uuid::Uuid;

use super::scorer::{Until, scorers};
use crate::{
    app::App,
    nodes::{Errand, JobNews, NodeHandle, conduct::ModelFacts},
    serving::Question,
};

/// How often somebody is looked for while all are busy.
const LOOK_EACH: Duration = Duration::from_millis(250);

/// The vectors of these inputs, by whichever scorer takes it first and is none of `except`; nothing when none did in time.
pub(super) async fn compute(
    app: &App,
    question: Question<'_>,
    inputs: &[Vec<TokenId>],
    until: Until,
    except: &[NodeId],
) -> Option<Truth> {
    let mut changes = app.nodes.changes();
    loop {
        changes.mark_unchanged();
        let others = scorers(app, question).into_iter().filter(|h| !except.contains(&h.id()));
        for handle in others {
            if let Some(truth) = ask(app, &handle, question, inputs, until.heard).await {
                return Some(truth);
            }
        }
        let retry = Instant::now() + LOOK_EACH;
        if retry >= until.found.min(until.heard) || app.shutdown.is_cancelled() {
            warn!(job = %question.job, "no scorer for vectors that need one");
            return None;
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = sleep_until(retry.into()) => {}
            () = app.shutdown.cancelled() => {}
        }
    }
}

async fn ask(
    app: &App,
    handle: &NodeHandle,
    question: Question<'_>,
    inputs: &[Vec<TokenId>],
    deadline: Instant,
) -> Option<Truth> {
    let left = deadline.checked_duration_since(Instant::now())?;
    let limit = Duration::from_millis(app.config.serving.score_ms);
    // A job of its own: what the scorer signs is no answer.
    let job = JobId(Uuid::now_v7());
    let start = EmbedStart { job, inputs: inputs.to_vec(), salt: question.salt };
    let deadline_ms = u64::try_from(left.min(limit).as_millis()).unwrap_or(u64::MAX);
    let offer = offer(question, &start, 1, deadline_ms);
    let mut errand = Errand::offer(handle, offer, ModelFacts::of(question.model)).ok()?;
    if timeout_at(deadline.into(), errand.reply()).await.ok()?? != JobNews::Accepted {
        return None;
    }
    errand.start(Start::Embed(start)).ok()?;
    let since = errand.since();
    let Ok(news) = errand.news(deadline.min(since + limit)).await else {
        if since.elapsed() >= limit {
            // Whoever takes the work and does not do it keeps nobody else waiting for a while.
            app.nodes.rest(handle.id());
        }
        return None;
    };
    let JobNews::Embedded(components) = news? else { return None };
    metrics::histogram!("assay_score_seconds").record(since.elapsed().as_secs_f64());
    Some(Truth { scorer: handle.id(), components })
}

/// The offer of such a job.
pub(super) fn offer(
    question: Question<'_>,
    start: &EmbedStart,
    round: u8,
    deadline_ms: u64,
) -> JobOffer {
    JobOffer {
        job: start.job,
        round,
        model: question.model.id().to_owned(),
        manifest_hash: question.model.text.manifest_hash,
        kind: JobKind::Embed,
        prompt_tokens: u32::try_from(start.tokens()).unwrap_or(u32::MAX),
        max_tokens: 0,
        deadline_ms,
    }
}

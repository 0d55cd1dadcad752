//! Audits that were drawn while no scorer was there: done when one comes. They move reputations only; the money
//! of their jobs has moved. A restart drops them.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use assay_ledger::{AccountId, Earned, Nano};
use assay_protocol::{JobId, Sampling, TokenId};
use assay_verifier::{Answer, Rules, Scorer, Setting};
use tracing::{info, warn};

use super::{
    consequences::follow,
    explanation::explain,
    judgement::{Case, Matter, Scores, checks},
    scorer,
};
use crate::{
    app::App,
    catalog::HostedModel,
    clock,
    db::{
        self,
        audits::{AuditResult, AuditWrite, LateCheck, LateFault},
    },
    receipts,
    serving::Question,
};

/// An audit that scorers took and did not do this often is given up: it must not hold up the others.
const TRIES_MAX: u32 = 3;
/// Without news, scorers are looked for this often.
const LOOK_EACH: Duration = Duration::from_secs(5);

/// What waits, the oldest first.
#[derive(Debug, Default)]
pub struct AuditQueue {
    waiting: Mutex<VecDeque<Waiting>>,
    dropped: AtomicU64,
    news: tokio::sync::Notify,
}

/// An answer that its nodes agreed on, with all that a scorer needs.
#[derive(Debug)]
struct Waiting {
    job: JobId,
    round: u8,
    account: AccountId,
    model: Arc<HostedModel>,
    prompt: Vec<TokenId>,
    sampling: Sampling,
    seed: assay_protocol::Bytes32,
    salt: assay_protocol::Bytes32,
    rules: Rules,
    answers: Vec<Answer>,
    tries: u32,
}

impl AuditQueue {
    /// Audits that wait.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// True when none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Audits that were dropped since the gateway started, because too many waited.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn push(&self, waiting: Waiting, max: usize) -> Option<Waiting> {
        let mut queue = self.lock();
        queue.push_back(waiting);
        let oldest = if queue.len() > max { queue.pop_front() } else { None };
        set_gauge(queue.len());
        drop(queue);
        self.news.notify_one();
        oldest
    }

    /// The oldest audit that some connected scorer could do.
    fn pop(&self, app: &App) -> Option<Waiting> {
        let mut queue = self.lock();
        let ready = queue.iter().position(|w| scorer::is_available(app, w.question()))?;
        let waiting = queue.remove(ready);
        set_gauge(queue.len());
        waiting
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Waiting>> {
        // Nothing panics while it holds the lock; if it did, the queue would still be whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps an audit for later. The oldest makes room, and is told as dropped.
pub(super) async fn keep(app: &App, case: &Case<'_>, answers: &[Answer]) {
    let question = case.question;
    let Some(model) = app.catalog.get(question.model.id()).cloned() else { return };
    let waiting = Waiting {
        job: question.job,
        round: case.round,
        account: case.account,
        model,
        prompt: question.prompt.to_vec(),
        sampling: question.sampling.clone(),
        seed: question.seed,
        salt: question.salt,
        rules: case.rules.clone(),
        answers: answers.to_vec(),
        tries: 0,
    };
    push(app, waiting).await;
}

async fn push(app: &App, waiting: Waiting) {
    if let Some(oldest) = app.audit_queue.push(waiting, app.config.verification.audits_queued_max) {
        app.audit_queue.dropped.fetch_add(1, Ordering::Relaxed);
        warn!(job = %oldest.job, "an audit is dropped: too many wait for a scorer");
        end(app, &oldest, AuditResult::Dropped, &Scores::default()).await;
    }
}

/// Does what waits whenever a scorer is there, until the gateway shuts down.
pub async fn run(app: App) {
    let mut changes = app.nodes.changes();
    loop {
        changes.mark_unchanged();
        while let Some(mut waiting) = app.audit_queue.pop(&app) {
            if app.shutdown.is_cancelled() {
                return;
            }
            match audit(&app, &waiting).await {
                Some((result, scores)) => end(&app, &waiting, result, &scores).await,
                None if waiting.tries + 1 >= TRIES_MAX => {
                    app.audit_queue.dropped.fetch_add(1, Ordering::Relaxed);
                    warn!(job = %waiting.job, "an audit is dropped: no scorer could do it");
                    end(&app, &waiting, AuditResult::Dropped, &Scores::default()).await;
                }
                None => {
                    waiting.tries += 1;
                    push(&app, waiting).await;
                    break;
                }
            }
        }
        tokio::select! {
            _ = changes.changed() => {}
            () = app.audit_queue.news.notified() => {}
            () = tokio::time::sleep(LOOK_EACH) => {}
            () = app.shutdown.cancelled() => return,
        }
    }
}

/// Has the answers scored and their nodes learn from it; nothing when no scorer did its part.
async fn audit(app: &App, waiting: &Waiting) -> Option<(AuditResult, Scores)> {
    let Waiting { answers, rules, round, account, .. } = waiting;
    let question = waiting.question();
    // Two scorers, one after the other.
    let deadline = Instant::now() + 2 * Duration::from_millis(app.config.serving.score_ms);
    let matter = Matter { question, rules, round: *round, deadline, overruled: &[] };
    let setting = Setting {
        asked: 1,
        score_all: true,
        trusted_alone: false,
        scorer: Scorer::Available,
        second_scorer: Scorer::Available,
        released: &[],
    };
    let mut scores = Scores::default();
    let verdict = scores.verdict(app, &matter, answers, setting, false).await;
    let result = scores.audit_result(answers, &verdict)?;
    scores.tell_disputes(app, answers);
    // All gave the same answer: one that passed stands, whatever the others' own faults are.
    let refuted = verdict.winner.is_none();
    let model = waiting.model.id();
    let checks = checks(app, question, *account, answers, &verdict, &scores);
    for (answer, (outcome, check)) in answers.iter().zip(verdict.outcomes.iter().zip(checks)) {
        let (node, Some(check)) = (answer.node, check) else { continue };
        let fault = (!outcome.is_paid()).then(|| {
            let found = explain(*outcome, answer, answers, rules, scores.of(answer));
            let (reason, evidence) = (found.reason, found.evidence.json());
            LateFault { outcome: *outcome, reason, evidence }
        });
        let late = LateCheck {
            job: waiting.job,
            round: *round,
            node,
            model: model.to_owned(),
            learnt: check.delta(),
            refuted,
            fault,
            at_ms: clock::now_ms(),
        };
        if let Err(error) = db::audits::record_late(&app.db, &late).await {
            warn!(%node, %error, "a late audit is not stored");
        }
        let checked_micro = check.delta().pass_micro.into();
        let late = Earned { pay: Nano::ZERO, ended_ms: late.at_ms, checked_micro };
        app.pay.checked(node, late);
        follow(app, node, model, check).await;
    }
    Some((result, scores))
}

async fn end(app: &App, waiting: &Waiting, result: AuditResult, scores: &Scores) {
    info!(job = %waiting.job, result = result.as_str(), "audit of an answer that waited");
    let Waiting { job, round, .. } = *waiting;
    let Waiting { answers, rules, .. } = waiting;
    let rests_on = receipts::logged_result(result).map(|logged| {
        let evidence =
            scores.evidence(waiting.question(), round, logged, answers, rules.temperature);
        receipts::audited(app, &evidence)
    });
    let (drawn, result, at_ms) = (true, Some(result), clock::now_ms());
    let write = AuditWrite::End { job, round, drawn, result, at_ms, rests_on };
    app.audits.write(&app.db, app.keys.gateway_id(), write).await;
    app.log.has_news();
}

fn set_gauge(waiting: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge of a few thousand")]
    metrics::gauge!("assay_audits_waiting").set(waiting as f64);
}

impl Waiting {
    fn question(&self) -> Question<'_> {
        Question {
            job: self.job,
            model: &self.model,
            prompt: &self.prompt,
            sampling: &self.sampling,
            seed: self.seed,
            salt: self.salt,
        }
    }
}

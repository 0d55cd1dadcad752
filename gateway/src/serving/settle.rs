//! Ends a hold exactly once: settles it for what was used, or gives it back.

use std::time::Duration;

use assay_ledger::{Earned, Nano, PayRules, Settlement, Share, payout};
use assay_protocol::{Bytes32, JobId, Outcome, TokenId};
use tracing::{error, info, warn};

use super::{
    delivery::{ServeError, Summary},
    job::Job,
    policy::PAY_CAP_PER_MILLE,
};
use crate::{
    app::App,
    auth::Caller,
    clock,
    db::{
        self,
        jobs::{JobEnd, JobNodeEnd, JobState, NewJob, OpenJobError},
    },
    receipts::{self, Known, KnownPart},
    verification::{consequences, judgement::Part, reputation::Check},
};

/// A settlement that the store does not take is tried again this often, with doubled waits; after
/// that the job is ended by its last checkpoint, at the latest some minutes after its deadline.
const SETTLE_TRIES: u32 = 60;
const SETTLE_RETRY: Duration = Duration::from_millis(50);
const SETTLE_RETRY_MAX: Duration = Duration::from_secs(1);
/// After its deadline a job is settled within this; then its hold is ended by whoever looks.
const HOLD_GRACE_MS: i64 = 300_000;

/// How a job ended, before money is moved.
#[derive(Debug)]
pub(super) struct Ending {
    state: JobState,
    summary: Option<Summary>,
    completion_tokens: u32,
    /// What was agreed by the time the client left.
    ids: Vec<TokenId>,
    pub(super) rounds: u8,
    /// Every node's part in every round.
    parts: Vec<Part>,
    asked: u32,
    pub(super) majority_refuted: bool,
    pub(super) failure: Option<ServeError>,
}

impl Default for Ending {
    /// Failed, until something better is known.
    fn default() -> Self {
        Self {
            state: JobState::Failed,
            summary: None,
            completion_tokens: 0,
            ids: Vec::new(),
            rounds: 0,
            parts: Vec::new(),
            asked: 0,
            majority_refuted: false,
            failure: None,
        }
    }
}

impl Ending {
    /// Takes over what became of everybody in a round.
    pub(super) fn with(mut self, round: u8, asked: u32, parts: Vec<Part>) -> Self {
        self.rounds = round;
        self.asked = asked;
        self.parts.extend(parts);
        self
    }

    /// No set of nodes could be had. After the first round, the answers that failed are the reason.
    pub(super) fn not_placed(self, error: ServeError) -> Self {
        let rounds = self.rounds;
        let nobody_left =
            matches!(error, ServeError::NoNodes { .. } | ServeError::TooFewNodes { .. });
        self.failed(if rounds > 0 && nobody_left {
            ServeError::NotVerified { rounds }
        } else {
            error
        })
    }

    /// No answer: nothing is charged, nobody is paid.
    pub(super) fn failed(mut self, error: ServeError) -> Self {
        for part in self.parts.iter_mut().filter(|part| part.outcome.is_paid()) {
            part.outcome = Outcome::Unverified;
            part.reason = format!("good as far as it was checked, but {error}");
        }
        Self { failure: Some(error), ..self }
    }

    /// The client left: what was agreed by then is charged.
    pub(super) fn cancelled(self, ids: &[TokenId]) -> Self {
        let completion_tokens = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        Self { state: JobState::Cancelled, completion_tokens, ids: ids.to_vec(), ..self }
    }

    /// The client has its answer.
    pub(super) fn succeeded(self, summary: Summary) -> Self {
        Self {
            state: JobState::Succeeded,
            completion_tokens: summary.completion_tokens,
            summary: Some(summary),
            ..self
        }
    }

    fn settlement(&self, app: &App, job: &Job) -> Settlement {
        let held = job.quote.highest();
        let share = |part: &Part| Share { account: part.owner, tokens: part.tokens_judged };
        let passed: Vec<Share> = self.paid().map(share).collect();
        if passed.is_empty() || self.failure.is_some() {
            return Settlement::nothing(held);
        }
        let rules = PayRules {
            fee_ppm: app.config.serving.fee_per_mille * 1_000,
            cap_per_mille: Some(PAY_CAP_PER_MILLE),
        };
        let asked = self.asked.max(u32::try_from(passed.len()).unwrap_or(u32::MAX));
        let cost = job.quote.cost(self.completion_tokens);
        payout(
            &assay_ledger::Round {
                held,
                cost,
                asked,
                tokens: self.completion_tokens,
                passed: &passed,
                majority_refuted: self.majority_refuted,
            },
            &rules,
        )
    }

    fn paid(&self) -> impl Iterator<Item = &Part> {
        self.parts.iter().filter(|part| part.outcome.is_paid())
    }

    fn reason(&self) -> String {
        match (&self.failure, self.state) {
            (Some(error), _) => error.to_string(),
            (None, JobState::Cancelled) => "the client left before the answer was whole".into(),
            (None, _) => "answered".into(),
        }
    }
}

/// Holds the highest cost of a job, with the row that says so.
pub(super) async fn hold(app: &App, caller: &Caller, job: &Job) -> Result<(), ServeError> {
    let deadline_ms = i64::try_from(app.config.serving.job_deadline_ms).unwrap_or(i64::MAX);
    let new = NewJob {
        id: job.id,
        gateway: app.keys.gateway_id().to_owned(),
        account: caller.account,
        key: caller.key,
        model: job.model.id().to_owned(),
        policy: job.risk.as_str().to_owned(),
        prompt_tokens: job.prompt_tokens(),
        max_tokens: job.max_tokens,
        hold: job.quote.highest(),
        created_ms: clock::now_ms(),
        lease: Some(app.lease.current()),
        lasts_ms_max: deadline_ms.saturating_add(HOLD_GRACE_MS),
        holds_open_max: app.config.serving.account_jobs_max,
    };
    match db::jobs::open(&app.db, &new).await {
        Ok(()) => {
            app.signatures.open(job.id);
            Ok(())
        }
        Err(OpenJobError::InsufficientCredit { available, needed }) => {
            Err(ServeError::InsufficientCredit { available, needed })
        }
        Err(OpenJobError::TooManyHolds { max }) => Err(ServeError::TooManyJobs { max }),
        Err(OpenJobError::OverBudget { left, needed }) => {
            Err(ServeError::OverBudget { left, needed })
        }
        Err(error) => {
            error!(job = %job.id, %error, "hold not stored, or not known to be");
            // It may have been stored all the same: then it is given back.
            let reason = "the hold could not be confirmed; nothing was charged";
            let end = given_back(job.id, job.quote.highest(), reason);
            match db::jobs::end(&app.db, &end).await {
                Ok(()) | Err(db::DbError::NotFound(_)) => {}
                Err(error) => {
                    warn!(job = %job.id, %error, "a hold may stay open until its deadline")
                }
            }
            Err(ServeError::Store)
        }
    }
}

/// Ends the hold, and tells the nodes how the job ended for them.
pub(super) async fn end(app: &App, job: &Job, ending: Ending, content: Bytes32) {
    let settlement = ending.settlement(app, job);
    let cost = settlement.cost;
    let mut end = job_end(job, &ending, settlement);
    end.receipt = receipts::write(app, &known(job, &ending, &end, content));
    store(app, &end).await;
    for part in &end.nodes {
        let checked_micro = part.checked_micro().into();
        let earned = Earned { pay: part.pay, ended_ms: end.ended_ms, checked_micro };
        app.pay.add(part.node, earned);
    }
    app.checkpoints.forget(job.id);
    app.log.has_news();
    let model = job.model.id();
    for part in &ending.parts {
        if let Some(check) = part.check {
            consequences::follow(app, part.node, model, check).await;
        }
    }
    for part in &ending.parts {
        part.handle.outcome(job.id, part.outcome, part.reason.clone());
    }
    metrics::counter!("assay_jobs_total", "state" => end.state.as_str()).increment(1);
    info!(
        job = %job.id,
        state = end.state.as_str(),
        rounds = ending.rounds,
        completion_tokens = ending.completion_tokens,
        cost_nano = cost.0,
        paid_nodes = ending.paid().count(),
        "job ended"
    );
}

/// The end of a job that came to nothing.
fn given_back(id: JobId, held: Nano, reason: &str) -> JobEnd {
    JobEnd {
        id,
        state: JobState::Failed,
        finish: None,
        completion_tokens: 0,
        rounds: 0,
        charge: Settlement::nothing(held),
        reason: reason.to_owned(),
        verdict: None,
        ended_ms: clock::now_ms(),
        nodes: Vec::new(),
        receipt: None,
    }
}

fn job_end(job: &Job, ending: &Ending, charge: Settlement) -> JobEnd {
    let mut pays = charge.pays.iter().map(|(_, pay)| *pay);
    let node_end = |part: &Part| JobNodeEnd {
        node: part.node,
        round: part.round,
        role: "generate",
        outcome: part.outcome,
        reason: part.reason.clone(),
        evidence: part.evidence.clone(),
        tokens: part.tokens,
        // In the order in which the settlement lists those who passed.
        pay: if part.outcome.is_paid() { pays.next().unwrap_or_default() } else { Nano::ZERO },
        elapsed_ms: part.elapsed_ms,
        reputation: part.check.map(Check::delta),
    };
    JobEnd {
        id: job.id,
        state: ending.state,
        finish: ending.summary.as_ref().map(|summary| summary.finish.as_str().to_owned()),
        completion_tokens: ending.completion_tokens,
        rounds: ending.rounds,
        reason: ending.reason(),
        verdict: ending
            .summary
            .as_ref()
            .and_then(|summary| serde_json::to_string(&summary.verdict).ok()),
        ended_ms: clock::now_ms(),
        nodes: ending.parts.iter().map(node_end).collect(),
        receipt: None,
        charge,
    }
}

/// What a receipt says of the job; `content` is of the text that went out.
fn known<'a>(job: &'a Job, ending: &'a Ending, end: &'a JobEnd, content: Bytes32) -> Known<'a> {
    let part = |part: &JobNodeEnd| {
        let JobNodeEnd { node, round, outcome, pay, .. } = *part;
        KnownPart { node, round, outcome, pay }
    };
    let summary = ending.summary.as_ref();
    Known {
        question: job.question(),
        salt: job.salt,
        request: job.request,
        nonce: job.nonce.as_deref(),
        client_seed: job.client_seed,
        risk: job.risk,
        max_tokens: job.max_tokens,
        state: ending.state,
        ids: summary.map_or(&ending.ids, |summary| &summary.ids),
        content,
        finish_reason: summary.map(|summary| summary.finish.as_str()),
        verdict: summary.map(|summary| &summary.verdict),
        charge: &end.charge,
        parts: end.nodes.iter().map(part).collect(),
        ended_ms: end.ended_ms,
    }
}

/// Money must not be lost to a hiccup of the store; the key makes a repeated end harmless.
async fn store(app: &App, end: &JobEnd) {
    let mut wait = SETTLE_RETRY;
    for attempt in 1..=SETTLE_TRIES {
        match db::jobs::end(&app.db, end).await {
            Ok(()) => return,
            Err(error) if attempt == SETTLE_TRIES => {
                error!(job = %end.id, %error, "settlement not stored; the job is ended by its last checkpoint after its deadline");
            }
            Err(error) => {
                warn!(job = %end.id, %error, attempt, "settlement not stored yet");
                tokio::time::sleep(wait).await;
                wait = SETTLE_RETRY_MAX.min(wait * 2);
            }
        }
    }
}

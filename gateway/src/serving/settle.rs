//! Ends a hold exactly once: settles it for what was used, or gives it back.

mod store;

use assay_ledger::{Earned, Nano, PayRules, Settlement, Share, payout};
use assay_model::Said;
use assay_protocol::{Outcome, TokenId};
use tracing::info;

use super::{
    delivery::{ServeError, Summary},
    job::Job,
    policy::PAY_CAP_PER_MILLE,
};
use crate::{
    app::App,
    clock,
    db::jobs::{JobEnd, JobNodeEnd, JobState},
    receipts::{self, Known, KnownPart},
    verification::{consequences, judgement::Part, reputation::Check},
};

use store::store;
pub(super) use store::{hold, word_wait};

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

    /// It came to something, but the request that it was a part of did not.
    pub(super) fn void(self) -> Self {
        let nothing = Self {
            state: JobState::Failed,
            summary: None,
            completion_tokens: 0,
            ids: Vec::new(),
            ..self
        };
        nothing.failed(ServeError::Incomplete)
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

/// Ends the hold, and tells the nodes how the job ended for them.
pub(super) async fn end(app: &App, job: &Job, ending: Ending, sent: Said) {
    let settlement = ending.settlement(app, job);
    let cost = settlement.cost;
    let mut end = job_end(job, &ending, settlement);
    end.receipt = receipts::write(app, &known(job, &ending, &end, &sent));
    store(app, &end).await;
    for part in &end.nodes {
        let checked_micro = part.checked_micro().into();
        let earned = Earned { pay: part.pay, ended_ms: end.ended_ms, checked_micro };
        app.pay.add(part.node, job.id, earned);
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
        code: ending.failure.as_ref().map(ServeError::code),
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

/// What a receipt says of the job; `sent` is all that went out.
fn known<'a>(job: &'a Job, ending: &'a Ending, end: &'a JobEnd, sent: &'a Said) -> Known<'a> {
    let part = |part: &JobNodeEnd| {
        let JobNodeEnd { node, round, outcome, pay, .. } = *part;
        KnownPart { node, round, outcome, pay }
    };
    let summary = ending.summary.as_ref();
    Known {
        question: job.question(),
        salt: job.salt,
        request: job.request,
        answer_id: &job.answer_id,
        nonce: job.nonce.as_deref(),
        client_seed: job.client_seed,
        risk: job.risk,
        prompt_tokens: job.prompt_tokens(),
        max_tokens: job.max_tokens,
        state: ending.state,
        ids: summary.map_or(&ending.ids, |summary| &summary.ids),
        sent,
        finish_reason: summary.map(|summary| summary.finish.as_str()),
        verdict: summary.map(|summary| &summary.verdict),
        charge: &end.charge,
        parts: end.nodes.iter().map(part).collect(),
        ended_ms: end.ended_ms,
    }
}

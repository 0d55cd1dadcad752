//! Audits of agreed answers: how likely each is, what is kept before it is drawn, and what is kept after.

use std::{
    mem,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use assay_protocol::{AnswerChain, Bytes32, TokenId};
use assay_verifier::{
    log::{Evidence, draw::Draw},
    receipt::Audit,
};
use serde_json::json;
use tracing::warn;

use super::judgement::Case;
use crate::{
    app::App,
    clock,
    db::{
        self, Db,
        audits::{AuditResult, AuditWrite, NewAudit},
    },
    receipts,
};

/// A probability as it is kept, published and compared: in millionths.
const CERTAIN_PPM: u32 = 1_000_000;

/// Decides whether the model is asked about an answer that its nodes agree on. What decides is kept first, so
/// that nobody can say afterwards that it was less likely. Where it cannot be kept, the answer is audited.
pub(crate) async fn draw(app: &App, case: &Case<'_>) -> bool {
    let Some(ids) = case.first_answer() else { return false };
    let now_ms = clock::now_ms();
    let Some(key) = app.epochs.key(now_ms) else { return true };
    let (q_ppm, inputs) = probability(app, case, ids, now_ms);
    let answer_hash = answer_hash(case, ids);
    let (job, round) = (case.question.job, case.round);
    let new = NewAudit { job, round, epoch: key.number, answer_hash, q_ppm, inputs, at_ms: now_ms };
    let Some(checkpoint) = keep(app, new).await else { return true };
    let epoch = key.number.unsigned_abs();
    let audit = Audit { epoch, commitment: key.commitment(), q_ppm };
    app.signatures.drawn(job, audit, answer_hash);
    key.draws(&Draw { job, link: answer_hash, checkpoint, q_ppm })
}

/// The log's root over what was kept; zeros where no log is. None where it could not be kept.
async fn keep(app: &App, new: NewAudit) -> Option<Bytes32> {
    if app.config.receipts.enabled {
        return receipts::draw(app, new).await;
    }
    let kept = app.audits.write(&app.db, app.keys.gateway_id(), AuditWrite::New(new)).await;
    kept.then_some(Bytes32([0; 32]))
}

/// Keeps what was drawn, and what came of it if anything did by now.
pub(crate) async fn conclude(
    app: &App,
    case: &Case<'_>,
    drawn: bool,
    result: Option<AuditResult>,
    evidence: Option<Evidence>,
) {
    let (job, round, at_ms) = (case.question.job, case.round, clock::now_ms());
    let rests_on = evidence.map(|evidence| receipts::audited(app, &evidence));
    let end = AuditWrite::End { job, round, drawn, result, at_ms, rests_on };
    app.audits.write(&app.db, app.keys.gateway_id(), end).await;
    app.log.has_news();
    let result = result.map_or(if drawn { "open" } else { "not_drawn" }, AuditResult::as_str);
    metrics::counter!("assay_audits_total", "result" => result).increment(1);
}

/// The largest of the members' own, in millionths, rounded up; and what it rests on, as JSON.
fn probability(app: &App, case: &Case<'_>, ids: &[TokenId], now_ms: i64) -> (u32, String) {
    let model = case.question.model.id();
    let braked = app.brakes.is_engaged(model, now_ms);
    // Nobody who is still here answers for a prefix that was handed over.
    let handed = case.branches.iter().any(|b| b.is_live() && b.prefix_tokens() > 0);
    let whole = case.branches.iter().filter(|branch| branch.whole(case.cut).is_some());
    let count = i64::try_from(whole.count()).unwrap_or(i64::MAX).max(1);
    // Whoever is not done yet may be paid too.
    let members = case.branches.iter().filter(|branch| branch.is_live());
    let cost = case.quote.cost(u32::try_from(ids.len()).unwrap_or(u32::MAX));
    let pay = cost.0 / count;
    let mut q = app.config.verification.audit_probability_min;
    let mut inputs = Vec::new();
    for branch in members {
        let node = branch.node();
        let record = app.reputation.record(node, model);
        let at_stake = app.pay.immature(node, now_ms).0;
        q = record.audit_probability(pay, at_stake).max(q);
        inputs.push(json!({
            "node": node,
            "passes": record.evidence.passes,
            "failures": record.evidence.failures,
            "checks_due": record.checks_due,
            "at_stake_nano": at_stake.to_string(),
        }));
    }
    let certain = braked || handed || case.must_audit;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=10^6"
    )]
    let ppm = (q * f64::from(CERTAIN_PPM)).ceil().clamp(0.0, f64::from(CERTAIN_PPM)) as u32;
    let inputs = json!({
        "pay_nano": pay.to_string(), "braked": braked, "handed_over": handed, "dissent": case.must_audit,
        "members": inputs,
    });
    (if certain { CERTAIN_PPM } else { ppm }, inputs.to_string())
}

/// The last link of the answer's salted hash chain: what its nodes signed.
fn answer_hash(case: &Case<'_>, ids: &[TokenId]) -> Bytes32 {
    let question = &case.question;
    AnswerChain::start(question.job, question.salt, question.prompt).extended(ids).hash()
}

/// Commits together what waits at the same time: whoever comes while one commit runs shares the next.
#[derive(Debug, Default)]
pub struct AuditLog {
    waiting: Mutex<Vec<Waiting>>,
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Waiting {
    write: AuditWrite,
    done: Arc<OnceLock<bool>>,
}

impl AuditLog {
    /// False when the store did not take it.
    pub(crate) async fn write(&self, db: &Db, gateway: &str, write: AuditWrite) -> bool {
        let done = Arc::new(OnceLock::new());
        self.lock().push(Waiting { write, done: done.clone() });
        let _turn = self.turn.lock().await;
        if let Some(done) = done.get() {
            return *done;
        }
        let batch = mem::take(&mut *self.lock());
        let writes: Vec<AuditWrite> = batch.iter().map(|waiting| waiting.write.clone()).collect();
        let taken = db::audits::write(db, gateway, &writes).await;
        if let Err(error) = &taken {
            warn!(%error, count = writes.len(), "audits are not stored");
        }
        for waiting in batch {
            let _ = waiting.done.set(taken.is_ok());
        }
        taken.is_ok()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        // Nothing panics while it holds the lock; if it did, the list would still be whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

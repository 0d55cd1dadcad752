//! Writes the receipt of a job that ends: what is known of it, signed, and its entry for the log.

use assay_ledger::{Nano, Settlement};
use assay_model::{FinishReason, Said};
use assay_protocol::{AnswerChain, Bytes32, Finish, JobId, NodeId, Outcome, Sampling, TokenId};
use assay_verifier::{
    Receipt,
    receipt::{
        Audit, Money, Part, Policy, Response, SeedFrom, State, Verdict,
        bound::{self, content_digest, request_hash, tool_calls_digest},
        key_id,
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{
    signatures::{Kept, Notes},
    to_store,
};
use crate::{
    app::App,
    db::{jobs::JobState, log::NewEntry},
    serving::{self, Question, Risk},
};

/// Nothing was answered, so nothing was hashed.
const NO_LINK: Bytes32 = Bytes32([0; 32]);
/// Logits and variances are written as whole numbers of this part.
const NANO: f64 = 1e9;

/// What is known of a job at its end.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) question: Question<'a>,
    pub(crate) salt: Bytes32,
    /// Of the canonical request.
    pub(crate) request: Bytes32,
    /// What the whole answer is called.
    pub(crate) answer_id: &'a str,
    pub(crate) nonce: Option<&'a str>,
    pub(crate) client_seed: bool,
    pub(crate) risk: Risk,
    pub(crate) prompt_tokens: u32,
    pub(crate) max_tokens: u32,
    pub(crate) state: JobState,
    /// The answer, as far as it was sent; empty when nothing was.
    pub(crate) ids: &'a [TokenId],
    /// What was sent.
    pub(crate) sent: &'a Said,
    /// OpenAI's word, of an answer that is whole.
    pub(crate) finish_reason: Option<&'static str>,
    pub(crate) verdict: Option<&'a serving::Verdict>,
    pub(crate) charge: &'a Settlement,
    pub(crate) parts: Vec<KnownPart>,
    pub(crate) ended_ms: i64,
}

/// One node's part in one round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownPart {
    pub(crate) node: NodeId,
    pub(crate) round: u8,
    pub(crate) outcome: Outcome,
    pub(crate) pay: Nano,
}

/// Signs the receipt; what is stored with the job's end. Nothing when receipts are switched off.
pub(crate) fn write(app: &App, known: &Known<'_>) -> Option<NewEntry> {
    let notes = app.signatures.take(known.question.job);
    if !app.config.receipts.enabled {
        return None;
    }
    let receipt = receipt(app, known, &notes);
    let signed = app.keys.sign_receipt(&receipt);
    let entry = receipt.entry(signed.hash());
    Some(NewEntry {
        gateway: app.keys.gateway_id().to_owned(),
        key: entry_key(receipt.job),
        entry: BASE64.encode(entry.encode()),
        receipt: Some(to_store(&signed)),
    })
}

/// An answer's key in the log.
fn entry_key(job: JobId) -> String {
    job.to_string()
}

fn receipt(app: &App, known: &Known<'_>, notes: &Notes) -> Receipt {
    let kept = notes.signed.as_slice();
    let Question { job, model, sampling, seed, .. } = known.question;
    let links = Links::of(known, kept);
    let count = |ids: &[TokenId]| u32::try_from(ids.len()).unwrap_or(u32::MAX);
    let usage = (known.prompt_tokens, count(known.ids));
    let response = known.finish_reason.map(|finish_reason| {
        let calls = (0..).zip(known.sent.calls.iter().cloned());
        let calls: Vec<_> = calls.map(|(index, call)| bound::call(job, index, call)).collect();
        let response = Response {
            id: known.answer_id.to_owned(),
            model: model.id().to_owned(),
            finish_reason: finish_reason.to_owned(),
            prompt_tokens: usage.0,
            completion_tokens: usage.1,
            content: content_digest(&known.sent.content),
            tool_calls: tool_calls_digest(&calls),
        };
        response.hash(known.salt)
    });
    Receipt {
        gateway: key_id(app.keys.public_key()),
        job,
        time_ms: known.ended_ms.unsigned_abs(),
        state: match known.state {
            JobState::Succeeded => State::Succeeded,
            JobState::Cancelled => State::Cancelled,
            JobState::Failed | JobState::Running => State::Failed,
        },
        policy: match known.risk {
            Risk::Low => Policy::Low,
            Risk::Standard => Policy::Standard,
            Risk::High => Policy::High,
        },
        seed_from: match known.nonce {
            _ if known.client_seed => SeedFrom::Client,
            Some(_) => SeedFrom::Nonce,
            None => SeedFrom::Gateway,
        },
        nonce: known.nonce.map(str::to_owned),
        salt: known.salt,
        request: request_hash(known.salt, known.request),
        response,
        manifest_hash: model.text.manifest_hash,
        limits_hash: model.limits_hash,
        sampling: Sampling { grammar: None, ..sampling.clone() },
        grammar: sampling.grammar_hash(),
        seed,
        prompt_tokens: usage.0,
        max_tokens: known.max_tokens,
        completion_tokens: usage.1,
        prompt_link: links.prompt,
        answer_link: links.answer,
        verdict: known.verdict.map(|verdict| verdict_of(known, verdict)),
        audit: audit(notes, links.answer),
        money: money(known.charge),
        parts: known.parts.iter().map(|part| part_of(app, model.id(), part, kept)).collect(),
    }
}

/// The first and the last link of the answer's chain.
struct Links {
    prompt: Bytes32,
    answer: Bytes32,
}

impl Links {
    /// Nodes signed them already, as a rule; hashing every token once more is for the other cases.
    fn of(known: &Known<'_>, kept: &[Kept]) -> Self {
        let Question { job, prompt, .. } = known.question;
        let start = kept.iter().find(|kept| kept.signed.from == 0).map(|kept| kept.signed.h_from);
        let chain = || AnswerChain::start(job, known.salt, prompt);
        if known.ids.is_empty() {
            let prompt = start.unwrap_or_else(|| chain().hash());
            // Vectors follow from the inputs alone: their link stands for both.
            let answer = if finish(known) == Finish::Embedded { prompt } else { NO_LINK };
            return Self { prompt, answer };
        }
        let signed = signed_by_all_paid(known, kept);
        match (start, signed) {
            (Some(prompt), Some(answer)) => Self { prompt, answer },
            _ => {
                let chain = chain();
                Self { prompt: chain.hash(), answer: chain.extended(known.ids).hash() }
            }
        }
    }
}

/// The link under an answer that ended by itself, if all who are paid signed the same one. Where they differ, or a stop
/// string cut the answer, signatures do not tell.
fn signed_by_all_paid(known: &Known<'_>, kept: &[Kept]) -> Option<Bytes32> {
    if known.state != JobState::Succeeded || finish(known) == Finish::Told {
        return None;
    }
    let is_paid = |kept: &&Kept| {
        let is_it = |part: &&KnownPart| part.node == kept.node && part.round == kept.round;
        known.parts.iter().find(is_it).is_some_and(|part| part.outcome.is_paid())
    };
    let mut links = kept.iter().filter(is_paid).map(|kept| (kept.signed.to, kept.signed.h_to));
    let (to, link) = links.next()?;
    let same = links.all(|other| other == (to, link)) && to as usize == known.ids.len();
    same.then_some(link)
}

/// How this answer's audit was drawn. An answer that nobody drew for was scored, or is none.
fn audit(notes: &Notes, link: Bytes32) -> Audit {
    match notes.audit {
        Some((audit, drawn_for)) if drawn_for == link => audit,
        _ => Audit { epoch: 0, commitment: NO_LINK, q_ppm: 0 },
    }
}

fn verdict_of(known: &Known<'_>, verdict: &serving::Verdict) -> Verdict {
    let rule = serde_json::to_value(verdict.rule).ok();
    Verdict {
        rule: rule.and_then(|rule| rule.as_str().map(str::to_owned)).unwrap_or_default(),
        round: verdict.round,
        nodes_asked: verdict.nodes_asked,
        finish: finish(known),
        positions_checked: verdict.positions_checked,
        largest_margin_nano: verdict.largest_margin.map(nano),
        sigma2_nano: verdict.sigma2.map(nano),
    }
}

/// Why the ids end: an end token, the limit, or a stop string in their text.
fn finish(known: &Known<'_>) -> Finish {
    let ends = known.ids.last().is_some_and(|id| known.question.model.text.is_end(*id));
    match known.finish_reason {
        Some(reason) if reason == FinishReason::Length.as_str() => Finish::Length,
        Some(reason) if reason == FinishReason::Embedded.as_str() => Finish::Embedded,
        _ if ends => Finish::Stop,
        _ => Finish::Told,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a margin is finite and not negative; a cast of floats keeps to the type's bounds"
)]
pub(crate) fn nano(value: f64) -> u64 {
    (value * NANO).ceil() as u64
}

fn money(charge: &Settlement) -> Money {
    let amount = |nano: Nano| nano.0.unsigned_abs();
    Money {
        held: amount(charge.cost) + amount(charge.returned),
        cost: amount(charge.cost),
        fee: amount(charge.fee),
        reserve: amount(charge.reserve),
        returned: amount(charge.returned),
    }
}

fn part_of(app: &App, model: &str, part: &KnownPart, kept: &[Kept]) -> Part {
    let KnownPart { node, round, outcome, pay } = *part;
    let signed = kept.iter().find(|kept| kept.node == node && kept.round == round);
    Part {
        node,
        // One that was not tested, or left in the meantime, has none.
        class: app.nodes.class(node, model).unwrap_or_default(),
        round,
        outcome: outcome.as_str().to_owned(),
        pay: pay.0.unsigned_abs(),
        signed: signed.map(|kept| kept.signed.clone()),
    }
}

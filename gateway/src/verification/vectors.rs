//! Decides a round of vectors: which are the client's, who is paid, and why everybody else is not.

use std::time::{Duration, Instant};

use assay_protocol::{AnswerChain, Finish, NodeId, Outcome, TokenId};
use assay_verifier::{
    Answer, Finding, Scorer, Told, Verdict as Ruling,
    brake::Checked,
    embedding::{
        Embedded as Given, Step, Truth, VECTOR_MARGIN, Vectors, difference, judge_vectors,
    },
    log::{Evidence, evidence::Scored},
};
use tracing::error;

use super::{
    audits,
    evidence::PartEvidence,
    judgement::{Case, Part, left_out, part, timed},
    reputation::Check,
    scorer::{self, Until},
    truth,
    weighing::{Found, weigh},
};
use crate::{
    app::App,
    db::audits::AuditResult,
    receipts::{self, nano},
    serving::Verdict,
};

/// How a round of vectors came out.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) accepted: Option<Embedded>,
    /// Whether the model contradicts what several owners gave.
    pub(crate) majority_refuted: bool,
    pub(crate) parts: Vec<Part>,
}

/// The vectors that are the client's.
#[derive(Debug)]
pub(crate) struct Embedded {
    pub(crate) components: Vec<f32>,
    pub(crate) verdict: Verdict,
}

/// Asks the scorers whatever the verdict needs, and decides.
pub(crate) async fn decide(app: &App, case: &Case<'_>, inputs: &[Vec<TokenId>]) -> Judgement {
    let answers: Vec<Given> = case.branches.iter().filter_map(given).collect();
    let audited = audits::draw(app, case).await;
    let mut truths = Vec::new();
    let ruling = rule(app, case, inputs, &answers, &mut truths, audited).await;
    conclude_audit(app, case, audited, &answers, &truths, &ruling).await;
    tell_disputes(app, &answers, &truths, &ruling);
    let checks = checks(app, case, &answers, &truths, &ruling);
    let accepted = ruling.winner.map(|winner| Embedded {
        components: answers[winner].components.clone(),
        verdict: client_verdict(case, &answers, &truths, &ruling, winner, audited),
    });
    let mut judged = (0..answers.len()).zip(checks);
    let parts = case.branches.iter().filter_map(|branch| {
        if branch.vectors.is_none() {
            return left_out(case.round, branch);
        }
        let (index, check) = judged.next()?;
        let outcome = ruling.outcomes[index];
        let off = truths.last().map(|truth| off(&answers[index], truth));
        let evidence = PartEvidence {
            vectors: Some(inputs.len()),
            vector_difference: off,
            vector_difference_allowed: Some(VECTOR_MARGIN),
            scorer: truths.last().map(|truth| truth.scorer),
            answers_judged: Some(answers.len()),
            ..PartEvidence::default()
        };
        let part = part(case.round, branch, outcome, reason(outcome, off));
        Some(Part { check, evidence: timed(branch, evidence), ..part })
    });
    Judgement {
        parts: parts.collect(),
        majority_refuted: is_majority_refuted(&answers, &ruling.outcomes),
        accepted,
    }
}

fn given(branch: &crate::serving::Branch) -> Option<Given> {
    let components = branch.vectors.clone()?;
    Some(Given { node: branch.node(), owner: assay_verifier::OwnerId(branch.owner.0), components })
}

async fn rule(
    app: &App,
    case: &Case<'_>,
    inputs: &[Vec<TokenId>],
    answers: &[Given],
    truths: &mut Vec<Truth>,
    audited: bool,
) -> Ruling {
    let question = case.question;
    let embedding = question.model.text.manifest.embedding;
    let wait = Duration::from_millis(app.config.serving.scorer_wait_ms);
    // What was whole at the job's deadline is still judged.
    let heard = case.deadline.max(Instant::now() + wait);
    let mut setting = Vectors {
        dimensions: embedding.map_or(0, |embedding| embedding.dimensions as usize),
        asked: case.owners_wanted,
        // Vectors do not wait for a scorer to come: only for one that is busy.
        score_all: case.score_always || (audited && scorer::is_available(app, question)),
        trusted_alone: case.alone,
        scorer: Scorer::Available,
        second_scorer: Scorer::Available,
    };
    loop {
        match judge_vectors(answers, truths, &setting) {
            Step::Decided(ruling) => return ruling,
            Step::NeedsTruth => {
                // A scorer that is merely busy is worth all the time of the job.
                let found = match scorer::is_available(app, question) {
                    true => heard,
                    false => heard.min(Instant::now() + wait),
                };
                match truth::compute(app, question, inputs, Until { found, heard }, &[]).await {
                    Some(truth) => truths.push(truth),
                    // An audit that finds none does not hold up what everybody agrees on.
                    None => {
                        setting.scorer = Scorer::Absent;
                        setting.score_all = case.score_always;
                    }
                }
            }
            Step::NeedsSecondTruth => {
                let looked: Vec<NodeId> = truths.iter().map(|truth| truth.scorer).collect();
                let second = match scorer::is_another_available(app, question, &looked) {
                    true => truth::compute(app, question, inputs, heard.into(), &looked).await,
                    false => None,
                };
                match second {
                    Some(truth) => truths.push(truth),
                    None => setting.second_scorer = Scorer::Absent,
                }
            }
        }
    }
}

fn off(answer: &Given, truth: &Truth) -> f64 {
    difference(&answer.components, &truth.components)
}

/// Whether the model speaks against vectors that several owners gave.
fn is_majority_refuted(answers: &[Given], outcomes: &[Outcome]) -> bool {
    let refuted = || answers.iter().zip(outcomes).filter(|(_, outcome)| outcome.is_refuted());
    let near =
        |a: &Given, b: &Given| difference(&a.components, &b.components) <= 2.0 * VECTOR_MARGIN;
    refuted().any(|(a, _)| refuted().any(|(b, _)| a.owner != b.owner && near(a, b)))
}

/// Keeps what came of the draw. Vectors do not wait for a scorer: an audit that found none is dropped.
async fn conclude_audit(
    app: &App,
    case: &Case<'_>,
    audited: bool,
    answers: &[Given],
    truths: &[Truth],
    ruling: &Ruling,
) {
    let failed = ruling.findings.iter().any(|it| matches!(it, Some(Finding::Failed { .. })));
    let disputed =
        |winner: usize| truths.iter().any(|it| off(&answers[winner], it) > VECTOR_MARGIN);
    let result = match ruling.winner {
        _ if !audited => None,
        _ if truths.is_empty() => Some(AuditResult::Dropped),
        _ if failed => Some(AuditResult::Failed),
        Some(winner) if disputed(winner) => Some(AuditResult::Disputed),
        Some(_) => Some(AuditResult::Passed),
        None => Some(AuditResult::Dropped),
    };
    if case.first_answer().is_none() {
        return;
    }
    let evidence = result.and_then(receipts::logged_result).map(|result| Evidence {
        job: case.question.job,
        round: case.round,
        result,
        scored: ruling.winner.map_or_else(Vec::new, |winner| {
            truths.iter().map(|truth| scored(case, &answers[winner], truth)).collect()
        }),
    });
    audits::conclude(app, case, audited, result, evidence).await;
}

/// How far each vector of the client's is from the truth, in the place of margins.
fn scored(case: &Case<'_>, answer: &Given, truth: &Truth) -> Scored {
    let question = case.question;
    let dimensions = question.model.text.manifest.embedding.map_or(1, |it| it.dimensions as usize);
    let pairs = answer.components.chunks(dimensions).zip(truth.components.chunks(dimensions));
    Scored {
        scorer: truth.scorer,
        link: AnswerChain::start(question.job, question.salt, question.prompt).hash(),
        margins_nano: pairs.map(|(said, found)| nano(difference(said, found))).collect(),
        positions: Vec::new(),
        nodes: Vec::new(),
    }
}

/// Scorers that contradict each other: one of them is broken or of another class, and a person must look.
fn tell_disputes(app: &App, answers: &[Given], truths: &[Truth], ruling: &Ruling) {
    let [first, second] = truths else { return };
    let spared = (0..answers.len()).find(|index| {
        ruling.outcomes[*index].is_paid() && off(&answers[*index], first) > VECTOR_MARGIN
    });
    if let Some(index) = spared {
        app.disputes.add_one();
        error!(
            node = %answers[index].node, confirmed_by = %second.scorer, refuted_by = %first.scorer,
            "scorers contradict each other; nobody is punished"
        );
    }
}

/// What each check means for its node.
fn checks(
    app: &App,
    case: &Case<'_>,
    answers: &[Given],
    truths: &[Truth],
    ruling: &Ruling,
) -> Vec<Option<Check>> {
    let as_answers: Vec<Answer> = answers.iter().map(as_answer).collect();
    let found: Vec<Option<Found<'_>>> = (0..answers.len())
        .map(|index| {
            let finding = ruling.findings[index]?;
            let over_limit = truths.last().map(|it| off(&answers[index], it) / VECTOR_MARGIN);
            let checked = match finding {
                Finding::Passed { .. } => Checked::Passed,
                Finding::Failed { .. } => Checked::Failed {
                    over_limit: over_limit.unwrap_or(f64::INFINITY),
                    structural: ruling.outcomes[index] == Outcome::FailedStructure,
                },
            };
            Some(Found { answer: &as_answers[index], finding, checked })
        })
        .collect();
    let all: Vec<Found<'_>> = found.iter().copied().flatten().collect();
    let mut checks = weigh(app, case.question, case.account, &all).into_iter();
    found.into_iter().map(|found| found.and_then(|_| checks.next())).collect()
}

/// Whose it is: that is all that weighing asks of an answer.
fn as_answer(given: &Given) -> Answer {
    Answer {
        node: given.node,
        owner: given.owner,
        ids: Vec::new(),
        from: 0,
        logits: Vec::new(),
        logprobs: Vec::new(),
        finish: Finish::Embedded,
        told: Told::No,
    }
}

fn client_verdict(
    case: &Case<'_>,
    answers: &[Given],
    truths: &[Truth],
    ruling: &Ruling,
    winner: usize,
    audited: bool,
) -> Verdict {
    let near = |it: &&Given| {
        difference(&it.components, &answers[winner].components) <= 2.0 * VECTOR_MARGIN
    };
    let agreed = answers.iter().filter(near).count();
    let checked = truths.last().map(|truth| scored(case, &answers[winner], truth));
    let positions = checked.map_or(0, |scored| scored.margins_nano.len());
    Verdict {
        rule: ruling.rule,
        policy: case.risk,
        round: case.round,
        nodes_asked: case.asked,
        nodes_agreed: u32::try_from(agreed).unwrap_or(u32::MAX),
        audited,
        positions_checked: u32::try_from(positions).unwrap_or(u32::MAX),
        largest_margin: truths.last().map(|truth| off(&answers[winner], truth)),
        sigma2: None,
    }
}

fn reason(outcome: Outcome, off: Option<f64>) -> String {
    match (outcome, off) {
        (Outcome::FailedStructure, _) => "a vector has not length 1".into(),
        (Outcome::FailedWholeAnswer, Some(off)) => format!(
            "a component of its vectors is {off:.2e} off the model's, where {VECTOR_MARGIN:.0e} is allowed"
        ),
        (Outcome::Agreed, Some(_)) => "near other owners' vectors, and the model's own".into(),
        (Outcome::Agreed, None) => "near other owners' vectors".into(),
        (Outcome::Passed, _) => "nobody agreed, but these are the model's vectors".into(),
        (Outcome::Trusted, _) => "proven, asked alone, and not drawn for a check".into(),
        _ => "nobody could judge these vectors; it is not held against the node".into(),
    }
}

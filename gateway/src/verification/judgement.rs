//! Decides a round: which answer is the client's, who is paid, and why everybody else is not.

use std::time::{Duration, Instant};

use assay_ledger::{AccountId, Quote};
use assay_protocol::{Finish, NodeId, Outcome, TokenId};
use assay_verifier::{
    Answer, Finding, Judgement as Step, OwnerId, Rule, Rules, Scored, Scorer, Setting, SpotCheck,
    Told, brake::Checked, deciding, judge, spot_check,
};
use futures_util::future::join_all;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tracing::{error, warn};

use super::{
    audit_queue, audits,
    explanation::explain,
    reputation::Check,
    scorer::{self, Score},
    weighing::{Found, weigh},
};
use crate::{
    app::App,
    db::audits::AuditResult,
    nodes::NodeHandle,
    serving::{Branch, Question, Risk, Stage, Verdict},
};

/// What is judged: the whole answers of one round, and what became of the others.
#[derive(Debug)]
pub(crate) struct Case<'a> {
    pub(crate) question: Question<'a>,
    /// Who asked.
    pub(crate) account: AccountId,
    pub(crate) quote: &'a Quote,
    pub(crate) rules: Rules,
    pub(crate) risk: Risk,
    pub(crate) round: u8,
    /// Nodes that got the work in the first place.
    pub(crate) asked: u32,
    /// Owners that the policy wants to hear; with fewer, every answer is scored.
    pub(crate) owners_wanted: u32,
    /// Whether one proven node was to answer alone.
    pub(crate) alone: bool,
    /// Score the answers even when everybody agrees, and accept none without.
    pub(crate) score_always: bool,
    pub(crate) branches: &'a [Branch],
    /// What the model said while they wrote.
    pub(crate) found: &'a [Score],
    /// How many of the output tokens count: a stop string, or a client that left.
    pub(crate) cut: Option<usize>,
    /// What the client has been sent already.
    pub(crate) released: &'a [TokenId],
    /// Whether the model is asked although all agree, if that was drawn already.
    pub(crate) audited: Option<bool>,
    /// When the job is given up.
    pub(crate) deadline: Instant,
}

impl<'a> Case<'a> {
    /// The first whole answer: of answers that agree, what all of them say.
    pub(super) fn first_answer(&self) -> Option<&'a [TokenId]> {
        self.branches.iter().find_map(|branch| branch.whole(self.cut).map(|(ids, _)| ids))
    }
}

/// How a round came out.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) accepted: Option<Accepted>,
    /// Whether what the client has been sent turned out to be wrong: no round can mend that.
    pub(crate) contradicted: bool,
    /// Whether the model contradicts an answer that several owners gave.
    pub(crate) majority_refuted: bool,
    /// Whether scorers contradict each other: then what one of them says ends nothing.
    pub(crate) disputed: bool,
    pub(crate) parts: Vec<Part>,
}

/// The answer that is the client's.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) ids: Vec<TokenId>,
    pub(crate) finish: Finish,
    pub(crate) verdict: Verdict,
}

/// One node's part in one round, for its pay, its reputation and its operator.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) node: NodeId,
    pub(crate) handle: NodeHandle,
    pub(crate) owner: AccountId,
    pub(crate) round: u8,
    pub(crate) outcome: Outcome,
    /// A sentence for the operator.
    pub(crate) reason: String,
    /// JSON: what the sentence rests on.
    pub(crate) evidence: String,
    /// Tokens that it sent.
    pub(crate) tokens: u32,
    /// Those of them that were judged: its share of the pay, if it is paid.
    pub(crate) tokens_judged: u32,
    pub(crate) elapsed_ms: i64,
    /// What it means for the node's reputation, if the answer was checked.
    pub(crate) check: Option<Check>,
}

/// Asks the scorers whatever the verdict needs, and decides.
pub(crate) async fn decide(app: &App, case: &Case<'_>) -> Judgement {
    let told = case.branches.iter().map(|branch| branch.answer(case.cut)).collect::<Vec<_>>();
    let answers: Vec<Answer> = told.iter().flatten().cloned().collect();
    let audited = match case.audited {
        Some(audited) => audited,
        None => audits::draw(app, case).await,
    };
    let mut scores = Scores::default();
    scores.add_found(app, case, &answers);
    let (mut scorer, mut second_scorer) = (Scorer::Available, Scorer::Available);
    let verdict = loop {
        let setting = Setting {
            asked: case.owners_wanted,
            // An audit that finds no scorer does not hold up what everybody agrees on.
            score_all: case.score_always || (audited && scorer == Scorer::Available),
            scorer,
            trusted_alone: case.alone,
            second_scorer,
            released: case.released,
        };
        match judge(&answers, &scores.0, &setting, &case.rules) {
            Step::Decided(verdict) => break verdict,
            Step::NeedsScores(open) => {
                let open: Vec<&Answer> = open.into_iter().map(|index| &answers[index]).collect();
                if !scores.score(app, case, &open).await {
                    scorer = Scorer::Absent;
                }
            }
            Step::NeedsSecondScore(open) => {
                let open: Vec<&Answer> = open.into_iter().map(|index| &answers[index]).collect();
                if !scores.score_again(app, case, &open).await {
                    second_scorer = Scorer::Absent;
                }
            }
        }
    };
    let accepted = verdict.winner.map(|winner| Accepted {
        ids: answers[winner].ids.clone(),
        finish: answers[winner].finish,
        verdict: Verdict { audited, ..client_verdict(case, &answers, winner, &verdict, &scores) },
    });
    let disputed = scores.tell_disputes(app, &answers);
    conclude_audit(app, case, audited, &answers, &verdict, &scores).await;
    let checks = checks(app, case, &answers, &verdict, &scores);
    let mut judged = answers.iter().zip(verdict.outcomes.iter().zip(checks));
    let parts = case.branches.iter().zip(&told).filter_map(|(branch, told)| match told {
        Some(_) => {
            let (answer, (outcome, check)) = judged.next()?;
            let part = judged_part(case, branch, answer, *outcome, &answers, &scores);
            Some(Part { check, ..part })
        }
        None => left_out(case.round, branch),
    });
    Judgement {
        parts: parts.collect(),
        contradicted: verdict.rule == Rule::ReleasedContradicted,
        majority_refuted: is_majority_refuted(&answers, &verdict.outcomes),
        disputed,
        accepted,
    }
}

/// Keeps what came of the draw; an audit that found no scorer waits for one.
async fn conclude_audit(
    app: &App,
    case: &Case<'_>,
    audited: bool,
    answers: &[Answer],
    verdict: &assay_verifier::Verdict,
    scores: &Scores,
) {
    let failed = verdict.findings.iter().any(|f| matches!(f, Some(Finding::Failed { .. })));
    let is_scored = |winner: usize| scores.about(&answers[winner]).next().is_some();
    let result = match (audited, verdict.winner.map(is_scored)) {
        (false, _) => None,
        // What the client got was not looked at, whatever was found of others.
        (true, Some(false)) => Some(AuditResult::Queued),
        (true, None) if scores.0.is_empty() => Some(AuditResult::Dropped),
        (true, _) if failed => Some(AuditResult::Failed),
        (true, _) => Some(AuditResult::Passed),
    };
    if case.first_answer().is_some() {
        audits::conclude(app, case, audited, result).await;
    }
    if result == Some(AuditResult::Queued) {
        let agreed: Vec<Answer> = answers
            .iter()
            .zip(&verdict.outcomes)
            .filter(|(_, outcome)| outcome.is_paid())
            .map(|(answer, _)| answer.clone())
            .collect();
        audit_queue::keep(app, case, &agreed).await;
    }
}

/// The parts of a round that came to no verdict: nobody is paid, and only those who left are to blame.
pub(crate) fn undecided(round: u8, branches: &[Branch]) -> Vec<Part> {
    let part = |branch: &Branch| match branch.stage {
        Stage::Lost(..) => left_out(round, branch),
        _ if branch.is_live() => {
            let reason = "the job ended before its answer could be judged";
            Some(part(round, branch, Outcome::Cancelled, reason.into()))
        }
        _ => None,
    };
    branches.iter().filter_map(part).collect()
}

/// What scorers said so far.
#[derive(Debug, Default)]
struct Scores(Vec<Scored>);

impl Scores {
    /// Scores these answers at once. False when one could not be scored in time.
    async fn score(&mut self, app: &App, case: &Case<'_>, open: &[&Answer]) -> bool {
        // A scorer that is merely busy is worth all the time of the job: audits must not be starved.
        let wait = Duration::from_millis(app.config.serving.scorer_wait_ms);
        let until = match scorer::is_available(app, case.question) {
            true => case.deadline,
            false => case.deadline.min(Instant::now() + wait),
        };
        let scores =
            open.iter().map(|answer| scorer::score(app, case.question, &answer.ids, until));
        let mut all = true;
        for (answer, score) in open.iter().zip(join_all(scores).await) {
            all &= score.is_some_and(|score| self.add(app, case, answer, score));
        }
        all
    }

    /// Has each of these scored by somebody who has not looked at it yet. False when one was not.
    async fn score_again(&mut self, app: &App, case: &Case<'_>, open: &[&Answer]) -> bool {
        let mut all = true;
        for answer in open {
            let looked: Vec<NodeId> = self.about(answer).map(|scored| scored.scorer).collect();
            if !scorer::is_another_available(app, case.question, &looked) {
                all = false;
                continue;
            }
            let (question, until) = (case.question, case.deadline);
            let score = scorer::score_by_another(app, question, &answer.ids, until, &looked).await;
            all &= score.is_some_and(|score| self.add(app, case, answer, score));
        }
        all
    }

    /// Scorers that contradict each other: one of them is broken or of another class, and a person must look.
    fn tell_disputes(&self, app: &App, answers: &[Answer]) -> bool {
        let mut any = false;
        for answer in answers {
            let confirms = |scored: &&Scored| scored.check.confirms(answer);
            let (confirming, refuting): (Vec<_>, Vec<_>) = self.about(answer).partition(confirms);
            if let (Some(confirming), Some(refuting)) = (confirming.first(), refuting.first()) {
                any = true;
                app.disputes.add_one();
                error!(
                    node = %answer.node, confirmed_by = %confirming.scorer,
                    refuted_by = %refuting.scorer, "scorers contradict each other; nobody is punished"
                );
            }
        }
        any
    }

    /// Adds what was found while the answers were written, as far as it is about the whole of one.
    fn add_found(&mut self, app: &App, case: &Case<'_>, answers: &[Answer]) {
        for score in case.found {
            let is_of = |answer: &&Answer| {
                score.ids.starts_with(&answer.ids)
                    && !self.about(answer).any(|it| it.scorer == score.scorer)
            };
            for answer in answers.iter().filter(is_of).cloned().collect::<Vec<_>>() {
                let positions = score.positions[..answer.ids.len()].to_vec();
                self.add(app, case, &answer, Score { positions, ..score.clone() });
            }
        }
    }

    fn about(&self, answer: &Answer) -> impl Iterator<Item = &Scored> {
        self.0.iter().filter(|scored| scored.check.is_of(answer))
    }

    fn add(&mut self, app: &App, case: &Case<'_>, answer: &Answer, score: Score) -> bool {
        let draw = draw(app, b"spot checks", case, &answer.ids);
        match spot_check(answer, score.positions, &case.rules, draw) {
            Ok(check) => {
                self.0.push(Scored { scorer: score.scorer, check });
                true
            }
            Err(error) => {
                warn!(scorer = %score.scorer, %error, "scores that say nothing");
                false
            }
        }
    }

    /// The findings that count for an answer.
    fn of(&self, answer: &Answer) -> Option<&Scored> {
        deciding(answer, &self.0)
    }
}

/// What each answer's check means for its node.
fn checks(
    app: &App,
    case: &Case<'_>,
    answers: &[Answer],
    verdict: &assay_verifier::Verdict,
    scores: &Scores,
) -> Vec<Option<Check>> {
    let judged = answers.iter().zip(verdict.outcomes.iter().zip(&verdict.findings));
    let found: Vec<Option<Found<'_>>> = judged
        .map(|(answer, (outcome, finding))| {
            let finding = (*finding)?;
            let checked = match finding {
                Finding::Passed { .. } => Checked::Passed,
                Finding::Failed { .. } => Checked::Failed {
                    over_limit: scores
                        .of(answer)
                        .map_or(f64::INFINITY, |scored| scored.check.over_limit(answer)),
                    structural: *outcome == Outcome::FailedStructure,
                },
            };
            Some(Found { answer, finding, checked })
        })
        .collect();
    let all: Vec<Found<'_>> = found.iter().copied().flatten().collect();
    let mut checks = weigh(app, case.question, case.account, &all).into_iter();
    found.into_iter().map(|found| found.and_then(|_| checks.next())).collect()
}

/// Secret randomness, fixed by the gateway's secret, the job and what was answered.
fn draw(app: &App, purpose: &[u8], case: &Case<'_>, ids: &[TokenId]) -> [u8; 32] {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(app.keys.k_seed()).expect("any key length is good");
    mac.update(b"assay/draw/1\0");
    mac.update(purpose);
    mac.update(case.question.job.0.as_bytes());
    mac.update(&[case.round]);
    ids.iter().for_each(|id| mac.update(&id.to_le_bytes()));
    mac.finalize().into_bytes().into()
}

/// Whether several owners gave an answer that the model speaks against for every one of them.
fn is_majority_refuted(answers: &[Answer], outcomes: &[Outcome]) -> bool {
    answers.iter().zip(outcomes).any(|(answer, outcome)| {
        let equal = || answers.iter().zip(outcomes).filter(|(other, _)| other.is_equal_to(answer));
        let shared = equal().any(|(other, _)| other.owner != answer.owner);
        outcome.is_refuted() && shared && !equal().any(|(_, outcome)| outcome.is_paid())
    })
}

fn client_verdict(
    case: &Case<'_>,
    answers: &[Answer],
    winner: usize,
    verdict: &assay_verifier::Verdict,
    scores: &Scores,
) -> Verdict {
    let equal = answers.iter().filter(|answer| answer.is_equal_to(&answers[winner])).count();
    let check = scores.of(&answers[winner]).map(|scored| &scored.check);
    Verdict {
        rule: verdict.rule,
        policy: case.risk,
        audited: false,
        round: case.round,
        nodes_asked: case.asked,
        nodes_agreed: u32::try_from(equal).unwrap_or(u32::MAX),
        positions_checked: check
            .map_or(0, |_| u32::try_from(answers[winner].ids.len()).unwrap_or(u32::MAX)),
        largest_margin: check.map(SpotCheck::largest_margin),
        sigma2: check
            .and_then(|check| check.measures(&answers[winner]).sigma2(case.rules.temperature)),
    }
}

fn judged_part(
    case: &Case<'_>,
    branch: &Branch,
    answer: &Answer,
    outcome: Outcome,
    answers: &[Answer],
    scores: &Scores,
) -> Part {
    let scored = scores.of(answer);
    let explanation = explain(outcome, answer, answers, &case.rules, scored);
    Part {
        evidence: explanation.evidence,
        tokens_judged: u32::try_from(answer.ids.len()).unwrap_or(u32::MAX) - answer.from,
        ..part(case.round, branch, outcome, explanation.reason)
    }
}

/// A node that gave no whole answer; none for one that never got the work.
fn left_out(round: u8, branch: &Branch) -> Option<Part> {
    match &branch.stage {
        Stage::Lost(outcome, reason) => Some(part(round, branch, *outcome, reason.clone())),
        Stage::Complete(_) => {
            let reason = "called off before it had written all that counts";
            Some(part(round, branch, Outcome::Cancelled, reason.into()))
        }
        Stage::Offered | Stage::Accepted | Stage::Writing | Stage::Refuted { .. } => None,
    }
}

fn part(round: u8, branch: &Branch, outcome: Outcome, reason: String) -> Part {
    Part {
        node: branch.node(),
        handle: branch.handle.clone(),
        owner: branch.owner,
        round,
        outcome,
        reason,
        evidence: "{}".into(),
        tokens: branch.own_tokens(),
        tokens_judged: 0,
        elapsed_ms: branch.elapsed_ms(),
        check: None,
    }
}

impl Branch {
    /// The answer as the verifier judges it; nothing while it is not whole.
    fn answer(&self, cut: Option<usize>) -> Option<Answer> {
        if let Stage::Refuted { .. } = self.stage {
            return Some(self.answer_of(&self.ids, Finish::Told, Told::CalledOff));
        }
        let (ids, finish) = self.whole(cut)?;
        if finish == Finish::Told && cut.is_some_and(|at| ids.len() < at) {
            return None;
        }
        let told = match (cut, finish) {
            (Some(at), Finish::Told) if ids.len() == at => {
                Told::At(u32::try_from(at).unwrap_or(u32::MAX))
            }
            (_, Finish::Told) => Told::Anywhere,
            _ => Told::No,
        };
        Some(self.answer_of(ids, finish, told))
    }

    fn answer_of(&self, ids: &[TokenId], finish: Finish, told: Told) -> Answer {
        let handed = self.prefix_tokens().min(ids.len());
        Answer {
            node: self.node(),
            owner: OwnerId(self.owner.0),
            ids: ids.to_vec(),
            logits: self.own_logits(ids.len()).to_vec(),
            from: u32::try_from(handed).unwrap_or(u32::MAX),
            finish,
            told,
        }
    }
}

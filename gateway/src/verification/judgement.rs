//! Decides a round: which answer is the client's, who is paid, and why everybody else is not.

mod evidence;
mod parts;
mod scores;

use std::time::{Duration, Instant};

use assay_ledger::{AccountId, Quote};
use assay_protocol::{Finish, NodeId, Outcome, TokenId, ToldToken};
use assay_verifier::{
    Answer, Finding, Rule, Rules, Scorer, Setting, SpotCheck, agreed_told, brake::Checked,
};

use super::{
    audit_queue, audits,
    reputation::Check,
    scorer::Score,
    weighing::{Found, weigh},
};
use crate::{
    app::App,
    db::audits::AuditResult,
    receipts,
    serving::{Branch, Question, Risk, Verdict},
};
use parts::judged_part;

pub(crate) use parts::{Part, undecided};
pub(super) use parts::{left_out, part, timed};
pub(super) use scores::{Matter, Scores};

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
    /// What was agreed so far, whether it was sent or not.
    pub(crate) answered: &'a [TokenId],
    /// Whether the model is asked although all agree, if that was drawn already.
    pub(crate) audited: Option<bool>,
    /// Somebody differed who was let go: the model is asked about those who agree.
    pub(crate) must_audit: bool,
    /// Scorers that others contradicted meanwhile.
    pub(crate) overruled: Vec<NodeId>,
    /// When the job is given up.
    pub(crate) deadline: Instant,
}

impl<'a> Case<'a> {
    /// What scorers are asked about.
    fn matter(&self) -> Matter<'_> {
        let Self { question, rules, round, deadline, overruled, .. } = self;
        Matter { question: *question, rules, round: *round, deadline: *deadline, overruled }
    }

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
    /// Answers that one scorer confirms and another one contradicts: what the latter says ends nothing.
    pub(crate) disputed: Vec<Vec<TokenId>>,
    pub(crate) parts: Vec<Part>,
}

/// The answer that is the client's.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) ids: Vec<TokenId>,
    pub(crate) finish: Finish,
    pub(crate) verdict: Verdict,
    /// What is told of its tokens, as far as somebody vouches for it; nothing where the job asks for nothing.
    pub(crate) told: Vec<Option<ToldToken>>,
}

/// Asks the scorers whatever the verdict needs, and decides.
pub(crate) async fn decide(app: &App, case: &Case<'_>) -> Judgement {
    let told = case.branches.iter().map(|branch| branch.answer(case.cut)).collect::<Vec<_>>();
    let answers: Vec<Answer> = told.iter().flatten().cloned().collect();
    let audited = match case.audited {
        Some(audited) => audited,
        None => audits::draw(app, case).await,
    };
    let setting = Setting {
        asked: case.owners_wanted,
        score_all: case.score_always,
        scorer: Scorer::Available,
        trusted_alone: case.alone,
        second_scorer: Scorer::Available,
        released: case.released,
    };
    // What was whole at the job's deadline is still judged: a scorer has this long for it.
    let wait = Duration::from_millis(app.config.serving.scorer_wait_ms);
    let deadline = case.deadline.max(Instant::now() + wait);
    let matter = Matter { deadline, ..case.matter() };
    let mut scores = Scores::default();
    scores.add_found(app, &matter, case.found, &answers);
    // Who differed before it was let go is a reason to look too, where the draw was earlier.
    let looks = audited || case.must_audit;
    let verdict = scores.verdict(app, &matter, &answers, setting, looks).await;
    let accepted = verdict.winner.map(|winner| Accepted {
        ids: answers[winner].ids.clone(),
        finish: answers[winner].finish,
        verdict: Verdict { audited, ..client_verdict(case, &answers, winner, &verdict, &scores) },
        told: told_of(case, &answers, winner, &scores),
    });
    // An answer that nobody vouches for as it was asked for is none.
    let accepted = accepted.filter(|accepted| is_told(case, accepted));
    let disputed = scores.tell_disputes(app, &answers);
    conclude_audit(app, case, audited, &answers, &verdict, &scores).await;
    let checks = checks(app, case.question, case.account, &answers, &verdict, &scores);
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

/// What the model tells of the tokens of this answer, or two owners alike, or the node that was asked alone.
fn told_of(
    case: &Case<'_>,
    answers: &[Answer],
    winner: usize,
    scores: &Scores,
) -> Vec<Option<ToldToken>> {
    if case.question.sampling.top_logprobs.is_none() {
        return Vec::new();
    }
    let answer = &answers[winner];
    let check = scores.of(answer).map(|scored| &scored.check);
    let at = |position: usize| {
        if let Some(told) = check.and_then(|check| check.told_at(position)) {
            return Some(told);
        }
        let same = answers.iter().filter(|other| other.ids.starts_with(&answer.ids[..=position]));
        let told = same.filter_map(|other| Some((other.owner, other.told_at(position)?)));
        match &told.collect::<Vec<_>>()[..] {
            [(_, alone)] if case.alone => Some(alone.clone()),
            told => agreed_told(told, &case.rules).cloned(),
        }
    };
    (0..answer.ids.len()).map(at).collect()
}

/// Whether all that goes out of it can be told as it was asked for.
fn is_told(case: &Case<'_>, accepted: &Accepted) -> bool {
    let from = if accepted.ids.starts_with(case.answered) { case.answered.len() } else { 0 };
    accepted.told.iter().skip(from).all(Option::is_some)
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
    // What the client got was not looked at, whatever was found of others.
    let unseen = verdict.winner.filter(|winner| scores.about(&answers[*winner]).next().is_none());
    let result = match (audited, unseen) {
        (false, _) => None,
        (true, Some(_)) => Some(AuditResult::Queued),
        (true, None) => Some(scores.audit_result(answers, verdict).unwrap_or(AuditResult::Dropped)),
    };
    if case.first_answer().is_some() {
        let logged = result.and_then(receipts::logged_result);
        let rests_on = |logged| {
            scores.evidence(case.question, case.round, logged, answers, case.rules.temperature)
        };
        audits::conclude(app, case, audited, result, logged.map(rests_on)).await;
    }
    if let Some(winner) = unseen.filter(|_| audited) {
        let paid = answers
            .iter()
            .zip(&verdict.outcomes)
            .filter(|(answer, outcome)| outcome.is_paid() && answer.is_equal_to(&answers[winner]));
        let agreed: Vec<Answer> = paid.map(|(answer, _)| answer.clone()).collect();
        audit_queue::keep(app, case, &agreed).await;
    }
}

/// What each answer's check means for its node.
pub(super) fn checks(
    app: &App,
    question: Question<'_>,
    account: AccountId,
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
    let mut checks = weigh(app, question, account, &all).into_iter();
    found.into_iter().map(|found| found.and_then(|_| checks.next())).collect()
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

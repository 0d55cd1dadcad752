//! "Why was I (not) paid?": a sentence for the operator, and the evidence that it rests on.

use assay_protocol::{Outcome, PositionScore};
use assay_verifier::{
    Answer, Fault, FaultKind, Measures, Rules, Scored, SpotCheck, check_structure,
};

use super::evidence::PartEvidence;

#[derive(Clone, Debug)]
pub(super) struct Explanation {
    pub(super) reason: String,
    /// All but the timing.
    pub(super) evidence: PartEvidence,
}

/// Explains the outcome of a whole answer.
pub(super) fn explain(
    outcome: Outcome,
    answer: &Answer,
    answers: &[Answer],
    rules: &Rules,
    scored: Option<&Scored>,
) -> Explanation {
    let found = Found::of(answer, answers, scored);
    Explanation {
        reason: found.sentence(outcome, answer, rules),
        evidence: found.evidence(answer, answers, rules),
    }
}

/// What was looked at, and what it showed.
struct Found<'a> {
    /// Other owners who said the same.
    equal: usize,
    scored: Option<&'a Scored>,
    measures: Option<Measures>,
    fault: Option<Fault>,
}

impl<'a> Found<'a> {
    fn of(answer: &Answer, answers: &[Answer], scored: Option<&'a Scored>) -> Self {
        let check = scored.map(|scored| &scored.check);
        let equal = |other: &&Answer| other.owner != answer.owner && other.is_equal_to(answer);
        Self {
            equal: answers.iter().filter(equal).count(),
            scored,
            measures: check.map(|check| check.measures(answer)),
            fault: check.and_then(|check| check.first_fault(answer)),
        }
    }

    fn sentence(&self, outcome: Outcome, answer: &Answer, rules: &Rules) -> String {
        match (outcome, self.fault) {
            (Outcome::FailedStructure, _) => match check_structure(answer, rules) {
                Err(fault) => fault.to_string(),
                Ok(()) => "the answer breaks a rule of its structure".into(),
            },
            (_, Some(fault)) => of_fault(fault, rules),
            (Outcome::FailedWholeAnswer, None) => {
                "no single token, but all of them together are too far from what the model draws"
                    .into()
            }
            (Outcome::FailedLogits, None) => format!(
                "the reported logits are {:.6} off the model's on average, where {:.6} is allowed",
                self.measures.and_then(|measures| measures.logit_difference).unwrap_or_default(),
                rules.tau_logit.unwrap_or_default(),
            ),
            (Outcome::FailedLogprobs, None) => format!(
                "a log probability that was told is {:.6} off the model's, where {:.6} is allowed",
                self.measures.and_then(|measures| measures.logprob_difference).unwrap_or_default(),
                rules.tau_gap,
            ),
            (Outcome::Agreed, None) => match self.scored {
                Some(_) => format!("equal to {}, and confirmed by the model", owners(self.equal)),
                None => format!("equal to {}", owners(self.equal)),
            },
            (Outcome::Vindicated, None) => {
                "others differed, but the model confirms this answer".into()
            }
            (Outcome::Passed, None) => "nobody agreed, but the model confirms this answer".into(),
            (Outcome::Trusted, None) => "proven, asked alone, and not drawn for a check".into(),
            (Outcome::Cancelled, None) => "called off before it had written anything".into(),
            (_, None) if self.equal > 0 => {
                let others = owners(self.equal);
                format!("equal to {others}, but the job was not decided for this answer")
            }
            (_, None) => "nobody could judge this answer; it is not held against the node".into(),
        }
    }

    fn evidence(&self, answer: &Answer, answers: &[Answer], rules: &Rules) -> PartEvidence {
        let (check, measures) = (self.scored.map(|scored| &scored.check), self.measures);
        PartEvidence {
            equal_owners: Some(self.equal),
            answers_judged: Some(answers.len()),
            tokens: Some(answer.ids.len()),
            finish: Some(answer.finish),
            positions_drawn: check.map(|check| check.positions().to_vec()),
            largest_margin: check.map(SpotCheck::largest_margin),
            margin_allowed: Some(rules.tau_gap),
            sigma2: measures.and_then(|measures| measures.sigma2(rules.temperature)),
            sigma2_allowed: rules.sigma2_max,
            logit_difference: measures.and_then(|measures| measures.logit_difference),
            logit_difference_allowed: rules.tau_logit,
            logprob_difference: measures.and_then(|measures| measures.logprob_difference),
            first_fault: self.fault.map(Into::into),
            scorer: self.scored.map(|scored| scored.scorer),
            ..PartEvidence::default()
        }
    }
}

fn of_fault(fault: Fault, rules: &Rules) -> String {
    let Fault { position, claimed, own, margin, kind } = fault;
    let what = match kind {
        FaultKind::End if rules.is_end(claimed) => "the answer ends where the model goes on",
        FaultKind::End => "the answer goes on where the model ends",
        _ => "the model gives another token",
    };
    let off = match margin {
        margin if margin >= PositionScore::OUTSIDE => "which the sampling would never draw".into(),
        margin => format!("off by {margin:.4} logits where {} is allowed", rules.tau_gap),
    };
    format!("{what} at position {position}: {own} instead of {claimed}, {off}")
}

/// `1 other owner`, `2 other owners`.
fn owners(number: usize) -> String {
    format!("{number} other owner{}", if number == 1 { "" } else { "s" })
}

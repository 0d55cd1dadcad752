//! The verdict over the answers to one job: the algorithm that Assay was founded on, whole.
//!
//! - All answers match: it wins, all are paid.
//! - At least two owners match, more than any other group: theirs wins. Whoever differs is scored first, and so
//!   are they: a refuted majority gets nothing, a minority that the model confirms is paid too.
//! - None match: each is scored. One that passes alone wins and is paid; of several that pass the one with the
//!   smallest largest margin wins and all are paid; if none passes, nobody is paid and nothing wins.
//! - Fewer owners than were asked, one asked, or a client who wants it: scored in any case.

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use assay_protocol::{Outcome, TokenId};
use serde::Serialize;

use crate::{
    Answer, FaultKind, Rules, SpotCheck, StructureFault, check_structure,
    consensus::{self, Consensus, Group, OWNERS_MIN},
};

/// How the answers came to be, and what can be done to check them.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// How many owners were to answer. With fewer, and with one, every answer is scored.
    pub asked: u32,
    /// Whether the client's policy wants every answer scored; then nothing is accepted without.
    pub score_all: bool,
    pub scorer: Scorer,
    /// What the client has been sent already: the winner begins with it.
    pub released: &'a [TokenId],
}

/// Whether somebody trusted can run the model over an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scorer {
    Available,
    /// Nobody will: agreed answers count unchecked, unless the policy forbids it; no other unscored one does.
    Absent,
}

/// What to do with a set of answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Score these answers (by index; each stands for all with the same ids) and judge again.
    NeedsScores(Vec<usize>),
    Decided(Verdict),
}

/// A decision. Whoever is paid ([`Outcome::is_paid`]) shares with the others who are; without a winner nobody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The answer that the client gets; equal ones stand behind it.
    pub winner: Option<usize>,
    /// For each answer, in order.
    pub outcomes: Vec<Outcome>,
    pub rule: Rule,
}

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// At least two owners gave the same answer, and nobody another one.
    Agreement,
    /// At least two owners gave the same answer, more than any other.
    Majority,
    /// No majority stood; the model itself confirmed the winner.
    SpotChecks,
    /// No winner: every answer was refuted.
    NonePassed,
    /// No winner: nobody could check what needed a check.
    Undecided,
    /// No winner: the model, or every answer that passed, contradicts what the client had been sent.
    ReleasedContradicted,
}

/// Decides over these answers, or says which to score first. `checks` may hold the findings about any of them,
/// in any order, from this and earlier calls.
///
/// Answers that break a rule of structure are out at once. An answer of a node that was called off before it
/// wrote anything is [`Outcome::Cancelled`].
pub fn judge(
    answers: &[Answer],
    checks: &[SpotCheck],
    setting: &Setting<'_>,
    rules: &Rules,
) -> Judgement {
    let case = Case::new(answers, checks, setting, rules);
    let unscored = case.unscored_that_need_it();
    if setting.scorer == Scorer::Available && !unscored.is_empty() {
        return Judgement::NeedsScores(unscored);
    }
    Judgement::Decided(case.decide())
}

struct Case<'a> {
    answers: &'a [Answer],
    setting: &'a Setting<'a>,
    structure: Vec<Result<(), StructureFault>>,
    consensus: Consensus,
    /// For each group of the consensus.
    checks: Vec<Option<&'a SpotCheck>>,
}

impl<'a> Case<'a> {
    fn new(
        answers: &'a [Answer],
        checks: &'a [SpotCheck],
        setting: &'a Setting<'a>,
        rules: &Rules,
    ) -> Self {
        let structure: Vec<_> =
            answers.iter().map(|answer| check_structure(answer, rules)).collect();
        let counts =
            |index: &usize| structure[*index].is_ok() && !answers[*index].is_called_off_empty();
        let consensus = consensus::among(answers, (0..answers.len()).filter(counts));
        let check_of = |group: &Group| {
            checks.iter().find(|check| check.is_of(&answers[group.representative()]))
        };
        let checks = consensus.groups.iter().map(check_of).collect();
        Self { answers, setting, structure, consensus, checks }
    }

    /// One answer for each sequence of ids that has to be scored before anything is settled.
    fn unscored_that_need_it(&self) -> Vec<usize> {
        let groups = &self.consensus.groups;
        let all_agree = groups.len() <= 1 && self.consensus.has_majority;
        if all_agree && !self.setting.score_all && self.everybody_answered() {
            return Vec::new();
        }
        let mut unscored: Vec<usize> = Vec::new();
        for (group, check) in groups.iter().zip(&self.checks) {
            let index = group.representative();
            let is_new =
                unscored.iter().all(|other| self.answers[*other].ids != self.answers[index].ids);
            if check.is_none() && is_new {
                unscored.push(index);
            }
        }
        unscored
    }

    fn everybody_answered(&self) -> bool {
        let members = self.consensus.groups.iter().flat_map(|group| &group.members);
        let owners: BTreeSet<_> = members.map(|index| self.answers[*index].owner).collect();
        owners.len() >= (self.setting.asked as usize).max(OWNERS_MIN)
    }

    fn decide(&self) -> Verdict {
        let accepted: Vec<usize> =
            (0..self.consensus.groups.len()).filter(|group| self.is_accepted(*group)).collect();
        let winner = self.winner_of(&accepted);
        let mut outcomes = vec![Outcome::Cancelled; self.answers.len()];
        for (outcome, structure) in outcomes.iter_mut().zip(&self.structure) {
            if structure.is_err() {
                *outcome = Outcome::FailedStructure;
            }
        }
        for (index, group) in self.consensus.groups.iter().enumerate() {
            let unblamed = match winner {
                Some(_) if accepted.contains(&index) => self.paid_outcome(index),
                _ => Outcome::Unverified,
            };
            for member in &group.members {
                outcomes[*member] = self.failure(index, *member).unwrap_or(unblamed);
            }
        }
        assert!(
            winner.is_some() || !outcomes.iter().any(|outcome| outcome.is_paid()),
            "nobody is paid for an answer that nobody gets"
        );
        Verdict {
            winner: winner.map(|group| self.consensus.groups[group].representative()),
            outcomes,
            rule: self.rule(winner, &accepted),
        }
    }

    /// Confirmed by the model, or agreed on where nothing asks for more.
    fn is_accepted(&self, group: usize) -> bool {
        match self.checks[group] {
            Some(check) => check.is_clean(),
            None => self.is_majority(group) && !self.setting.score_all,
        }
    }

    fn is_majority(&self, group: usize) -> bool {
        self.consensus.has_majority && group == 0
    }

    /// The model contradicts tokens that nodes were handed, or that the client was sent: what was made of them
    /// is no answer, in this round or a later one.
    fn prefix_is_refuted(&self) -> bool {
        self.consensus.groups.iter().zip(&self.checks).any(|(group, check)| {
            let refutes = |check: &SpotCheck| {
                let refutes_handed =
                    |member: &usize| check.refutes_prefix_of(&self.answers[*member]);
                check.refutes_start(self.setting.released)
                    || group.members.iter().any(refutes_handed)
            };
            check.is_some_and(refutes)
        })
    }

    /// The majority, or the group whose largest margin is the smallest; of equal ones the first.
    fn winner_of(&self, accepted: &[usize]) -> Option<usize> {
        let margin = |group: usize| match self.checks[group] {
            _ if self.is_majority(group) => -1.0,
            Some(check) => check.largest_margin(),
            None => f64::INFINITY,
        };
        let goes_on_from_released = |group: &usize| {
            let answer = &self.answers[self.consensus.groups[*group].representative()];
            answer.ids.starts_with(self.setting.released)
        };
        accepted
            .iter()
            .copied()
            .filter(goes_on_from_released)
            .min_by(|a, b| margin(*a).total_cmp(&margin(*b)))
    }

    fn failure(&self, group: usize, member: usize) -> Option<Outcome> {
        let fault = self.checks[group]?.first_fault(&self.answers[member])?;
        Some(match fault.kind {
            FaultKind::Spot => Outcome::FailedSpotCheck,
            FaultKind::End => Outcome::FailedEndCheck,
        })
    }

    fn paid_outcome(&self, group: usize) -> Outcome {
        if self.consensus.has_majority && group != 0 {
            Outcome::Vindicated
        } else if self.consensus.groups[group].owners >= OWNERS_MIN {
            Outcome::Agreed
        } else {
            Outcome::Passed
        }
    }

    fn rule(&self, winner: Option<usize>, accepted: &[usize]) -> Rule {
        match winner {
            Some(group) if self.is_majority(group) => {
                let agree = self.consensus.groups[group].members.len() == self.answers.len();
                if agree { Rule::Agreement } else { Rule::Majority }
            }
            Some(_) => Rule::SpotChecks,
            None if self.prefix_is_refuted() || !accepted.is_empty() => Rule::ReleasedContradicted,
            None if self.checks.iter().any(Option::is_none) => Rule::Undecided,
            None => Rule::NonePassed,
        }
    }
}

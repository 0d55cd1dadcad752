//! The verdict over the answers to one job: the algorithm that Assay was founded on, whole.
//!
//! - All answers match: it wins, all are paid.
//! - At least two owners match, more than any other group: theirs wins. Whoever differs is scored first, and so
//!   are they: a refuted majority gets nothing, a minority that the model confirms is paid too.
//! - None match: each is scored. One that passes alone wins and is paid; of several that pass the one with the
//!   smallest largest margin wins and all are paid; if none passes, nobody is paid and nothing wins.
//! - Fewer owners than were asked, one asked, a client who wants it, or equal tokens with unequal logits: scored in any
//!   case.
//! - One proven node was to answer alone: its answer counts unscored, unless an audit was drawn.
//! - A node that was called off because the model contradicted it is judged, but never the answer.
//! - An answer stands or falls with its tokens (R1), but each of those who gave it also with its own logits (R5) and with
//!   what it wrote itself (R2): it is accepted if the model confirms one of them, and only they are paid.
//! - Whoever a scorer refutes is shown to a second one, if there is one (`standing.rs`).

#[cfg(test)]
pub(crate) mod fixtures;
mod standing;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use assay_protocol::{Outcome, TokenId};
use serde::Serialize;

pub use standing::{Scored, deciding};

use crate::{
    Answer, Finding, Rules, SpotCheck, StructureFault, Told, check_structure,
    consensus::{self, Consensus, Group, OWNERS_MIN},
};
use standing::Standing;

/// How the answers came to be, and what can be done to check them.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// How many owners were to answer. With fewer, and with one, every answer is scored.
    pub asked: u32,
    /// Whether the client's policy wants every answer scored; then nothing is accepted without.
    pub score_all: bool,
    /// Whether one proven node was to answer alone: nothing else asks for a score then.
    pub trusted_alone: bool,
    pub scorer: Scorer,
    /// Whether a second scorer can be asked about what a first one refutes. Say [`Scorer::Absent`] once it was asked and
    /// gave no findings. Without one a refuted answer is unpaid, but nothing is proven.
    pub second_scorer: Scorer,
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
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// Score these answers (by index; each stands for all with the same ids) and judge again.
    NeedsScores(Vec<usize>),
    /// Score these again, each by a scorer that has not looked at it yet, and judge again.
    NeedsSecondScore(Vec<usize>),
    Decided(Verdict),
}

/// A decision. Whoever is paid ([`Outcome::is_paid`]) shares with the others who are; without a winner nobody is.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The answer that the client gets; equal ones stand behind it.
    pub winner: Option<usize>,
    /// For each answer, in order.
    pub outcomes: Vec<Outcome>,
    /// What each node's record learns, in order; nothing where nobody looked, or where scorers contradict each other.
    pub findings: Vec<Option<Finding>>,
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
    /// One proven node was asked, and nobody looked at this answer of its.
    Trusted,
    /// No winner: every answer was refuted.
    NonePassed,
    /// No winner: nobody could check what needed a check.
    Undecided,
    /// No winner: the model, or every answer that passed, contradicts what the client had been sent.
    ReleasedContradicted,
}

/// Decides over these answers, or says which to score first. `scored` may hold the findings about any of them,
/// in any order, from this and earlier calls.
///
/// Answers that break a rule of structure are out at once. An answer of a node that was called off before it
/// wrote anything is [`Outcome::Cancelled`].
pub fn judge(
    answers: &[Answer],
    scored: &[Scored],
    setting: &Setting<'_>,
    rules: &Rules,
) -> Judgement {
    let case = Case::new(answers, scored, setting, rules);
    let unscored = case.unscored_that_need_it(rules);
    if setting.scorer == Scorer::Available && !unscored.is_empty() {
        return Judgement::NeedsScores(unscored);
    }
    let contradicted = case.contradicted_once();
    if setting.second_scorer == Scorer::Available && !contradicted.is_empty() {
        return Judgement::NeedsSecondScore(contradicted);
    }
    Judgement::Decided(case.decide())
}

struct Case<'a> {
    answers: &'a [Answer],
    scored: &'a [Scored],
    setting: &'a Setting<'a>,
    structure: Vec<Result<(), StructureFault>>,
    consensus: Consensus,
    /// For each answer.
    standings: Vec<Standing<'a>>,
}

impl<'a> Case<'a> {
    fn new(
        answers: &'a [Answer],
        scored: &'a [Scored],
        setting: &'a Setting<'a>,
        rules: &Rules,
    ) -> Self {
        let structure: Vec<_> =
            answers.iter().map(|answer| check_structure(answer, rules)).collect();
        let counts =
            |index: &usize| structure[*index].is_ok() && !answers[*index].is_called_off_empty();
        let consensus = consensus::among(answers, (0..answers.len()).filter(counts));
        let standings = answers.iter().map(|answer| Standing::of(answer, scored)).collect();
        Self { answers, scored, setting, structure, consensus, standings }
    }

    /// One answer for each sequence of ids that has to be scored before anything is settled.
    fn unscored_that_need_it(&self, rules: &Rules) -> Vec<usize> {
        let groups = &self.consensus.groups;
        let all_agree =
            groups.len() <= 1 && self.consensus.has_majority && self.logits_agree(rules);
        let suffices = (all_agree && self.everybody_answered()) || self.is_trusted_alone();
        if suffices && !self.setting.score_all {
            return Vec::new();
        }
        let unscored = |index: &usize| matches!(self.standings[*index], Standing::Unscored);
        self.one_of_each(groups.iter().map(Group::representative).filter(unscored))
    }

    /// One answer for each sequence of ids that only one scorer looked at, and contradicted.
    fn contradicted_once(&self) -> Vec<usize> {
        let is_open = |index: &usize| {
            self.standings[*index].is_contradicted()
                && standing::scorers(&self.answers[*index], self.scored) < 2
        };
        let members = self.consensus.groups.iter().flat_map(|group| &group.members).copied();
        self.one_of_each(members.filter(is_open))
    }

    /// The first of those with the same ids.
    fn one_of_each(&self, indices: impl Iterator<Item = usize>) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        for index in indices {
            if found.iter().all(|other| self.answers[*other].ids != self.answers[index].ids) {
                found.push(index);
            }
        }
        found
    }

    /// Whether those who gave the same tokens also reported logits that can both be honest: twice τ_logit apart at
    /// most. Two honest nodes always do; a quantised model or a copied answer next to an honest node does not, and
    /// is caught without any audit.
    fn logits_agree(&self, rules: &Rules) -> bool {
        let Some(tau_logit) = rules.tau_logit else { return true };
        self.consensus.groups.iter().all(|group| {
            let first = &self.answers[group.representative()];
            let differs = |member: &usize| {
                let difference = logit_difference(first, &self.answers[*member]);
                difference.is_some_and(|apart| apart > 2.0 * tau_logit || apart.is_nan())
            };
            !group.members.iter().any(differs)
        })
    }

    /// Whether there is one answer, of the proven node that was asked alone.
    fn is_trusted_alone(&self) -> bool {
        let [group] = &self.consensus.groups[..] else { return false };
        self.setting.trusted_alone && self.answers[group.representative()].told != Told::CalledOff
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
        let mut findings = vec![None; self.answers.len()];
        for (index, structure) in self.structure.iter().enumerate() {
            if structure.is_err() {
                outcomes[index] = Outcome::FailedStructure;
                findings[index] = Some(Finding::Failed { proven: true });
            }
        }
        for (index, group) in self.consensus.groups.iter().enumerate() {
            let unblamed = match winner {
                Some(_) if accepted.contains(&index) => self.paid_outcome(index),
                _ => Outcome::Unverified,
            };
            for member in group.members.iter().copied() {
                let standing = self.standings[member];
                outcomes[member] = standing.failure().unwrap_or(unblamed);
                findings[member] = standing.finding(&self.answers[member]);
            }
        }
        assert!(
            winner.is_some() || !outcomes.iter().any(|outcome| outcome.is_paid()),
            "nobody is paid for an answer that nobody gets"
        );
        Verdict {
            winner: winner.map(|group| self.spokesman(group)),
            outcomes,
            findings,
            rule: self.rule(winner, &accepted),
        }
    }

    /// Confirmed by the model for one of its members, or agreed on where nothing asks for more.
    fn is_accepted(&self, group: usize) -> bool {
        let spokesman = self.spokesman(group);
        match self.standings[spokesman] {
            _ if self.answers[spokesman].told == Told::CalledOff => false,
            Standing::Unscored => {
                (self.is_majority(group) || self.is_trusted_alone()) && !self.setting.score_all
            }
            standing => standing.is_confirmed(),
        }
    }

    /// The member that stands for its group: the first whom the model confirms, otherwise the first.
    fn spokesman(&self, group: usize) -> usize {
        let group = &self.consensus.groups[group];
        let mut members = group.members.iter().copied();
        let confirmed = members.find(|member| self.standings[*member].is_confirmed());
        confirmed.unwrap_or(group.representative())
    }

    fn check(&self, group: usize) -> Option<&'a SpotCheck> {
        self.standings[self.spokesman(group)].check()
    }

    fn is_majority(&self, group: usize) -> bool {
        self.consensus.has_majority && group == 0
    }

    /// The model contradicts tokens that nodes were handed, or that the client was sent: what was made of them
    /// is no answer, in this round or a later one.
    fn prefix_is_refuted(&self) -> bool {
        self.consensus.groups.iter().enumerate().any(|(index, group)| {
            let refutes = |check: &SpotCheck| {
                let refutes_handed =
                    |member: &usize| check.refutes_prefix_of(&self.answers[*member]);
                check.refutes_start(self.setting.released)
                    || group.members.iter().any(refutes_handed)
            };
            self.check(index).is_some_and(refutes)
        })
    }

    /// The majority, or the group whose largest margin is the smallest; of equal ones the first.
    fn winner_of(&self, accepted: &[usize]) -> Option<usize> {
        let margin = |group: usize| match self.check(group) {
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

    fn paid_outcome(&self, group: usize) -> Outcome {
        if self.consensus.has_majority && group != 0 {
            Outcome::Vindicated
        } else if self.consensus.groups[group].owners >= OWNERS_MIN {
            Outcome::Agreed
        } else if self.check(group).is_none() {
            Outcome::Trusted
        } else {
            Outcome::Passed
        }
    }

    fn rule(&self, winner: Option<usize>, accepted: &[usize]) -> Rule {
        let unscored = |group| self.check(group).is_none();
        match winner {
            Some(group) if self.is_majority(group) => {
                let agree = self.consensus.groups[group].members.len() == self.answers.len();
                if agree { Rule::Agreement } else { Rule::Majority }
            }
            Some(group) if unscored(group) => Rule::Trusted,
            Some(_) => Rule::SpotChecks,
            None if self.prefix_is_refuted() || !accepted.is_empty() => Rule::ReleasedContradicted,
            None if (0..self.consensus.groups.len()).any(unscored) => Rule::Undecided,
            None => Rule::NonePassed,
        }
    }
}

/// The mean difference of the logits that two nodes reported for the tokens that both wrote.
fn logit_difference(a: &Answer, b: &Answer) -> Option<f64> {
    let pair = |position| Some((a.logit_at(position)?, b.logit_at(position)?));
    let differences: Vec<f64> = (0..a.ids.len())
        .filter_map(pair)
        .map(|(a, b)| (f64::from(a) - f64::from(b)).abs())
        .collect();
    let count = u32::try_from(differences.len()).unwrap_or(u32::MAX);
    (count > 0).then(|| differences.iter().sum::<f64>() / f64::from(count))
}

//! One set of answers on its way to a verdict: who agrees, how each stands before its scorers, and what follows.

use std::collections::BTreeSet;

use assay_protocol::Outcome;

use super::{
    Rule, Setting, Verdict,
    standing::{self, Scored, Standing},
};
use crate::{
    Answer, Finding, Rules, SpotCheck, StructureFault, Told, check_structure,
    consensus::{self, Consensus, Group, OWNERS_MIN},
};

/// The answers with all that is known of them.
pub(super) struct Case<'a> {
    answers: &'a [Answer],
    scored: &'a [Scored],
    setting: &'a Setting<'a>,
    structure: Vec<Result<(), StructureFault>>,
    consensus: Consensus,
    /// For each answer.
    standings: Vec<Standing<'a>>,
}

impl<'a> Case<'a> {
    pub(super) fn new(
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
    pub(super) fn unscored_that_need_it(&self, rules: &Rules) -> Vec<usize> {
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
    pub(super) fn contradicted_once(&self) -> Vec<usize> {
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
    /// most; and log probabilities: twice τ_gap, each of them. Two honest nodes always do; a quantised model or a copied answer next to an honest node does not, and
    /// is caught without any audit.
    fn logits_agree(&self, rules: &Rules) -> bool {
        self.consensus.groups.iter().all(|group| {
            let first = &self.answers[group.representative()];
            let differs = |member: &usize| {
                let other = &self.answers[*member];
                let logits = rules.tau_logit.zip(logit_difference(first, other));
                let logits = logits.is_some_and(|(tau, apart)| apart > 2.0 * tau || apart.is_nan());
                let told = (0..first.ids.len())
                    .filter_map(|at| Some(first.told_at(at)?.difference(&other.told_at(at)?)));
                logits || told.fold(0.0, f64::max) > 2.0 * rules.tau_gap
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

    pub(super) fn decide(&self) -> Verdict {
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

    /// Owners of members who gave the group's answer without a fault of their own.
    fn owners_who_pass(&self, group: usize) -> usize {
        let members = self.consensus.groups[group].members.iter();
        let pass = members.filter(|member| self.standings[**member].failure().is_none());
        pass.map(|member| self.answers[*member].owner).collect::<BTreeSet<_>>().len()
    }

    fn rule(&self, winner: Option<usize>, accepted: &[usize]) -> Rule {
        let unscored = |group| self.check(group).is_none();
        match winner {
            Some(group) if self.is_majority(group) && self.owners_who_pass(group) >= OWNERS_MIN => {
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

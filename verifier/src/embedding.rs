//! The verdict over vectors: which of them are the model's. Machines round differently, so vectors are not equal but
//! near; how near honest ones are is measured (docs/verification.md).

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use assay_protocol::{NodeId, Outcome};

use crate::{Finding, OwnerId, Rule, Scorer, Verdict};

/// No component of an honest vector is further than this from the model's own. Honest ones were measured at 1e-7 at most,
/// those of weights in half precision at 3e-5 at least. Of unit vectors the cosine says nothing here: it falls with the
/// square of the difference, below what 32 bits tell apart.
pub const VECTOR_MARGIN: f64 = 5e-6;
/// A vector's length is 1 up to this much.
const LENGTH_MARGIN: f64 = 1e-3;
/// What two different owners need to have said for it to count as agreed.
const OWNERS_MIN: usize = 2;

/// The vectors that one node gave for one job.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    pub node: NodeId,
    pub owner: OwnerId,
    /// One input after the other.
    pub components: Vec<f32>,
}

/// What the model says, as somebody trusted computed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    pub scorer: NodeId,
    pub components: Vec<f32>,
}

/// How the vectors came to be, and what can be done to check them.
#[derive(Clone, Copy, Debug)]
pub struct Vectors {
    /// Components of each vector.
    pub dimensions: usize,
    /// How many owners were to answer. With fewer the model is asked.
    pub asked: u32,
    /// Whether the model is asked in any case; then nothing is accepted without.
    pub score_all: bool,
    /// Whether one proven node was to answer alone.
    pub trusted_alone: bool,
    pub scorer: Scorer,
    /// Whether a second one can be asked about what a first one refutes.
    pub second_scorer: Scorer,
}

/// What to do with vectors.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Have a scorer compute them.
    NeedsTruth,
    /// Have another scorer compute them.
    NeedsSecondTruth,
    Decided(Verdict),
}

/// The largest difference of two components; infinite where there is no comparing.
pub fn difference(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() {
        return f64::INFINITY;
    }
    let each = a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs());
    // What is no number is not near.
    each.fold(0.0, |most, each| if each.is_nan() { f64::INFINITY } else { each.max(most) })
}

/// Whether every vector has length 1.
pub fn are_units(components: &[f32], dimensions: usize) -> bool {
    let is_unit = |vector: &[f32]| {
        let square: f64 = vector.iter().map(|c| f64::from(*c) * f64::from(*c)).sum();
        (square.sqrt() - 1.0).abs() <= LENGTH_MARGIN
    };
    dimensions > 0
        && components.len().is_multiple_of(dimensions)
        && components.chunks_exact(dimensions).all(is_unit)
}

/// Decides over these vectors, or says what to ask first.
///
/// - All near each other, of two owners or more: they agree, and all are paid.
/// - They differ, or fewer owners answered than were wanted: a scorer computes the truth. Whoever is near it is paid, and
///   the client gets the nearest; a majority that is not near it gets nothing.
/// - Whoever a scorer refutes is held to a second one's truth, if there is one, which has the last word.
/// - One proven node that was to answer alone is believed.
pub fn judge_vectors(answers: &[Embedded], truths: &[Truth], setting: &Vectors) -> Step {
    let case = Case { answers, truths, setting };
    let sound: Vec<usize> = case.sound().collect();
    let available = |scorer: Scorer| scorer == Scorer::Available;
    if truths.is_empty() {
        let asks = !sound.is_empty() && case.needs_truth(&sound);
        return match asks && available(setting.scorer) {
            true => Step::NeedsTruth,
            false => Step::Decided(case.without_truth(&sound, asks)),
        };
    }
    let is_refuted = |index: &usize| !case.is_near(*index, &truths[0]);
    if truths.len() == 1 && available(setting.second_scorer) && sound.iter().any(is_refuted) {
        return Step::NeedsSecondTruth;
    }
    Step::Decided(case.by_truth(&sound))
}

struct Case<'a> {
    answers: &'a [Embedded],
    truths: &'a [Truth],
    setting: &'a Vectors,
}

impl Case<'_> {
    /// Those that break no rule that needs no model.
    fn sound(&self) -> impl Iterator<Item = usize> {
        let dimensions = self.setting.dimensions;
        let all = self.answers.iter().enumerate();
        all.filter(move |(_, it)| are_units(&it.components, dimensions)).map(|(index, _)| index)
    }

    /// Two honest ones are as far from each other as both are from the truth.
    fn agree(&self, a: usize, b: usize) -> bool {
        difference(&self.answers[a].components, &self.answers[b].components) <= 2.0 * VECTOR_MARGIN
    }

    fn is_near(&self, index: usize, truth: &Truth) -> bool {
        difference(&self.answers[index].components, &truth.components) <= VECTOR_MARGIN
    }

    fn owners(&self, indices: &[usize]) -> usize {
        indices.iter().map(|index| self.answers[*index].owner).collect::<BTreeSet<_>>().len()
    }

    fn needs_truth(&self, sound: &[usize]) -> bool {
        let owners = self.owners(sound);
        let alone = self.setting.trusted_alone && sound.len() == 1;
        let differ = sound.iter().any(|a| sound.iter().any(|b| !self.agree(*a, *b)));
        let few = owners < OWNERS_MIN || owners < self.setting.asked as usize;
        self.setting.score_all || differ || (few && !alone)
    }

    /// Nobody computes the truth: what two owners agree on counts, unless the client wants more.
    fn without_truth(&self, sound: &[usize], wanted: bool) -> Verdict {
        let [alone] = sound else { return self.by_agreement(sound) };
        match wanted {
            true => self.undecided(),
            false => self.verdict(Some(*alone), Rule::Trusted, |index| {
                if index == *alone { Outcome::Trusted } else { Outcome::FailedStructure }
            }),
        }
    }

    fn by_agreement(&self, sound: &[usize]) -> Verdict {
        if self.setting.score_all {
            return self.undecided();
        }
        let around = |center: &usize| -> Vec<usize> {
            sound.iter().copied().filter(|other| self.agree(*center, *other)).collect()
        };
        let mut groups: Vec<(usize, Vec<usize>)> =
            sound.iter().map(|center| (*center, around(center))).collect();
        // Stable, so that of equals the first is taken.
        groups.sort_by_key(|(_, members)| std::cmp::Reverse(self.owners(members)));
        let Some((center, members)) = groups.first() else { return self.undecided() };
        let rival = groups.iter().find(|(other, _)| !members.contains(other));
        let most = self.owners(members);
        if most < OWNERS_MIN || rival.is_some_and(|(_, rivals)| self.owners(rivals) >= most) {
            return self.undecided();
        }
        let rule = if members.len() == sound.len() { Rule::Agreement } else { Rule::Majority };
        self.verdict(Some(*center), rule, |index| match () {
            () if members.contains(&index) => Outcome::Agreed,
            () if sound.contains(&index) => Outcome::Unverified,
            () => Outcome::FailedStructure,
        })
    }

    fn by_truth(&self, sound: &[usize]) -> Verdict {
        let last = self.truths.len() - 1;
        let from = |index: &usize| {
            difference(&self.answers[*index].components, &self.truths[last].components)
        };
        // The second one has the last word on those whom the first refuted, and no word on the others.
        let passes = |index: &usize| self.truths.iter().any(|truth| self.is_near(*index, truth));
        let passed: Vec<usize> = sound.iter().copied().filter(passes).collect();
        let winner = passed.iter().copied().min_by(|a, b| from(a).total_cmp(&from(b)));
        let together = self.owners(&passed) >= OWNERS_MIN;
        let rule = match (passed.len(), together) {
            (0, _) => Rule::NonePassed,
            (_, false) => Rule::SpotChecks,
            (count, true) if count == sound.len() => Rule::Agreement,
            (_, true) => Rule::Majority,
        };
        let paid = if together { Outcome::Agreed } else { Outcome::Passed };
        let verdict = self.verdict(winner, rule, |index| match () {
            () if passed.contains(&index) => paid,
            () if sound.contains(&index) => Outcome::FailedWholeAnswer,
            () => Outcome::FailedStructure,
        });
        let findings = verdict.findings.iter().enumerate().map(|(index, finding)| match () {
            () if !sound.contains(&index) => *finding,
            () if self.is_near(index, &self.truths[0]) => Some(Finding::Passed { weight: 1.0 }),
            // Scorers contradict each other: nothing is learnt about the node.
            () if passed.contains(&index) => None,
            () => Some(Finding::Failed { proven: self.truths.len() > 1 }),
        });
        Verdict { findings: findings.collect(), ..verdict }
    }

    fn undecided(&self) -> Verdict {
        let sound: Vec<usize> = self.sound().collect();
        self.verdict(None, Rule::Undecided, |index| {
            if sound.contains(&index) { Outcome::Unverified } else { Outcome::FailedStructure }
        })
    }

    /// What breaks a rule of structure is proven by itself.
    fn verdict(
        &self,
        winner: Option<usize>,
        rule: Rule,
        outcome: impl Fn(usize) -> Outcome,
    ) -> Verdict {
        let outcomes: Vec<Outcome> = (0..self.answers.len()).map(outcome).collect();
        let broken = |outcome: &Outcome| {
            (*outcome == Outcome::FailedStructure).then_some(Finding::Failed { proven: true })
        };
        Verdict { winner, findings: outcomes.iter().map(broken).collect(), outcomes, rule }
    }
}

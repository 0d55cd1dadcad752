//! The verdict over vectors: each case of the algorithm.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

/// Two inputs of two components.
const TRUE: [f32; 4] = [0.6, 0.8, 1.0, 0.0];
const OTHER: [f32; 4] = [0.8, 0.6, 1.0, 0.0];
const SETTING: Vectors = Vectors {
    dimensions: 2,
    asked: 2,
    score_all: false,
    trusted_alone: false,
    scorer: Scorer::Available,
    second_scorer: Scorer::Available,
};
const ABSENT: Vectors =
    Vectors { scorer: Scorer::Absent, second_scorer: Scorer::Absent, ..SETTING };

fn said(all: &[[f32; 4]]) -> Vec<Embedded> {
    let of = |(owner, components): (u8, &[f32; 4])| Embedded {
        node: NodeId(Uuid::from_u128(owner.into())),
        owner: OwnerId(owner.into()),
        components: components.to_vec(),
    };
    (1..).zip(all).map(of).collect()
}

fn truth(components: [f32; 4]) -> Truth {
    Truth { scorer: NodeId(Uuid::nil()), components: components.to_vec() }
}

fn rounded(by: f32) -> [f32; 4] {
    TRUE.map(|component| component + by)
}

fn decided(answers: &[Embedded], truths: &[Truth], setting: &Vectors) -> Verdict {
    match judge_vectors(answers, truths, setting) {
        Step::Decided(verdict) => verdict,
        step => panic!("{step:?}"),
    }
}

#[test]
fn two_owners_who_round_differently_agree() {
    let verdict = decided(&said(&[TRUE, rounded(4e-6)]), &[], &SETTING);
    assert_eq!((verdict.winner, verdict.rule), (Some(0), Rule::Agreement));
    assert_eq!(verdict.outcomes, [Outcome::Agreed; 2]);
    assert_eq!(verdict.findings, [None, None], "nobody looked");
}

#[test]
fn who_differs_is_held_to_the_truth_and_so_is_the_majority() {
    let honest_majority = said(&[OTHER, TRUE, TRUE]);
    assert_eq!(judge_vectors(&honest_majority, &[], &SETTING), Step::NeedsTruth);
    let truths = [truth(TRUE)];
    assert_eq!(judge_vectors(&honest_majority, &truths, &SETTING), Step::NeedsSecondTruth);
    let verdict = decided(&honest_majority, &[truth(TRUE), truth(TRUE)], &SETTING);
    assert_eq!((verdict.winner, verdict.rule), (Some(1), Rule::Majority));
    let [lied, honest, also] = verdict.outcomes[..] else { panic!("three") };
    assert_eq!(
        [lied, honest, also],
        [Outcome::FailedWholeAnswer, Outcome::Agreed, Outcome::Agreed]
    );
    assert_eq!(verdict.findings[0], Some(Finding::Failed { proven: true }));

    let alone = Vectors { second_scorer: Scorer::Absent, ..SETTING };
    let verdict = decided(&said(&[OTHER, OTHER, TRUE]), &truths, &alone);
    assert_eq!((verdict.winner, verdict.rule), (Some(2), Rule::SpotChecks));
    assert_eq!(verdict.outcomes[2], Outcome::Passed);
    assert!(!verdict.outcomes[0].is_paid() && !verdict.outcomes[1].is_paid());
    assert_eq!(verdict.findings[0], Some(Finding::Failed { proven: false }));
}

#[test]
fn a_second_scorer_has_the_last_word() {
    let verdict = decided(&said(&[OTHER, TRUE]), &[truth(TRUE), truth(OTHER)], &SETTING);
    assert_eq!(verdict.outcomes, [Outcome::Agreed; 2]);
    assert_eq!(verdict.findings, [None, Some(Finding::Passed { weight: 1.0 })]);
}

#[test]
fn nobody_near_the_truth_means_no_answer() {
    let truths = [truth(TRUE), truth(TRUE)];
    let verdict = decided(&said(&[OTHER, OTHER]), &truths, &Vectors { score_all: true, ..SETTING });
    assert_eq!((verdict.winner, verdict.rule), (None, Rule::NonePassed));
    assert!(verdict.outcomes.iter().all(|outcome| !outcome.is_paid()));
}

#[test]
fn without_a_scorer_two_must_agree_and_more_than_any_others() {
    let verdict = decided(&said(&[OTHER, TRUE, TRUE]), &[], &ABSENT);
    assert_eq!((verdict.winner, verdict.rule), (Some(1), Rule::Majority));
    assert_eq!(verdict.outcomes[0], Outcome::Unverified);
    for said in [said(&[OTHER, TRUE]), said(&[OTHER, OTHER, TRUE, TRUE]), said(&[TRUE])] {
        assert_eq!(decided(&said, &[], &ABSENT).winner, None);
    }
    let strict = Vectors { score_all: true, ..ABSENT };
    assert_eq!(decided(&said(&[TRUE, TRUE]), &[], &strict).winner, None);
}

#[test]
fn one_proven_node_is_believed_alone_and_a_stranger_is_not() {
    let alone = Vectors { asked: 1, trusted_alone: true, ..SETTING };
    let verdict = decided(&said(&[OTHER]), &[], &alone);
    assert_eq!((verdict.rule, verdict.outcomes[0]), (Rule::Trusted, Outcome::Trusted));
    let audited = Vectors { score_all: true, ..alone };
    assert_eq!(judge_vectors(&said(&[OTHER]), &[], &audited), Step::NeedsTruth);
    assert_eq!(judge_vectors(&said(&[TRUE]), &[], &SETTING), Step::NeedsTruth);
    let verdict = decided(&said(&[TRUE]), &[truth(TRUE)], &SETTING);
    assert_eq!((verdict.rule, verdict.outcomes[0]), (Rule::SpotChecks, Outcome::Passed));
}

#[test]
fn a_vector_that_has_not_length_one_is_out_at_once() {
    let scaled = TRUE.map(|component| component * 1.01);
    let verdict = decided(&said(&[scaled, TRUE, TRUE]), &[], &SETTING);
    assert_eq!(verdict.outcomes[0], Outcome::FailedStructure);
    assert_eq!(verdict.findings[0], Some(Finding::Failed { proven: true }));
    assert_eq!(verdict.winner, Some(1));
}

#[test]
fn what_cannot_be_compared_is_not_near() {
    assert_eq!(difference(&[f32::NAN, 0.0], &[0.0, 0.0]), f64::INFINITY);
    assert_eq!(difference(&[0.0], &[0.0, 0.0]), f64::INFINITY);
    assert_eq!(difference(&[0.5, -0.5], &[0.25, 0.0]), 0.5);
}

proptest! {
    #[test]
    fn nobody_far_from_the_truth_is_paid(
        far in prop::collection::vec(any::<bool>(), 1..5), audited in any::<bool>(),
    ) {
        let answers: Vec<_> = far.iter().map(|far| if *far { OTHER } else { TRUE }).collect();
        let setting = Vectors { score_all: audited, ..SETTING };
        let verdict = decided(&said(&answers), &[truth(TRUE), truth(TRUE)], &setting);
        for (far, outcome) in far.iter().zip(&verdict.outcomes) {
            prop_assert_eq!(outcome.is_paid(), !far);
        }
        prop_assert_eq!(verdict.winner.is_some(), far.contains(&false));
    }
}

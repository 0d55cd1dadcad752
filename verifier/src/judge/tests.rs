//! The founding algorithm, case by case, and what holds in every case.

use assay_protocol::{Finish, NodeId, Outcome as O};
use uuid::Uuid;

use super::{
    fixtures::{END, answer, check, rules},
    *,
};
use crate::{OwnerId, Told};

mod members;
mod properties;
mod singles;

const A: [TokenId; 3] = [5, 6, END];
const B: [TokenId; 3] = [5, 7, END];
const C: [TokenId; 2] = [8, END];

fn setting() -> Setting<'static> {
    Setting {
        asked: 3,
        score_all: false,
        scorer: Scorer::Available,
        trusted_alone: false,
        second_scorer: Scorer::Absent,
        released: &[],
    }
}

/// Answers of the owners 1, 2, 3 …
fn said(texts: &[&[TokenId]]) -> Vec<Answer> {
    (1..).zip(texts).map(|(owner, ids)| answer(owner, ids)).collect()
}

fn scored(answer: &Answer, contradictions: &[(usize, TokenId, f64)]) -> Scored {
    Scored { scorer: NodeId(Uuid::from_u128(100)), check: check(answer, contradictions) }
}

fn passes(ids: &[TokenId]) -> Scored {
    scored(&answer(0, ids), &[])
}

fn passes_with_margin(ids: &[TokenId], margin: f64) -> Scored {
    scored(&answer(0, ids), &[(0, 50, margin)])
}

fn fails(ids: &[TokenId]) -> Scored {
    scored(&answer(0, ids), &[(0, 50, 3.0)])
}

fn decide(answers: &[Answer], checks: &[Scored], setting: Setting<'_>) -> Verdict {
    match judge(answers, checks, &setting, &rules()) {
        Judgement::Decided(verdict) => verdict,
        open => panic!("{open:?}"),
    }
}

fn needs(answers: &[Answer], checks: &[Scored], setting: Setting<'_>) -> Vec<usize> {
    match judge(answers, checks, &setting, &rules()) {
        Judgement::NeedsScores(open) => open,
        other => panic!("{other:?}"),
    }
}

fn told(found: &Verdict) -> (Option<usize>, Vec<O>, Rule) {
    (found.winner, found.outcomes.clone(), found.rule)
}

/// What most stories are about; what records learn has its own.
fn verdict(winner: Option<usize>, outcomes: &[O], rule: Rule) -> (Option<usize>, Vec<O>, Rule) {
    (winner, outcomes.to_vec(), rule)
}

#[test]
fn all_match_and_nobody_is_scored() {
    let found = decide(&said(&[&A, &A, &A]), &[], setting());
    assert_eq!(told(&found), verdict(Some(0), &[O::Agreed; 3], Rule::Agreement));
}

#[test]
fn a_majority_wins_once_it_and_the_dissenter_are_scored() {
    let answers = said(&[&B, &A, &A]);
    assert_eq!(needs(&answers, &[], setting()), [1, 0]);
    assert_eq!(needs(&answers, &[passes(&A)], setting()), [0]);
    let found = decide(&answers, &[fails(&B), passes(&A)], setting());
    let expected = [O::FailedSpotCheck, O::Agreed, O::Agreed];
    assert_eq!(told(&found), verdict(Some(1), &expected, Rule::Majority));
}

#[test]
fn a_vindicated_minority_is_paid_but_the_majority_is_delivered() {
    let checks = [passes(&B), passes_with_margin(&A, 5e-4)];
    let found = decide(&said(&[&B, &A, &A]), &checks, setting());
    assert_eq!(
        told(&found),
        verdict(Some(1), &[O::Vindicated, O::Agreed, O::Agreed], Rule::Majority)
    );
}

#[test]
fn a_refuted_majority_gets_nothing() {
    let answers = said(&[&A, &A, &B]);
    let found = decide(&answers, &[fails(&A), passes(&B)], setting());
    let expected = [O::FailedSpotCheck, O::FailedSpotCheck, O::Vindicated];
    assert_eq!(told(&found), verdict(Some(2), &expected, Rule::SpotChecks));
    let found = decide(&answers, &[fails(&A), fails(&B)], setting());
    assert_eq!(told(&found), verdict(None, &[O::FailedSpotCheck; 3], Rule::NonePassed));
}

#[test]
fn none_match_and_one_passes_alone() {
    let answers = said(&[&A, &B, &C]);
    assert_eq!(needs(&answers, &[], setting()).len(), 3);
    let found = decide(&answers, &[fails(&A), passes(&B), fails(&C)], setting());
    let expected = [O::FailedSpotCheck, O::Passed, O::FailedSpotCheck];
    assert_eq!(told(&found), verdict(Some(1), &expected, Rule::SpotChecks));
}

#[test]
fn of_several_that_pass_the_smallest_largest_margin_wins_and_all_are_paid() {
    let checks = [passes_with_margin(&A, 9e-4), passes_with_margin(&B, 2e-4), fails(&C)];
    let found = decide(&said(&[&A, &B, &C]), &checks, setting());
    let expected = [O::Passed, O::Passed, O::FailedSpotCheck];
    assert_eq!(told(&found), verdict(Some(1), &expected, Rule::SpotChecks));
}

#[test]
fn none_passes_and_nobody_is_paid() {
    let found = decide(&said(&[&A, &B, &C]), &[fails(&A), fails(&B), fails(&C)], setting());
    assert_eq!(told(&found), verdict(None, &[O::FailedSpotCheck; 3], Rule::NonePassed));
}

#[test]
fn a_truncated_answer_fails_the_end_check() {
    let truncated = scored(&answer(0, &[5, END]), &[(1, 6, 4.0)]);
    let found = decide(&said(&[&A, &A, &[5, END]]), &[passes(&A), truncated], setting());
    assert_eq!(found.outcomes, [O::Agreed, O::Agreed, O::FailedEndCheck]);
}

#[test]
fn garbage_is_out_without_a_model_but_what_is_left_is_fewer_than_asked() {
    let answers = said(&[&A, &[5, 6], &A]);
    assert_eq!(needs(&answers, &[], setting()), [0]);
    let found = decide(&answers, &[passes(&A)], setting());
    let expected = [O::Agreed, O::FailedStructure, O::Agreed];
    assert_eq!(told(&found), verdict(Some(0), &expected, Rule::Majority));
    let found = decide(&said(&[&[5], &[101, END]]), &[], setting());
    assert_eq!(told(&found), verdict(None, &[O::FailedStructure; 2], Rule::NonePassed));
}

#[test]
fn fewer_owners_than_asked_one_asked_or_a_strict_client_want_scores() {
    let pair = said(&[&A, &A]);
    assert_eq!(needs(&pair, &[], setting()), [0]);
    assert_eq!(decide(&pair, &[], Setting { asked: 2, ..setting() }).rule, Rule::Agreement);
    assert_eq!(needs(&said(&[&A]), &[], Setting { asked: 1, ..setting() }), [0]);
    let strict = Setting { score_all: true, ..setting() };
    assert_eq!(needs(&said(&[&A, &A, &A]), &[], strict), [0]);
    let found = decide(&said(&[&A]), &[passes(&A)], Setting { asked: 1, ..setting() });
    assert_eq!(told(&found), verdict(Some(0), &[O::Passed], Rule::SpotChecks));
}

#[test]
fn two_nodes_of_one_owner_are_no_quorum() {
    let answers = vec![answer(1, &A), answer(1, &A), answer(2, &B)];
    assert_eq!(needs(&answers, &[], setting()).len(), 2);
    let found = decide(&answers, &[fails(&A), passes(&B)], setting());
    assert_eq!(found.outcomes, [O::FailedSpotCheck, O::FailedSpotCheck, O::Passed]);
    let alone = Setting { asked: 2, scorer: Scorer::Absent, ..setting() };
    let found = decide(&answers[..2], &[], alone);
    assert_eq!(told(&found), verdict(None, &[O::Unverified; 2], Rule::Undecided));
}

#[test]
fn without_a_scorer_a_majority_settles_and_nobody_else_is_blamed() {
    let absent = Setting { scorer: Scorer::Absent, ..setting() };
    let found = decide(&said(&[&A, &B, &A]), &[], absent);
    assert_eq!(
        told(&found),
        verdict(Some(0), &[O::Agreed, O::Unverified, O::Agreed], Rule::Majority)
    );
    let found = decide(&said(&[&A, &B]), &[], absent);
    assert_eq!(told(&found), verdict(None, &[O::Unverified; 2], Rule::Undecided));
    let strict = Setting { score_all: true, ..absent };
    let found = decide(&said(&[&A, &A, &A]), &[], strict);
    assert_eq!(told(&found), verdict(None, &[O::Unverified; 3], Rule::Undecided));
}

#[test]
fn a_tie_of_pairs_is_no_majority_but_who_passes_had_agreed() {
    let answers = said(&[&A, &B, &A, &B]);
    let found = decide(&answers, &[fails(&A), passes(&B)], Setting { asked: 4, ..setting() });
    let expected = [O::FailedSpotCheck, O::Agreed, O::FailedSpotCheck, O::Agreed];
    assert_eq!(told(&found), verdict(Some(1), &expected, Rule::SpotChecks));
}

#[test]
fn the_winner_goes_on_from_what_the_client_has() {
    let checks = [passes_with_margin(&A, 9e-4), passes(&C)];
    let sent = Setting { released: &[5], ..setting() };
    let found = decide(&said(&[&A, &C]), &checks, sent);
    assert_eq!(told(&found), verdict(Some(0), &[O::Passed, O::Passed], Rule::SpotChecks));
    let sent = Setting { released: &[5, 7], ..setting() };
    let found = decide(&said(&[&A, &C]), &checks, sent);
    assert_eq!(told(&found), verdict(None, &[O::Unverified; 2], Rule::ReleasedContradicted));
}

#[test]
fn a_lie_that_the_client_was_sent_is_never_gone_on_from() {
    let lie = [7, 7, END];
    let answers = said(&[&lie, &lie]);
    let refuted = [scored(&answers[0], &[(0, 50, 3.0)])];
    let sent = |released| Setting { released, ..setting() };
    let found = decide(&answers, &refuted, sent(&[7]));
    assert_eq!(found.rule, Rule::ReleasedContradicted);
    // What is refuted only after what was sent leaves that to go on from.
    let refuted_later = [scored(&answers[0], &[(1, 50, 3.0)])];
    assert_eq!(decide(&answers, &refuted_later, sent(&[7])).rule, Rule::NonePassed);
    assert_eq!(decide(&answers, &refuted, sent(&[])).rule, Rule::NonePassed);
}

#[test]
fn who_continued_a_refuted_prefix_is_not_blamed_and_nothing_wins() {
    let continued = Answer { from: 1, ..answer(4, &A) };
    let also_wrong = Answer { from: 1, ..answer(5, &B) };
    let wrong_prefix = scored(&continued, &[(0, 50, 3.0)]);
    let wrong_both = scored(&also_wrong, &[(0, 50, 3.0), (1, 6, 3.0)]);
    let found = decide(&[continued, also_wrong], &[wrong_prefix, wrong_both], setting());
    let expected = [O::Unverified, O::FailedSpotCheck];
    assert_eq!(told(&found), verdict(None, &expected, Rule::ReleasedContradicted));
}

#[test]
fn a_refuted_prefix_that_nobody_was_sent_does_not_hurt_who_wrote_another() {
    let continued = Answer { from: 1, ..answer(4, &A) };
    let wrong_prefix = scored(&continued, &[(0, 50, 3.0)]);
    let found = decide(&[continued, answer(5, &C)], &[wrong_prefix, passes(&C)], setting());
    assert_eq!(told(&found), verdict(Some(1), &[O::Unverified, O::Passed], Rule::SpotChecks));
}

#[test]
fn a_node_that_was_called_off_before_its_first_token_has_no_say() {
    let idle = Answer { finish: Finish::Told, told: Told::Anywhere, ..answer(3, &[]) };
    let answers = vec![answer(1, &A), answer(2, &A), idle];
    let found = decide(&answers, &[], Setting { asked: 2, ..setting() });
    assert_eq!(found.winner, Some(0));
    assert_eq!(found.outcomes, [O::Agreed, O::Agreed, O::Cancelled]);
}

#[test]
fn one_score_serves_all_answers_with_the_same_ids() {
    let told = Answer { finish: Finish::Told, told: Told::At(3), ..answer(2, &A) };
    let answers = vec![answer(1, &A), told, answer(3, &B)];
    assert_eq!(needs(&answers, &[], setting()).len(), 2);
    let found = decide(&answers, &[passes(&A), fails(&B)], setting());
    assert_eq!(found.outcomes, [O::Passed, O::Passed, O::FailedSpotCheck]);
}

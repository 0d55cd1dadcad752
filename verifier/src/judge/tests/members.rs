//! Members of one group fail or pass each for itself, and a second scorer has the last word.

use assay_protocol::PositionScore;

use proptest::prelude::*;

use super::*;
use crate::{judge::fixtures::agreeing_score, spot_check};

/// The true logit of every token; see [`agreeing_score`].
const TRUE: f32 = 1.0;
/// What a quantised model reports.
const OFF: f32 = 1.05;

fn calibrated() -> Rules {
    Rules { tau_logit: Some(1e-4), sigma2_max: Some(2e-3), flips_max_per_mille: Some(1), ..rules() }
}

/// Answers of the owners 1, 2, 3 … with the logit that each reports for all its tokens.
fn reported(said: &[(&[TokenId], f32)]) -> Vec<Answer> {
    (1..)
        .zip(said)
        .map(|(owner, (ids, logit))| Answer {
            logits: vec![*logit; ids.len()],
            ..answer(owner, ids)
        })
        .collect()
}

fn by(scorer: u128, answer: &Answer, contradictions: &[(usize, TokenId, f64)]) -> Scored {
    let mut scores: Vec<PositionScore> = answer.ids.iter().copied().map(agreeing_score).collect();
    for (position, own, margin) in contradictions.iter().copied() {
        scores[position] = PositionScore { own, margin, ..scores[position] };
    }
    let check = spot_check(answer, scores, &calibrated(), [0; 32]).unwrap();
    Scored { scorer: NodeId(Uuid::from_u128(scorer)), check }
}

fn judged(answers: &[Answer], scored: &[Scored], setting: Setting<'_>) -> Judgement {
    judge(answers, scored, &setting, &calibrated())
}

fn decided(answers: &[Answer], scored: &[Scored], setting: Setting<'_>) -> Verdict {
    match judged(answers, scored, setting) {
        Judgement::Decided(verdict) => verdict,
        open => panic!("{open:?}"),
    }
}

const WITH_SECOND: Setting<'static> = Setting {
    asked: 3,
    score_all: false,
    scorer: Scorer::Available,
    trusted_alone: false,
    second_scorer: Scorer::Available,
    released: &[],
};

#[test]
fn equal_tokens_with_equal_logits_need_no_score() {
    let answers = reported(&[(&A, TRUE), (&A, TRUE + 5e-5), (&A, TRUE)]);
    let found = decided(&answers, &[], setting());
    assert_eq!(told(&found), verdict(Some(0), &[O::Agreed; 3], Rule::Agreement));
    assert_eq!(found.findings, [None; 3], "nobody looked");
}

#[test]
fn a_quantised_node_beside_honest_ones_is_caught_without_an_audit() {
    let answers = reported(&[(&A, OFF), (&A, TRUE), (&A, TRUE)]);
    assert_eq!(judged(&answers, &[], setting()), Judgement::NeedsScores(vec![0]));
    let found = decided(&answers, &[by(100, &answers[0], &[])], setting());
    let expected = [O::FailedLogits, O::Agreed, O::Agreed];
    assert_eq!(told(&found), verdict(Some(1), &expected, Rule::Agreement));
    assert_eq!(found.findings[0], Some(Finding::Failed { proven: false }));
    assert!(matches!(found.findings[1], Some(Finding::Passed { weight }) if weight > 0.0));
}

#[test]
fn one_who_is_left_of_two_did_not_agree_with_anybody() {
    let answers = reported(&[(&A, OFF), (&A, TRUE)]);
    let found = decided(&answers, &[by(100, &answers[0], &[])], setting());
    assert_eq!(told(&found).0, Some(1));
    assert_eq!(found.outcomes[0], O::FailedLogits);
    assert!(found.outcomes[1].is_paid(), "{:?}", found.outcomes);
    assert_eq!(found.rule, Rule::SpotChecks, "the model itself confirmed it");
}

#[test]
fn without_a_scorer_unequal_logits_settle_as_agreed_and_teach_nothing() {
    let answers = reported(&[(&A, OFF), (&A, TRUE), (&A, TRUE)]);
    let absent = Setting { scorer: Scorer::Absent, ..setting() };
    let found = decided(&answers, &[], absent);
    assert_eq!(told(&found), verdict(Some(0), &[O::Agreed; 3], Rule::Agreement));
    assert_eq!(found.findings, [None; 3]);
}

#[test]
fn when_nobodys_logits_are_true_the_answer_goes_to_the_next_round() {
    let answers = reported(&[(&A, OFF), (&A, OFF), (&A, OFF)]);
    let strict = Setting { score_all: true, ..setting() };
    let found = decided(&answers, &[by(100, &answers[0], &[])], strict);
    assert_eq!(told(&found), verdict(None, &[O::FailedLogits; 3], Rule::NonePassed));
    // … and it is no lie that the client was sent: the tokens are right as far as anybody knows.
    let sent = Setting { released: &A[..1], ..strict };
    assert_eq!(decided(&answers, &[by(100, &answers[0], &[])], sent).rule, Rule::NonePassed);
}

#[test]
fn an_answer_of_small_margins_everywhere_fails_as_a_whole() {
    let margins: Vec<_> = (0..3).map(|position| (position, 50, 9e-4)).collect();
    let answers = reported(&[(&A, TRUE), (&B, TRUE)]);
    let scored = [by(100, &answers[0], &margins), by(100, &answers[1], &[])];
    let found = decided(&answers, &scored, setting());
    assert_eq!(found.outcomes, [O::FailedWholeAnswer, O::Passed]);
    assert_eq!(found.winner, Some(1));
}

#[test]
fn tokens_that_others_wrote_are_nobodys_logits() {
    let [first, mut second] = reported(&[(&A, TRUE), (&A, TRUE)]).try_into().unwrap();
    second.from = 2;
    second.logits = vec![OFF];
    let both = [first, second];
    assert_eq!(judged(&both, &[], setting()), Judgement::NeedsScores(vec![0]));
    let found = decided(&both, &[by(100, &both[0], &[])], setting());
    assert_eq!(found.outcomes, [O::Agreed, O::FailedLogits]);
}

#[test]
fn logits_that_are_missing_break_the_structure() {
    let mut answers = reported(&[(&A, TRUE), (&A, TRUE), (&A, TRUE)]);
    answers[1].logits.clear();
    let found = decided(&answers, &[by(100, &answers[0], &[])], setting());
    assert_eq!(found.outcomes, [O::Agreed, O::FailedStructure, O::Agreed]);
    assert_eq!(found.findings[1], Some(Finding::Failed { proven: true }));
}

#[test]
fn a_failure_is_shown_to_a_second_scorer_and_proven_by_it() {
    let answers = reported(&[(&A, TRUE), (&A, TRUE), (&B, TRUE)]);
    let lie = [(1, 6, 3.0)];
    let once = [by(100, &answers[0], &[]), by(100, &answers[2], &lie)];
    assert_eq!(judged(&answers, &once, WITH_SECOND), Judgement::NeedsSecondScore(vec![2]));
    let found = decided(&answers, &once, setting());
    assert_eq!(found.findings[2], Some(Finding::Failed { proven: false }), "there is no second");

    let [a, b] = once.clone();
    let twice = [a.clone(), b.clone(), by(101, &answers[2], &lie)];
    let found = decided(&answers, &twice, WITH_SECOND);
    assert_eq!(found.outcomes, [O::Agreed, O::Agreed, O::FailedSpotCheck]);
    assert_eq!(found.findings[2], Some(Finding::Failed { proven: true }));
    // The same scorer twice is one scorer.
    let same = [a, b.clone(), b];
    assert_eq!(judged(&answers, &same, WITH_SECOND), Judgement::NeedsSecondScore(vec![2]));
}

#[test]
fn whom_a_second_scorer_confirms_passes_and_nothing_is_learnt() {
    let answers = reported(&[(&A, TRUE)]);
    let alone = Setting { asked: 1, ..WITH_SECOND };
    let refuted = by(100, &answers[0], &[(1, 7, 1.2e-3)]);
    let confirmed = by(101, &answers[0], &[(1, 7, 8e-4)]);
    for scored in [[refuted.clone(), confirmed.clone()], [confirmed.clone(), refuted.clone()]] {
        let found = decided(&answers, &scored, alone);
        assert_eq!(told(&found), verdict(Some(0), &[O::Passed], Rule::SpotChecks));
        assert_eq!(found.findings, [None]);
        assert_eq!(deciding(&answers[0], &scored), Some(&confirmed));
    }
}

#[test]
fn what_the_client_was_sent_is_called_a_lie_by_two_scorers_or_none() {
    let answers = reported(&[(&A, TRUE), (&A, TRUE)]);
    let sent = Setting { released: &A[..2], ..WITH_SECOND };
    let refuted = by(100, &answers[0], &[(1, 7, 3.0)]);
    let once = [by(100, &answers[0], &[(1, 7, 3.0)])];
    assert_eq!(judged(&answers, &once, sent), Judgement::NeedsSecondScore(vec![0]));
    let confirmed = [refuted.clone(), by(101, &answers[0], &[])];
    assert_eq!(decided(&answers, &confirmed, sent).winner, Some(0));
    let twice = [refuted, by(101, &answers[0], &[(1, 7, 3.0)])];
    assert_eq!(decided(&answers, &twice, sent).rule, Rule::ReleasedContradicted);
}

proptest! {
    #[test]
    fn each_member_gets_what_its_own_logits_deserve(
        said in prop::collection::vec((prop::sample::select(vec![&A[..], &B, &C]), any::<bool>()), 0..5),
        second in any::<bool>(),
    ) {
        let said: Vec<(&[TokenId], f32)> =
            said.into_iter().map(|(ids, honest)| (ids, if honest { TRUE } else { OFF })).collect();
        let answers = reported(&said);
        let is_true = |ids: &[TokenId]| ids != C;
        let contradictions = |ids: &[TokenId]| if is_true(ids) { vec![] } else { vec![(0, 50, 3.0)] };
        let second_scorer = if second { Scorer::Available } else { Scorer::Absent };
        let setting = Setting { score_all: true, second_scorer, ..setting() };
        let mut scored = Vec::new();
        let verdict = loop {
            let (scorer, open) = match judged(&answers, &scored, setting) {
                Judgement::Decided(verdict) => break verdict,
                Judgement::NeedsScores(open) => (100, open),
                Judgement::NeedsSecondScore(open) => (101, open),
            };
            prop_assert!(scored.len() < 2 * answers.len() && !open.is_empty());
            let score = |index: usize| by(scorer, &answers[index], &contradictions(&answers[index].ids));
            scored.extend(open.into_iter().map(score));
        };
        for (index, (ids, logit)) in said.iter().enumerate() {
            let expected = match (is_true(ids), *logit == TRUE) {
                (true, true) => None,
                (true, false) => Some(O::FailedLogits),
                (false, _) => Some(O::FailedSpotCheck),
            };
            prop_assert_eq!(expected.is_none(), verdict.outcomes[index].is_paid());
            prop_assert_eq!(expected.unwrap_or(verdict.outcomes[index]), verdict.outcomes[index]);
            match verdict.findings[index] {
                Some(Finding::Passed { .. }) => prop_assert!(expected.is_none()),
                Some(Finding::Failed { proven }) => {
                    prop_assert!(expected.is_some());
                    prop_assert_eq!(proven, second);
                }
                None => prop_assert!(false, "everybody was scored"),
            }
        }
    }
}

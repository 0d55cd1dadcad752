//! What holds whatever the answers are.

use proptest::prelude::*;

use super::*;
use crate::{check_structure, judge::fixtures::answers};

/// Scores every distinct answer: those that begin with an even token fail.
fn oracle(answers: &[Answer]) -> Vec<Scored> {
    answers.iter().map(|a| if is_true(a) { passes(&a.ids) } else { fails(&a.ids) }).collect()
}

fn is_true(answer: &Answer) -> bool {
    answer.ids.first().is_some_and(|id| id % 2 == 1) && answer.ids.get(1) != Some(&7)
}

fn settings() -> impl Strategy<Value = Setting<'static>> {
    let scorer = prop_oneof![Just(Scorer::Available), Just(Scorer::Absent)];
    let released = prop::sample::select(vec![&[][..], &[5], &[5, 6]]);
    (0u32..5, any::<bool>(), scorer, released).prop_map(|(asked, score_all, scorer, released)| {
        Setting { asked, score_all, scorer, released, ..setting() }
    })
}

/// Judges as a gateway does: scores what is asked for until there is a verdict.
fn judge_to_the_end(answers: &[Answer], setting: &Setting<'_>) -> (Verdict, Vec<Scored>) {
    let mut checks = Vec::new();
    for _ in 0..3 {
        match judge(answers, &checks, setting, &rules()) {
            Judgement::Decided(verdict) => return (verdict, checks),
            Judgement::NeedsScores(open) => {
                checks.extend(open.iter().flat_map(|index| oracle(&answers[*index..=*index])));
            }
            Judgement::NeedsSecondScore(open) => panic!("nobody offered to score {open:?} again"),
        }
    }
    panic!("asks for scores again and again");
}

proptest! {
    #[test]
    fn a_refuted_answer_is_never_paid_and_never_wins(answers in answers(), setting in settings()) {
        for checks in [oracle(&answers), judge_to_the_end(&answers, &setting).1] {
            if let Judgement::Decided(verdict) = judge(&answers, &checks, &setting, &rules()) {
                for (index, answer) in answers.iter().enumerate() {
                    let sound = check_structure(answer, &rules()).is_ok();
                    let refuted = checks.iter().any(|it| it.check.is_of(answer) && !it.check.is_clean());
                    if refuted || !sound {
                        prop_assert!(!verdict.outcomes[index].is_paid());
                        prop_assert_ne!(verdict.winner, Some(index));
                    }
                    // … and a confirmed one is never blamed.
                    if sound && is_true(answer) {
                        let outcome = verdict.outcomes[index];
                        prop_assert!(outcome.is_paid() || outcome == O::Unverified);
                    }
                }
            }
        }
    }

    #[test]
    fn a_winner_is_paid_and_goes_on_from_what_was_released(
        answers in answers(),
        setting in settings(),
    ) {
        let (verdict, checks) = judge_to_the_end(&answers, &setting);
        prop_assert_eq!(verdict.outcomes.len(), answers.len());
        match verdict.winner {
            Some(index) => {
                prop_assert!(verdict.outcomes[index].is_paid());
                prop_assert!(answers[index].ids.starts_with(setting.released));
                let scored = checks.iter().any(|it| it.check.is_of(&answers[index]));
                prop_assert!(scored || !setting.score_all);
            }
            None => prop_assert!(!verdict.outcomes.iter().any(|outcome| outcome.is_paid())),
        }
    }

    #[test]
    fn one_owner_alone_never_wins_unscored(answers in answers(), setting in settings()) {
        let answers: Vec<_> =
            answers.into_iter().map(|answer| Answer { owner: OwnerId(1), ..answer }).collect();
        let (verdict, checks) = judge_to_the_end(&answers, &setting);
        if let Some(winner) = verdict.winner {
            prop_assert!(checks.iter().any(|it| it.check.is_of(&answers[winner])));
        }
    }

    #[test]
    fn the_order_of_answers_does_not_matter(
        (answers, shuffled) in answers().prop_flat_map(|answers| {
            (Just(answers.clone()), Just(answers).prop_shuffle())
        }),
        setting in settings(),
    ) {
        let by_node = |answers: &[Answer]| {
            let (verdict, _) = judge_to_the_end(answers, &setting);
            let winner = verdict.winner.map(|index| answers[index].ids.clone());
            let mut outcomes: Vec<_> =
                answers.iter().map(|answer| answer.node).zip(verdict.outcomes).collect();
            outcomes.sort_by_key(|(node, _)| *node);
            (winner, outcomes, verdict.rule)
        };
        prop_assert_eq!(by_node(&answers), by_node(&shuffled));
    }
}

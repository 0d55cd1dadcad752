//! One proven node that answers alone, and nodes that were called off where the model contradicted them.

use super::*;

fn alone() -> Setting<'static> {
    Setting { asked: 1, trusted_alone: true, ..setting() }
}

/// Called off after these ids.
fn called_off(owner: i64, ids: &[TokenId]) -> Answer {
    Answer { finish: Finish::Told, told: Told::CalledOff, ..answer(owner, ids) }
}

#[test]
fn a_proven_node_alone_is_believed_until_an_audit_is_drawn() {
    let answers = said(&[&A]);
    let believed = decide(&answers, &[], alone());
    assert_eq!(told(&believed), verdict(Some(0), &[O::Trusted], Rule::Trusted));
    assert_eq!(believed.findings, [None], "nobody looked, so nothing is learnt");
    let audit = Setting { score_all: true, ..alone() };
    assert_eq!(needs(&answers, &[], audit), [0]);
    let passed = decide(&answers, &[passes(&A)], audit);
    assert_eq!(told(&passed), verdict(Some(0), &[O::Passed], Rule::SpotChecks));
    let failed = decide(&answers, &[fails(&A)], audit);
    assert_eq!(told(&failed), verdict(None, &[O::FailedSpotCheck], Rule::NonePassed));
}

#[test]
fn a_stranger_alone_is_scored_and_two_that_differ_are_too() {
    let stranger = Setting { trusted_alone: false, ..alone() };
    assert_eq!(needs(&said(&[&A]), &[], stranger), [0]);
    assert_eq!(needs(&said(&[&A, &B]), &[], alone()), [0, 1]);
}

#[test]
fn who_was_called_off_is_judged_and_the_others_are_scored_before_they_are_believed() {
    let mut answers = said(&[&A, &A]);
    answers.push(called_off(3, &[5, 7]));
    let refuted = scored(&answers[2], &[(1, 6, 3.0)]);
    assert_eq!(needs(&answers, std::slice::from_ref(&refuted), setting()), [0]);
    let found = decide(&answers, &[refuted, passes(&A)], setting());
    let outcomes = [O::Agreed, O::Agreed, O::FailedSpotCheck];
    assert_eq!(told(&found), verdict(Some(0), &outcomes, Rule::Majority));
    assert_eq!(found.findings[2], Some(Finding::Failed { proven: false }));
}

/// What it has said is no whole answer: nobody may get it as one.
#[test]
fn who_was_called_off_wrongly_is_not_blamed_and_never_the_answer() {
    let answers = [called_off(1, &[5, 7]), called_off(2, &[5, 7])];
    let confirmed = passes(&[5, 7]);
    for setting in [setting(), alone()] {
        let found = decide(&answers, std::slice::from_ref(&confirmed), setting);
        assert_eq!((found.winner, &found.outcomes[..]), (None, &[O::Unverified; 2][..]));
    }
}

/// The lie went out: it is contradicted whoever was handed it.
#[test]
fn who_was_handed_a_refuted_token_is_not_blamed_but_what_went_out_is_contradicted() {
    let misled = Answer { from: 2, ..called_off(1, &[5, 7]) };
    let refuted = scored(&misled, &[(1, 6, 3.0)]);
    let setting = Setting { released: &[5, 7], ..setting() };
    let found = decide(&[misled], &[refuted], setting);
    assert_eq!(told(&found), verdict(None, &[O::Unverified], Rule::ReleasedContradicted));
}

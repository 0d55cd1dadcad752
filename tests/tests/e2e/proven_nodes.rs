//! Nodes with a good record are checked less often: their agreement ends the client's wait at once. What
//! comes out afterwards still decides who is paid.

use assay_tests::{Ask, Behaviour, Gate, Pace, World};

use crate::{
    expect::{assert_not_charged, assert_outcome},
    records::{PROVEN, join, recorded},
};

/// Two in three answers go unchecked, so that this many tries without one do not happen.
const TRIES: usize = 20;
/// Tokens of a few answers.
const PART: usize = 100;

#[tokio::test]
async fn a_proven_pair_ends_the_wait_and_is_paid_although_the_third_was_not_heard() {
    let mut world = World::with("[serving]\nstraggler_ms = 100").await;
    let [first, second, third] = recorded(&mut world, PROVEN).await;
    let pair = [
        join(&world, first, Behaviour::Honest, Pace::Free).await,
        join(&world, second, Behaviour::Honest, Pace::Free).await,
    ];
    let _scorer = world.scorer().await;
    // It does its part for a while, so that it has pay to lose: without, every answer would be audited.
    let gate = Gate::closed();
    gate.allow(PART);
    let late = join(&world, third, Behaviour::Honest, &gate).await;

    for _ in 0..TRIES {
        let answer = world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
        assert_eq!(answer.json["x_assay"]["rule"], "agreement");
        let job = world.admin.job(&answer.job).await;
        assert_outcome(&job, &pair[0], "agreed");
        assert_outcome(&job, &pair[1], "agreed");
        let is_late = job.part(late.id()).outcome == "cancelled";
        if is_late && answer.json["x_assay"]["positions_checked"] == 0 {
            return world.finish().await;
        }
    }
    panic!("proven nodes were checked every time");
}

/// A newcomer's answers are all checked, also when the others are done before it: it may be paid too.
#[tokio::test]
async fn a_set_with_a_newcomer_is_audited_although_the_newcomer_is_late() {
    let mut world = World::with("[serving]\nstraggler_ms = 20000").await;
    let [first, second] = recorded(&mut world, PROVEN).await;
    let pair = [
        join(&world, first, Behaviour::Honest, Pace::Free).await,
        join(&world, second, Behaviour::Honest, Pace::Free).await,
    ];
    let _scorer = world.scorer().await;
    let gate = Gate::closed();
    let late = world.paced(Behaviour::Honest, &gate).await;
    let asking = async { world.client.plain(&Ask::say("Hello!")).await.expect("an answer") };
    let meanwhile = async {
        for node in &pair {
            node.wait_for("is done", |seen| seen.completed == 1).await;
        }
        late.is_started().await;
        gate.open();
    };
    let (answer, ()) = tokio::join!(asking, meanwhile);
    assert_eq!(answer.json["x_assay"]["audited"], true, "{}", answer.json);
    let job = world.admin.job(&answer.job).await;
    assert_eq!(world.admin.audits(&job.id).await[0].q_ppm, 1_000_000);
    assert_outcome(&job, &late, "agreed");
    assert!(world.admin.node(late.id()).await.reputation[0].passes > 0.0, "it was checked");
    world.finish().await;
}

#[tokio::test]
async fn a_lie_of_two_with_a_long_good_record_is_not_charged_once_a_third_differs() {
    let mut world = World::with("[serving]\nstraggler_ms = 20000").await;
    let [first, second] = recorded(&mut world, PROVEN).await;
    let pair = [
        join(&world, first, Behaviour::Canned, Pace::Free).await,
        join(&world, second, Behaviour::Canned, Pace::Free).await,
    ];
    let _scorer = world.scorer().await;
    let gate = Gate::closed();
    let honest = world.paced(Behaviour::Honest, &gate).await;

    let ask = Ask::say("Tell me a story.");
    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| text.len() > 10).await;
    pair[0].wait_for("has told its lie", |seen| seen.tokens_sent > 0).await;
    honest.is_started().await;
    gate.open();
    let id = stream.job.clone();
    let _ = stream.rest().await;

    let job = world.admin.job(&id).await;
    assert_not_charged(&world, &job).await;
    for liar in &pair {
        assert_outcome(&job, liar, "failed_spot_check");
    }
    world.finish().await;
}

//! Nodes with a good record are checked less often: their agreement ends the client's wait at once. What
//! comes out afterwards still decides who is paid.

use assay_tests::{Ask, Behaviour, Gate, Pace, World};

use crate::{
    expect::{assert_not_charged, assert_outcome},
    records::{PROVEN, join, recorded},
};

/// Two in three answers go unchecked, so that this many tries without one do not happen.
const TRIES: usize = 20;

#[tokio::test]
async fn a_proven_pair_ends_the_wait_and_is_paid_although_the_third_was_not_heard() {
    let mut world = World::with("[serving]\nstraggler_ms = 100").await;
    let [first, second] = recorded(&mut world, PROVEN).await;
    let pair = [
        join(&world, first, Behaviour::Honest, Pace::Free).await,
        join(&world, second, Behaviour::Honest, Pace::Free).await,
    ];
    let _scorer = world.scorer().await;
    let late = world.paced(Behaviour::Honest, &Gate::closed()).await;

    for _ in 0..TRIES {
        let answer = world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
        assert_eq!(answer.json["x_assay"]["rule"], "agreement");
        let job = world.admin.job(&answer.job).await;
        assert_outcome(&job, &pair[0], "agreed");
        assert_outcome(&job, &pair[1], "agreed");
        assert_outcome(&job, &late, "cancelled");
        if answer.json["x_assay"]["positions_checked"] == 0 {
            return world.finish().await;
        }
    }
    panic!("proven nodes were checked every time");
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

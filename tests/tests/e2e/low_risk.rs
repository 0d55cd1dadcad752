//! Risk `low`: two nodes at the plain price, or one whose every word is checked.

use assay_tests::{Ask, Behaviour, Gate, Pace, World};

use crate::{
    expect::{assert_not_charged, assert_outcome, assert_paid, assert_undisturbed},
    records::{PROVEN, join, recorded},
};

fn ask() -> Ask {
    Ask::say("Tell me a story.").risk("low")
}

#[tokio::test]
async fn at_low_risk_two_that_agree_share_the_plain_price() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await];
    let answer = world.client.plain(&ask()).await.expect("an answer");
    assert_undisturbed(&world, &ask(), &answer).await;

    let job = world.admin.job(&answer.job).await;
    assert_eq!(job.risk, "low");
    for node in &nodes {
        assert_outcome(&job, node, "agreed");
    }
    assert_paid(&world, &job, &[(&nodes[0]).into(), (&nodes[1]).into()], 2).await;
    world.finish().await;
}

#[tokio::test]
async fn at_low_risk_a_third_node_is_not_asked() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await, world.honest().await];
    let answer = world.client.plain(&ask()).await.expect("an answer");
    let job = world.admin.job(&answer.job).await;
    let asked: Vec<_> = nodes.iter().filter(|node| job.has_part(node.id())).collect();
    assert_eq!(asked.len(), 2, "{job:#?}");
    assert_paid(&world, &job, &[asked[0].into(), asked[1].into()], 2).await;
    world.finish().await;
}

#[tokio::test]
async fn at_low_risk_of_two_that_differ_the_honest_one_alone_is_paid() {
    let world = World::new().await;
    let scorer = world.scorer().await;
    let honest = world.honest().await;
    let liar = world.scripted(Behaviour::Canned).await;
    let answer = world.client.plain(&ask()).await.expect("an answer");
    assert_undisturbed(&world, &ask(), &answer).await;

    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &honest, "passed");
    assert_outcome(&job, &liar, "failed_spot_check");
    assert_paid(&world, &job, &[(&honest).into()], 2).await;
    assert!(scorer.seen().scored > 0, "only the model can tell them apart");
    world.finish().await;
}

/// What one node says alone goes out once the model has confirmed it, and not before.
#[tokio::test]
async fn at_low_risk_a_single_node_is_read_after_the_verdict_and_gets_all_of_the_pay() {
    let world = World::new().await;
    let (writing, scoring) = (Gate::closed(), Gate::closed());
    let scorer = world.paced_scorer(&scoring).await;
    let single = world.paced(Behaviour::Honest, &writing).await;
    let ask = ask().endless(world.model.end_token).max_tokens(40);
    writing.allow(10);

    let reading = async {
        let mut stream = world.client.stream(&ask).await.expect("a stream");
        stream.read_until(|text| !text.is_empty()).await;
        assert!(scorer.seen().scored > 0, "text before the verdict: {stream:?}");
        (stream.job.clone(), stream.rest().await)
    };
    let holding_back = async {
        single.wait_for("has sent some", |seen| seen.tokens_sent == 10).await;
        writing.open();
        single.wait_for("is whole", |seen| seen.completed == 1).await;
        scorer.wait_for("is asked", |seen| seen.offers == 1).await;
        scoring.open();
    };
    let ((job, streamed), ()) = tokio::join!(reading, holding_back);
    assert!(streamed.done);
    let expected = world.model.expected(&ask).await;
    assert_eq!(streamed.text, world.model.text(&expected.ids));

    let job = world.admin.job(&job).await;
    assert_outcome(&job, &single, "passed");
    assert_paid(&world, &job, &[(&single).into()], 1).await;
    world.finish().await;
}

#[tokio::test]
async fn at_low_risk_a_single_node_that_nobody_can_check_is_not_asked() {
    let world = World::new().await;
    let single = world.honest().await;
    let refusal = world.client.plain(&ask()).await.expect_err("one answer alone is none");
    assert_eq!(refusal.status, 503, "{refusal:?}");
    assert!(refusal.headers.contains_key("retry-after"), "somebody may come");
    assert_eq!(single.seen().starts, 0, "it has not seen the prompt");
    world.admin.no_job_runs().await;
    assert_not_charged(&world, &world.admin.jobs().await[0]).await;
    world.finish().await;
}

/// What one node said alone cannot be handed over before the model confirmed it: a scorer that is away is waited for.
#[tokio::test]
async fn at_low_risk_an_answer_outlives_its_node_although_no_scorer_is_there_at_that_moment() {
    let mut world = World::with("[serving]\nfailover_wait_ms = 30000").await;
    let [first, second] = recorded(&mut world, PROVEN).await;
    let writing = Gate::closed();
    let leaves = join(&world, first, Behaviour::Honest, &writing).await;
    let scorer = world.scorer().await;
    let ask = ask().endless(world.model.end_token).max_tokens(40);
    writing.allow(10);

    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    let fresh = join(&world, second, Behaviour::Honest, Pace::Free).await;
    for gone in [scorer, leaves] {
        let id = gone.id();
        drop(gone);
        world.admin.node_is(id, "offline").await;
    }
    assert_eq!(fresh.seen().starts, 0, "nobody can say yet what is to be gone on from");
    let _scorer = world.scorer().await;
    fresh.is_started().await;
    let job = stream.job.clone();
    let streamed = stream.rest().await;
    assert!(streamed.done && streamed.error.is_none(), "{streamed:?}");
    let expected = world.model.expected(&ask).await;
    assert_eq!(streamed.text, world.model.text(&expected.ids));
    assert!(fresh.seen().prefix_tokens > 0, "it did not start over: {:?}", fresh.seen());
    let job = world.admin.job(&job).await;
    assert!(job.part(fresh.id()).pay > 0, "{job:#?}");
    world.finish().await;
}

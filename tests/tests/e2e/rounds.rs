//! What a new round may build on: what went out and holds, and never what the model has refuted.

use assay_tests::{Ask, Behaviour, Gate, ScriptedNode, World};

use crate::expect::{assert_not_charged, assert_outcome, assert_paid};

const SOME: usize = 12;

fn long(world: &World) -> Ask {
    Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(60)
}

/// Two nodes that write this much and wait.
async fn two_that_begin(
    world: &World,
    behaviour: Behaviour,
    tokens: usize,
) -> ([Gate; 2], [ScriptedNode; 2]) {
    let gates = [Gate::closed(), Gate::closed()];
    gates.iter().for_each(|gate| gate.allow(tokens));
    let nodes = [world.paced(behaviour, &gates[0]).await, world.paced(behaviour, &gates[1]).await];
    (gates, nodes)
}

async fn three_honest(world: &World) -> [ScriptedNode; 3] {
    [world.honest().await, world.honest().await, world.honest().await]
}

#[tokio::test]
async fn a_lie_that_went_out_is_not_continued_when_the_third_node_leaves() {
    a_lie_is_not_continued(Behaviour::Vanish).await;
}

#[tokio::test]
async fn a_lie_that_went_out_is_not_continued_when_the_third_node_stalls() {
    a_lie_is_not_continued(Behaviour::Stall).await;
}

/// Two colluders agree, nobody contradicts them, and the model refutes what the client has read.
async fn a_lie_is_not_continued(third: Behaviour) {
    let world = World::with("[serving]\nstall_ms = 3000").await;
    let _scorer = world.scorer().await;
    let (lying, leaving) = (Gate::closed(), Gate::closed());
    let liars = [
        world.paced(Behaviour::Canned, &lying).await,
        world.paced(Behaviour::Canned, &lying).await,
    ];
    let third = world.paced(third, &leaving).await;
    let ask = long(&world);

    let reading = async {
        let mut stream = world.client.stream(&ask).await.expect("a stream");
        stream.read_until(|text| text.len() > 10).await;
        leaving.open();
        (stream.job.clone(), stream.rest().await)
    };
    let meanwhile = async {
        for node in liars.iter().chain([&third]) {
            node.is_started().await;
        }
        // The set is complete: whoever comes now could only be of a second round.
        let fresh = three_honest(&world).await;
        lying.open();
        fresh
    };
    let ((job, streamed), fresh) = tokio::join!(reading, meanwhile);
    assert!(!streamed.done, "it does not look finished");
    let error = streamed.error.expect("an error ends it");
    assert_eq!(error["code"], "not_verified", "{error}");

    let job = world.admin.job(&job).await;
    assert_eq!(job.code.as_deref(), Some("not_verified"), "{job:#?}");
    assert_not_charged(&world, &job).await;
    for liar in &liars {
        assert_outcome(&job, liar, "failed_spot_check");
    }
    for node in &fresh {
        assert_eq!(node.seen().starts, 0, "nobody is asked to go on from a lie");
    }
    world.finish().await;
}

/// The colluders leave before they can be judged; whoever goes on finds the lie before its own work.
#[tokio::test]
async fn nodes_that_were_handed_a_lie_are_not_blamed_for_it() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let (_gates, liars) = two_that_begin(&world, Behaviour::Canned, SOME).await;
    let ids = liars.each_ref().map(ScriptedNode::id);
    let mut stream = world.client.stream(&long(&world)).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    let fresh = [world.honest().await, world.honest().await];
    drop(liars);
    let job = stream.job.clone();
    let streamed = stream.rest().await;
    assert!(!streamed.done, "it does not look finished");
    let error = streamed.error.expect("an error ends it");
    assert_eq!(error["code"], "not_verified", "{error}");

    let job = world.admin.job(&job).await;
    assert_not_charged(&world, &job).await;
    for id in ids {
        assert_eq!(job.part(id).outcome, "left", "{job:#?}");
    }
    for node in fresh.iter().filter(|node| job.has_part(node.id())) {
        assert_outcome(&job, node, "unverified");
    }
    world.finish().await;
}

/// Nobody of the first set is left; those who step in need not be of another round.
#[tokio::test]
async fn when_both_nodes_leave_fresh_ones_go_on_from_what_they_agreed_on() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let (_gates, leave) = two_that_begin(&world, Behaviour::Honest, SOME).await;
    let ids = leave.each_ref().map(ScriptedNode::id);
    let ask = long(&world);

    let mut stream = world.client.stream(&ask).await.expect("a stream");
    stream.read_until(|text| !text.is_empty()).await;
    let fresh = [world.honest().await, world.honest().await];
    drop(leave);
    let job = stream.job.clone();
    let streamed = stream.rest().await;
    assert!(streamed.done, "{streamed:?}");
    let expected = world.model.expected(&ask).await;
    assert_eq!(streamed.text, world.model.text(&expected.ids), "no seam");
    let verdict = streamed.verdict.expect("how it was verified");
    assert_eq!(verdict["positions_checked"], 60, "the whole answer was scored: {verdict}");
    for node in &fresh {
        assert!(node.seen().prefix_tokens > 0, "it did not start over: {:?}", node.seen());
    }

    let job = world.admin.job(&job).await;
    for id in ids {
        assert_eq!(job.part(id).outcome, "left", "{job:#?}");
    }
    assert_paid(&world, &job, &[(&fresh[0]).into(), (&fresh[1]).into()], 2).await;
    world.finish().await;
}

/// Two leave after their good beginning went out, the two left lie about the rest and nobody steps in for them: the
/// next set goes on from the good beginning.
#[tokio::test]
async fn a_second_round_goes_on_from_the_good_tokens_that_went_out() {
    let world = World::new().await;
    let scoring = Gate::closed();
    let scorer = world.paced_scorer(&scoring).await;
    let (lying, random) = (Gate::closed(), Gate::closed());
    let (gates, leave) = two_that_begin(&world, Behaviour::Honest, 0).await;
    let liar = world.paced(Behaviour::Canned, &lying).await;
    let ask = long(&world);
    let expected = world.model.expected(&ask).await;

    let reading = async { world.client.stream(&ask).await.expect("a stream") };
    let meanwhile = async {
        for node in leave.iter().chain([&liar]) {
            node.is_started().await;
        }
        gates.iter().for_each(|gate| gate.allow(SOME));
    };
    let (mut stream, ()) = tokio::join!(reading, meanwhile);
    stream.read_until(|text| !text.is_empty()).await;
    let steps_in = world.paced(Behaviour::Random, &random).await;
    drop(leave);
    steps_in.is_started().await;
    lying.open();
    scoring.allow(1);
    scorer.wait_for("is asked about the first lie", |seen| seen.scored == 1).await;
    random.open();
    scorer.wait_for("is asked about the second lie", |seen| seen.offers >= 2).await;
    let second = three_honest(&world).await;
    scoring.open();
    let job = stream.job.clone();
    let streamed = stream.rest().await;
    assert!(streamed.done, "{streamed:?}");
    assert_eq!(streamed.text, world.model.text(&expected.ids), "no seam");
    let verdict = streamed.verdict.expect("how it was verified");
    assert_eq!(verdict["positions_checked"], 60, "the whole answer was scored: {verdict}");

    let job = world.admin.job(&job).await;
    assert_eq!(job.rounds, 2, "{job:#?}");
    assert_outcome(&job, &liar, "failed_spot_check");
    assert_outcome(&job, &steps_in, "failed_spot_check");
    for node in &second {
        assert!(node.seen().prefix_tokens > 0, "it did not start over: {:?}", node.seen());
    }
    let paid: Vec<_> = second.iter().map(Into::into).collect();
    assert_paid(&world, &job, &paid, 3).await;
    world.finish().await;
}

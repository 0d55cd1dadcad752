//! Nodes that part while they write: the model is asked at that position, and the honest ones go on.

use assay_protocol::CancelReason;
use assay_tests::{
    Ask, Behaviour, Gate, World,
    calibrated::{calibrated, class, shipped_class},
    scripted::Told,
    zoo::{NEAR, flipped},
};

use crate::{
    expect::{assert_outcome, assert_paid},
    records::{PROVEN, join, recorded},
};

const SOME: usize = 6;
/// Answers that are looked through for a near tie, at most.
const SEEDS: u32 = 200;

fn long(world: &World) -> Ask {
    Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(60)
}

/// A long answer in which the two best tokens of one position are all but equal.
async fn tied(world: &World) -> Ask {
    for seed in 0..SEEDS {
        let ask = long(world).with("temperature", 1.0).with("seed", seed);
        let honest = world.model.expected(&ask).await;
        let ids = honest.ids.clone();
        if flipped(&world.model, &world.model.start_of(&ask), honest).await.ids != ids {
            return ask;
        }
    }
    panic!("none of {SEEDS} answers has a near tie");
}

fn gates() -> [Gate; 3] {
    [Gate::closed(), Gate::closed(), Gate::closed()]
}

#[tokio::test]
async fn whoever_the_model_refutes_is_called_off_in_the_middle_of_the_answer() {
    let world = World::new().await;
    let scorer = world.scorer().await;
    let gates = gates();
    let honest = [
        world.paced(Behaviour::Honest, &gates[0]).await,
        world.paced(Behaviour::Honest, &gates[1]).await,
    ];
    let liar = world.paced(Behaviour::Random, &gates[2]).await;
    let ask = long(&world);
    let expected = world.model.expected(&ask).await;
    gates.iter().for_each(|gate| gate.allow(SOME));

    let mut stream = world.client.stream(&ask).await.expect("a stream");
    let called_off = Told::Cancel(CancelReason::NotNeeded);
    liar.wait_for("is called off", |seen| seen.told.contains(&called_off)).await;
    assert!(scorer.seen().scored > 0, "the model was asked");
    let some = world.model.text(&expected.ids[..SOME]);
    stream.read_until(|text| text == some).await;
    gates.iter().for_each(Gate::open);
    let job = stream.job.clone();
    let streamed = stream.rest().await;
    assert!(streamed.done, "{streamed:?}");
    assert_eq!(streamed.text, world.model.text(&expected.ids));

    let job = world.admin.job(&job).await;
    assert_outcome(&job, &liar, "failed_spot_check");
    assert!(job.part(liar.id()).tokens < 60, "it wrote no further: {job:#?}");
    assert_paid(&world, &job, &[(&honest[0]).into(), (&honest[1]).into()], 3).await;
    world.finish().await;
}

/// Two against one, and the one is right: nothing of the lie goes out, and a fresh node joins the honest one.
#[tokio::test]
async fn a_wrong_majority_loses_the_split_and_a_fresh_node_joins_there() {
    let world = World::new().await;
    let scoring = Gate::closed();
    let scorer = world.paced_scorer(&scoring).await;
    let gates = gates();
    let honest = world.paced(Behaviour::Honest, &gates[0]).await;
    let pair = [
        world.paced(Behaviour::Canned, &gates[1]).await,
        world.paced(Behaviour::Canned, &gates[2]).await,
    ];
    let ask = long(&world);
    gates[0].allow(SOME);

    let asking = async { world.client.stream(&ask).await.expect("a stream").rest().await };
    let meanwhile = async {
        honest.wait_for("has sent some", |seen| seen.tokens_sent as usize == SOME).await;
        gates[1].allow(SOME);
        gates[2].allow(SOME);
        scorer.wait_for("is asked about the split", |seen| seen.offers > 0).await;
        let fresh = world.honest().await;
        scoring.open();
        for liar in &pair {
            liar.wait_for("is called off", |seen| !seen.told.is_empty()).await;
        }
        fresh.is_started().await;
        gates[0].open();
        fresh
    };
    let (streamed, fresh) = tokio::join!(asking, meanwhile);
    assert!(streamed.done, "{streamed:?}");
    let expected = world.model.expected(&ask).await;
    assert_eq!(streamed.text, world.model.text(&expected.ids));
    assert!(fresh.seen().prefix_tokens > 0, "from what the model confirmed: {:?}", fresh.seen());

    world.admin.no_job_runs().await;
    let job = &world.admin.jobs().await[0];
    assert_eq!((job.state.as_str(), job.rounds), ("succeeded", 1), "{job:#?}");
    for liar in &pair {
        assert_outcome(job, liar, "failed_spot_check");
        assert_eq!(job.part(liar.id()).pay, 0);
    }
    assert!(job.part(honest.id()).pay > job.part(fresh.id()).pay, "by what each wrote: {job:#?}");
    assert!(job.part(fresh.id()).pay > 0, "{job:#?}");
    world.finish().await;
}

/// A flip that honest hardware of a noisier class may make: the likelier token is the client's, and whoever took the
/// other one is paid like everybody, and learns that it passed.
#[tokio::test]
async fn a_flip_at_a_near_tie_is_vindicated_paid_and_no_stain() {
    let folder = tempfile::tempdir().expect("a folder for a model");
    let noisy = class(NEAR, shipped_class().tau_logit);
    let world = World::with(&calibrated(folder.path(), [("cpu-fp32", noisy)])).await;
    let _scorers = [world.scorer().await, world.scorer().await];
    let gates = gates();
    let nodes = [
        world.paced(Behaviour::Honest, &gates[0]).await,
        world.paced(Behaviour::Honest, &gates[1]).await,
    ];
    let flips = world.paced(Behaviour::Flip, &gates[2]).await;
    let ask = tied(&world).await;
    let asking = async { world.client.plain(&ask).await.expect("an answer") };
    let meanwhile = async {
        for node in nodes.iter().chain([&flips]) {
            node.is_started().await;
        }
        gates.iter().for_each(Gate::open);
    };
    let (answer, ()) = tokio::join!(asking, meanwhile);
    let expected = world.model.expected(&ask).await;
    assert_eq!(answer.text, world.model.text(&expected.ids));
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &flips, "vindicated");
    assert!(!flips.seen().told.iter().any(|told| matches!(told, Told::Cancel(_))), "it wrote on");
    let paid: Vec<_> = nodes.iter().chain([&flips]).map(Into::into).collect();
    assert_paid(&world, &job, &paid, 3).await;

    let view = world.admin.node(flips.id()).await;
    let [record] = &view.reputation[..] else { panic!("one model: {view:?}") };
    assert_eq!((record.failures, record.cusum, record.proofs), (0.0, 0.0, 0), "{view:?}");
    assert!(record.passes > 0.0, "a check that it passed: {view:?}");
    assert_eq!(view.state, "probation", "{view:?}");
    world.finish().await;
}

/// The same flip where calibration found no such noise: it is another answer, and unpaid.
#[tokio::test]
async fn the_same_flip_fails_where_the_class_makes_none() {
    let world = World::new().await;
    let _scorer = world.scorer().await;
    let nodes = [world.honest().await, world.honest().await];
    let flips = world.scripted(Behaviour::Flip).await;
    let ask = tied(&world).await;
    let answer = world.client.plain(&ask).await.expect("an answer");
    let job = world.admin.job(&answer.job).await;
    assert_outcome(&job, &flips, "failed_spot_check");
    assert_paid(&world, &job, &[(&nodes[0]).into(), (&nodes[1]).into()], 3).await;
    world.finish().await;
}

/// When the set has a proven node, nothing is released without it: two strangers who agree at once say nothing to
/// the client until it has spoken, and then they are refuted.
#[tokio::test]
async fn two_strangers_release_nothing_that_the_proven_node_has_not_said() {
    let mut world = World::new().await;
    let [member] = recorded(&mut world, PROVEN).await;
    let slow = Gate::closed();
    let proven = join(&world, member, Behaviour::Honest, &slow).await;
    let _scorer = world.scorer().await;
    let pair = [world.scripted(Behaviour::Canned).await, world.scripted(Behaviour::Canned).await];
    let ask = long(&world);

    let asking = async { world.client.plain(&ask).await.expect("an answer") };
    let meanwhile = async {
        for liar in &pair {
            liar.wait_for("has told its whole lie", |seen| seen.completed == 1).await;
        }
        slow.open();
    };
    let (answer, ()) = tokio::join!(asking, meanwhile);
    let expected = world.model.expected(&ask).await;
    assert_eq!(answer.text, world.model.text(&expected.ids));
    let job = world.admin.job(&answer.job).await;
    for liar in &pair {
        assert_outcome(&job, liar, "failed_spot_check");
    }
    assert_outcome(&job, &proven, "vindicated");
    world.finish().await;
}

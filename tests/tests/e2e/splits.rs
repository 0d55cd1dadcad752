//! Nodes that part while they write: the model is asked at that position, and the honest ones go on.

use std::{fs, os::unix::fs::symlink, path::Path};

use assay_protocol::CancelReason;
use assay_tests::{
    Ask, Behaviour, Gate, Model, World, binaries::demo_model, money::PRICE, scripted::Told,
};
use assay_verifier::{ClassLimits, Limits, Measured};

use crate::{
    expect::{assert_outcome, assert_paid},
    records::{PROVEN, join, recorded},
};

const SOME: usize = 6;

fn long(world: &World) -> Ask {
    Ask::say("Tell me a story.").endless(world.model.end_token).max_tokens(60)
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

/// A flip that honest hardware may make, as far as this gateway's limits go: the likelier token is the client's.
#[tokio::test]
async fn of_two_claims_that_both_pass_the_nearer_one_goes_on_and_the_other_is_vindicated() {
    let folder = tempfile::tempdir().expect("a folder for a model");
    let world = World::with(&wide_limits(folder.path())).await;
    let _scorer = world.scorer().await;
    let gates = gates();
    let nodes = [
        world.paced(Behaviour::Honest, &gates[0]).await,
        world.paced(Behaviour::Honest, &gates[1]).await,
    ];
    let flips = world.paced(Behaviour::Edit, &gates[2]).await;
    let ask = long(&world);
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

/// Settings for the demo model with limits that nearly everything passes.
fn wide_limits(folder: &Path) -> String {
    for file in fs::read_dir(demo_model()).expect("the model's folder") {
        let file = file.expect("a file of it");
        symlink(file.path(), folder.join(file.file_name())).expect("a link to it");
    }
    let any = ClassLimits {
        runtime: "any".into(),
        tau_gap: 1e3,
        tau_logit: 1e3,
        sigma2_max: 1e6,
        flips_max_per_mille: 999,
        measured: Measured::default(),
    };
    let limits = Limits {
        format: assay_verifier::limits::FORMAT.into(),
        manifest_hash: Model::demo().served(1).manifest_hash,
        classes: [("cpu-fp32".to_owned(), any)].into(),
    };
    let json = serde_json::to_vec(&limits).expect("limits are JSON");
    let path = folder.join("limits.json");
    let _ = fs::remove_file(&path);
    fs::write(path, json).expect("the limits are written");
    format!(
        "[[models]]\ndir = '{}'\nprice_input_nano_usd_per_mtok = {}\nprice_output_nano_usd_per_mtok = {}",
        folder.display(),
        PRICE.input,
        PRICE.output,
    )
}

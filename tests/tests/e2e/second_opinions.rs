//! Nobody is put out for a scorer's mistake, or for a calibration's.

use std::{fs, path::Path};

use assay_model::sampler;
use assay_protocol::{Bytes32, GenerateStart, JobId, ScoreStart};
use assay_tests::{Ask, Model, ScriptedNode, World, binaries::demo_model, wait_until};
use uuid::Uuid;

/// Enough that both scorers come first at some time.
const TRIES: i64 = 40;

#[tokio::test]
async fn when_scorers_contradict_each_other_an_alarm_is_raised_and_nobody_is_punished() {
    let world = World::new().await;
    let _sound = world.scorer().await;
    let _broken = world.scorer_with(Model::disguised("int8"), assay_tests::Pace::Free).await;
    let nodes = [world.honest().await, world.honest().await, world.honest().await];
    for seed in 0..TRIES {
        let ask = Ask::say("Tell me a story.").risk("high").with("seed", seed);
        world.client.plain(&ask).await.expect("the second scorer has the last word");
        if world.admin.verification().await.scorer_disputes > 0 {
            break;
        }
    }
    assert!(world.admin.verification().await.scorer_disputes > 0, "{TRIES} jobs, no dispute");
    world.admin.no_job_runs().await;
    assert!(world.gateway.log().contains("scorers contradict each other"));
    for node in &nodes {
        let view = world.admin.node(node.id()).await;
        assert_eq!((view.state.as_str(), view.reputation[0].failures), ("probation", 0.0));
    }
    world.finish().await;
}

/// The limits of the model are wrong: every honest answer to this question is three times over them.
#[tokio::test]
async fn when_independent_owners_fail_together_none_of_them_is_put_out() {
    let ask = Ask::say("Tell me a story.").risk("high");
    let folder = tempfile::tempdir().expect("a folder");
    let model = Model::demo();
    let tau_logit = honest_difference(&model, &ask).await / 3.0;
    wrongly_calibrated(folder.path(), &model, tau_logit);
    let settings = format!(
        "[[models]]\ndir = '{}'\nprice_input_nano_usd_per_mtok = 1000\n\
         price_output_nano_usd_per_mtok = 1000",
        folder.path().display()
    );
    let world = World::with(&settings).await;
    let _scorers = [world.scorer().await, world.scorer().await];
    let nodes = [world.honest().await, world.honest().await, world.honest().await];
    for _ in 0..5 {
        world.client.plain(&ask).await.expect_err("nothing can be verified");
        world.admin.no_job_runs().await;
    }
    let [brake] = &world.admin.verification().await.brakes[..] else { panic!("no alarm") };
    assert_eq!((&brake["model"], &brake["class"]), (&"assay-pip".into(), &"cpu-fp32".into()));
    assert!(world.gateway.log().contains("independent owners fail together"));
    for node in &nodes {
        let view = world.admin.node(node.id()).await;
        assert_eq!(view.state, "probation", "{view:?}");
        assert_eq!(view.reputation[0].cusum, 0.0, "{view:?}");
        assert!(view.reputation[0].failures > 4.0, "unpaid, and less trusted: {view:?}");
    }
    still_caught(&world, &nodes).await;
    world.finish().await;
}

/// A lie is no calibration's fault, and finds no amnesty.
async fn still_caught(world: &World, _nodes: &[ScriptedNode]) {
    let liar = world.scripted(assay_tests::Behaviour::Canned).await;
    for seed in 100..120 {
        let ask = Ask::say("Tell me a story.").risk("high").with("seed", seed);
        let _ = world.client.plain(&ask).await;
        world.admin.no_job_runs().await;
        if world.admin.node(liar.id()).await.state != "probation" {
            break;
        }
    }
    wait_until("the liar is out", async || {
        (world.admin.node(liar.id()).await.state != "probation").then_some(())
    })
    .await;
}

/// How far the logits of an honest answer are from the scorer's, on average.
async fn honest_difference(model: &std::sync::Arc<Model>, ask: &Ask) -> f64 {
    let prompt = model.prompt("Tell me a story.");
    let seed = sampler::client_seed(ask.body["seed"].as_i64().expect("a seed"), 0, &prompt);
    let job = JobId(Uuid::nil());
    let start = GenerateStart {
        job,
        prompt: prompt.clone(),
        prefix: Vec::new(),
        max_tokens: 512,
        sampling: assay_protocol::Sampling::default(),
        seed,
        salt: Bytes32([0; 32]),
    };
    let answer = model.answer(&start).await;
    let sampling = start.sampling;
    let scored =
        model.score(&ScoreStart { job, prompt, output: answer.ids.clone(), sampling, seed }).await;
    let apart =
        answer.logits.iter().zip(&scored).map(|(said, own)| f64::from((own.logit - said).abs()));
    let count = u32::try_from(answer.ids.len()).expect("a short answer");
    apart.sum::<f64>() / f64::from(count)
}

/// The shipped model's text side, and limits that nobody can keep.
fn wrongly_calibrated(folder: &Path, model: &Model, tau_logit: f64) {
    for entry in fs::read_dir(demo_model()).expect("the shipped model") {
        let entry = entry.expect("a file");
        if entry.file_type().expect("a type").is_file() {
            fs::copy(entry.path(), folder.join(entry.file_name())).expect("a copy");
        }
    }
    let limits = serde_json::json!({
        "format": "assay-limits/1",
        "manifest_hash": model.served(1).manifest_hash,
        "classes": {"cpu-fp32": {
            "runtime": "a story",
            "tau_gap": 1e-3,
            "tau_logit": tau_logit,
            "sigma2_max": 2.5e-4,
            "flips_max_per_mille": 1,
            "measured": {
                "answers": 1, "tokens": 1, "flips": 0, "largest_margin": 0.0,
                "largest_logit_difference": 0.0, "largest_sigma2": 0.0, "configurations": []
            }
        }}
    });
    fs::write(folder.join("limits.json"), limits.to_string()).expect("the limits are written");
}

//! Nobody is put out for a scorer's mistake, or for a calibration's.

use assay_model::sampler;
use assay_protocol::{Bytes32, GenerateStart, JobId, ScoreStart};
use assay_tests::{
    Ask, Behaviour, Gate, Model, Pace, ScriptedNode, World,
    calibrated::{calibrated, class, shipped_class},
    wait_until,
};
use uuid::Uuid;

use crate::{
    expect::assert_outcome,
    records::{PROVEN, join, recorded},
};

/// Enough that both scorers come first at some time.
const TRIES: i64 = 40;
/// More than half of an answer of 60 tokens.
const HALF: usize = 40;

#[tokio::test]
async fn when_scorers_contradict_each_other_an_alarm_is_raised_and_nobody_is_punished() {
    let world = World::new().await;
    let _sound = world.scorer().await;
    let _broken = world.scorer_with(Model::disguised("int8"), Pace::Free).await;
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

/// A set with a proven node, an honest stranger and one that parts from them; and a scorer that runs a smaller model, so
/// that it contradicts honest answers, asked before the sound one is there. It is asked `questions` times.
async fn outlives_a_broken_scorer(ask: &Ask, parts: Behaviour, questions: usize) {
    let mut world = World::new().await;
    let [member] = recorded(&mut world, PROVEN).await;
    let writing = [Gate::closed(), Gate::closed()];
    let proven = join(&world, member, Behaviour::Honest, &writing[0]).await;
    let stranger = world.paced(Behaviour::Honest, &writing[1]).await;
    let scoring = Gate::closed();
    let broken = world.scorer_with(Model::disguised("smaller"), &scoring).await;
    let liar = world.scripted(parts).await;
    scoring.allow(questions - 1);
    let asking = async { world.client.stream(ask).await.expect("a stream").rest().await };
    let meanwhile = async {
        // What went out before it speaks would need no score.
        liar.wait_for("has spoken", |seen| seen.tokens_sent > 0).await;
        writing.iter().for_each(|gate| gate.allow(HALF));
        broken.wait_for("is asked", |seen| seen.offers as usize >= questions).await;
        let sound = world.scorer().await;
        scoring.open();
        wait_until("the second scorer confirms what the first refuted", async || {
            (world.admin.verification().await.scorer_disputes > 0).then_some(())
        })
        .await;
        writing.iter().for_each(Gate::open);
        sound
    };
    let (streamed, _sound) = tokio::join!(asking, meanwhile);
    assert!(streamed.done, "{streamed:?}");
    assert_eq!(
        broken.seen().offers as usize,
        questions,
        "whoever was overruled is not asked again"
    );
    let expected = world.model.expected(ask).await;
    assert_eq!(streamed.text, world.model.text(&expected.ids));
    let log = world.gateway.log();
    assert!(log.contains("contradict each other in the middle of an answer"), "{log}");

    world.admin.no_job_runs().await;
    let job = &world.admin.jobs().await[0];
    assert_outcome(job, &liar, "failed_spot_check");
    for node in [&proven, &stranger] {
        assert_outcome(job, node, "agreed");
        assert!(job.part(node.id()).pay > 0, "{job:#?}");
        assert_eq!(world.admin.node(node.id()).await.reputation[0].failures, 0.0);
    }
    world.finish().await;
}

#[tokio::test]
async fn one_scorers_word_against_what_went_out_ends_no_stream_when_another_confirms_it() {
    let end = Model::demo().end_token;
    let ask = Ask::say("Tell me a story.").endless(end).max_tokens(60);
    // It changes a token in the middle: what goes before was read by the client.
    outlives_a_broken_scorer(&ask, Behaviour::Edit, 1).await;
}

#[tokio::test]
async fn one_scorers_word_at_a_split_costs_a_proven_node_no_job_when_another_confirms_it() {
    let (model, weak) = (Model::demo(), Model::disguised("smaller"));
    for seed in 0..TRIES {
        let ask = Ask::say("Tell me a story.").endless(model.end_token).max_tokens(60);
        let ask = ask.with("seed", seed);
        let (own, other) = (model.expected(&ask).await, weak.expected(&ask).await);
        if own.ids[0] != other.ids[0] {
            // About the liar's first token, and about the honest one.
            return outlives_a_broken_scorer(&ask, Behaviour::Random, 2).await;
        }
    }
    panic!("a smaller model begins {TRIES} answers alike");
}

/// The limits of the model are wrong: every honest answer to this question is three times over them.
#[tokio::test]
async fn when_independent_owners_fail_together_none_of_them_is_put_out() {
    let ask = Ask::say("Tell me a story.").risk("high");
    let folder = tempfile::tempdir().expect("a folder");
    let model = Model::demo();
    let tau_logit = honest_difference(&model, &ask).await / 3.0;
    let wrong = class(shipped_class().tau_gap, tau_logit);
    let world = World::with(&calibrated(folder.path(), [("cpu-fp32", wrong)])).await;
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
    let [_only, second, third] = nodes;
    let gone = [second.id(), third.id()];
    drop((second, third));
    for node in gone {
        world.admin.node_is(node, "offline").await;
    }
    let alone = world.client.plain(&Ask::say("Hello!").risk("low")).await;
    let refused = alone.expect_err("nobody serves alone while its class is in doubt");
    let message = refused.error["message"].as_str().unwrap_or_default();
    assert!(message.contains("1 took it"), "{refused:?}");
    world.finish().await;
}

/// A lie is no calibration's fault, and finds no amnesty.
async fn still_caught(world: &World, _nodes: &[ScriptedNode]) {
    let liar = world.scripted(Behaviour::Canned).await;
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

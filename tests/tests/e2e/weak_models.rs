//! The weak models of the zoo are what they are meant to be: they open and answer like a node's model, and
//! the shipped model sees in one answer, by the reported logits, that it did not write it.

use std::ops::ControlFlow;

use assay_engine::{Engine, EngineConfig, GenerateRequest, Runtime, RuntimeConfig, ScoreRequest};
use assay_model::ChatMessage;
use assay_protocol::{Bytes32, Sampling};
use assay_tests::{ZooModel, binaries::demo_model, zoo_models};

/// The mean difference of logits that one answer of an honest node may show.
const TAU_LOGIT: f64 = 1e-4;

#[test]
fn every_weak_model_answers_and_is_told_from_the_shipped_one() {
    let runtime = Runtime::load(&RuntimeConfig::default()).expect("the runtime loads");
    // A cheat does not care whether its graph can be verified.
    let config = EngineConfig { allow_unverifiable: true, ..EngineConfig::default() };
    let mut shipped = Engine::open(&runtime, &demo_model(), &config).expect("the demo model");
    let ask = ChatMessage::new("user", "Tell me a story about a fox.");
    let prompt = shipped.text().encode(&shipped.text().render(&[ask]).unwrap()).unwrap();
    let (sampling, seed) = (Sampling::default(), Bytes32([3; 32]));

    assert_eq!(zoo_models().len(), 6);
    for entry in zoo_models() {
        let model = ZooModel::assemble(&entry.name);
        let mut weak = Engine::open(&runtime, model.folder(), &config)
            .unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        let (mut output, mut reported) = (Vec::new(), Vec::new());
        let request = GenerateRequest {
            prompt: prompt.clone(),
            prefix: Vec::new(),
            max_tokens: 64,
            sampling: sampling.clone(),
            seed,
        };
        let mut keep = |id, logit| {
            output.push(id);
            reported.push(logit);
            ControlFlow::Continue(())
        };
        weak.generate(&request, &mut keep).expect("an answer");
        assert!(output.len() > 16, "{} says only {output:?}", entry.name);

        let (prompt, sampling) = (prompt.clone(), sampling.clone());
        let scores = shipped.score(&ScoreRequest { prompt, output, sampling, seed }).unwrap();
        let apart = scores.iter().zip(&reported);
        let apart: Vec<f64> =
            apart.map(|(own, said)| f64::from((own.logit - said).abs())).collect();
        let mean = apart.iter().sum::<f64>() / f64::from(u16::try_from(apart.len()).unwrap());
        assert!(mean > 5.0 * TAU_LOGIT, "{} differs by {mean} only", entry.name);
    }
}

#[test]
fn a_graph_that_is_quantized_dynamically_is_not_served() {
    let runtime = Runtime::load(&RuntimeConfig::default()).expect("the runtime loads");
    for entry in zoo_models() {
        let model = ZooModel::assemble(&entry.name);
        let opened = Engine::open(&runtime, model.folder(), &EngineConfig::default());
        if entry.name == "int8-dynamic" {
            let error = opened.expect_err("its answers depend on the batch").to_string();
            assert!(error.contains("DynamicQuantizeLinear"), "{error}");
            assert!(error.contains("cannot be verified"), "{error}");
        } else {
            assert!(opened.is_ok(), "{}: {opened:?}", entry.name);
        }
    }
}

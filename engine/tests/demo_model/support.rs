//! The demo model for the engine's tests, and the few steps that all of them take.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use assay_engine::{Engine, EngineConfig, GenerateRequest, Runtime, RuntimeConfig, ScoreRequest};
use assay_model::ChatMessage;
use assay_protocol::{Bytes32, Finish, PositionScore, Sampling, TokenId};

/// What a margin may be between honest machines (docs/verification.md).
pub(crate) const HONEST_MARGIN_MAX: f64 = 1e-3;
pub(crate) const SEED: Bytes32 = Bytes32([7; 32]);

pub(crate) fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/demo")
}

pub(crate) fn engine() -> Engine {
    engine_with(&EngineConfig::default())
}

pub(crate) fn engine_with(config: &EngineConfig) -> Engine {
    let runtime = Runtime::load(&RuntimeConfig::default()).expect("ONNX Runtime");
    Engine::open(&runtime, &demo(), config).expect("the demo model")
}

pub(crate) fn prompt(engine: &Engine, content: &str) -> Vec<TokenId> {
    let message = ChatMessage::new("user", content);
    engine.text().encode(&engine.text().render(&[message]).unwrap()).unwrap()
}

pub(crate) fn request(prompt: Vec<TokenId>, sampling: Sampling) -> GenerateRequest {
    GenerateRequest { prompt, prefix: Vec::new(), max_tokens: 200, sampling, seed: SEED }
}

pub(crate) fn warm() -> Sampling {
    Sampling { temperature: 0.8, top_p: 0.95, frequency_penalty: 0.2, ..Sampling::default() }
}

pub(crate) fn write(engine: &mut Engine, request: &GenerateRequest) -> (Vec<TokenId>, Finish) {
    let mut output = request.prefix.clone();
    let finish = engine
        .generate(request, &mut |id, _| {
            output.push(id);
            ControlFlow::Continue(())
        })
        .expect("an answer");
    (output, finish)
}

pub(crate) fn score(
    engine: &mut Engine,
    asked: &GenerateRequest,
    output: &[TokenId],
) -> Vec<PositionScore> {
    let GenerateRequest { prompt, sampling, seed, .. } = asked.clone();
    let request = ScoreRequest { prompt, output: output.to_vec(), sampling, seed };
    engine.score(&request).expect("scores")
}

pub(crate) fn largest_margin(scores: &[PositionScore]) -> f64 {
    scores.iter().map(|score| score.margin).fold(0.0, f64::max)
}

//! The self-test of a model that embeds: the node's vectors of a text that nobody could have kept, beside a scorer's.

use std::time::Instant;

use assay_protocol::{Bytes32, EmbedStart, JobId, RefuseCode, Sampling, Start, embedding::joined};
use assay_verifier::embedding::{VECTOR_MARGIN, are_units, difference};
use uuid::Uuid;

use super::{FIRST_TOKEN, Outcome};
use crate::{
    app::App,
    catalog::HostedModel,
    nodes::{Errand, JobNews, NodeHandle, conduct::ModelFacts},
    serving::Question,
    verification::{canary, truth},
};

/// Texts in the test.
const TEXTS: usize = 4;

/// Tests it on one node, until `deadline`.
pub(super) async fn test(
    app: &App,
    handle: &NodeHandle,
    model: &HostedModel,
    deadline: Instant,
) -> Outcome {
    let texts: Vec<String> = (0..TEXTS).map(|_| canary::text(&mut rand::rng())).collect();
    let inputs: Result<Vec<_>, _> = texts.iter().map(|text| model.text.encode_raw(text)).collect();
    let Ok(inputs) = inputs else {
        return Outcome::Open("the model's tokenizer takes no text".into());
    };
    let start = EmbedStart { job: JobId(Uuid::now_v7()), inputs, salt: Bytes32(rand::random()) };
    let prompt = joined(&start.inputs);
    let question = Question {
        job: start.job,
        model,
        prompt: &prompt,
        sampling: &Sampling::default(),
        seed: Bytes32([0; 32]),
        salt: start.salt,
    };
    let given = match embed(handle, question, &start, deadline).await {
        Ok(given) => given,
        Err(outcome) => return outcome,
    };
    let truth = truth::compute(app, question, &start.inputs, deadline.into(), &[]).await;
    let Some(truth) = truth else { return Outcome::Open("no scorer did its part".into()) };
    let dimensions = model.text.manifest.embedding.map_or(0, |it| it.dimensions as usize);
    let off = difference(&given, &truth.components);
    if off > VECTOR_MARGIN || !are_units(&given, dimensions) {
        return Outcome::Failed(format!(
            "a component of its vectors is {off:.2e} off the model's, where {VECTOR_MARGIN:.0e} is allowed"
        ));
    }
    match model.narrowest_class() {
        Some((class, _)) => Outcome::Passed { class: class.to_owned() },
        None => Outcome::Open("the model has no calibrated class".into()),
    }
}

async fn embed(
    handle: &NodeHandle,
    question: Question<'_>,
    start: &EmbedStart,
    deadline: Instant,
) -> Result<Vec<f32>, Outcome> {
    let failed = |reason: &str| Outcome::Failed(reason.to_owned());
    let gone = |_| Outcome::Open("the node left".to_owned());
    let left = deadline.saturating_duration_since(Instant::now());
    let deadline_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    let offer = truth::offer(question, start, 1, deadline_ms);
    let facts = ModelFacts::of(question.model);
    let mut errand = Errand::offer(handle, offer, facts).map_err(gone)?;
    match errand.reply().await {
        Some(JobNews::Accepted) => {}
        Some(JobNews::Refused(RefuseCode::Busy | RefuseCode::Draining)) => {
            return Err(Outcome::Open("the node was busy".into()));
        }
        Some(JobNews::Refused(_)) => return Err(failed("it refused a job of its own model")),
        Some(JobNews::Lost(_)) => return Err(Outcome::Open("the node left".into())),
        _ => return Err(failed("it did not answer an offer in time")),
    }
    errand.start(Start::Embed(start.clone())).map_err(gone)?;
    match errand.news(deadline.min(Instant::now() + FIRST_TOKEN)).await {
        Ok(Some(JobNews::Embedded(components))) => Ok(components),
        Ok(Some(JobNews::Lost(_)) | None) => Err(Outcome::Open("the node left".into())),
        Ok(Some(JobNews::Failed(code))) => Err(failed(&format!("it gave up: {code:?}"))),
        Ok(Some(_)) | Err(_) => Err(failed("its vectors took too long")),
    }
}

//! A node's self-test: it answers a question or two like anybody's, a scorer judges the answers, and what it
//! reports along with them says which class of hardware and runtime it is.

mod vectors;

use std::time::{Duration, Instant};

use assay_protocol::{
    CancelReason, Finish, GenerateStart, JobId, JobKind, JobOffer, NodeId, RefuseCode, Start,
    TokenId,
};
use assay_verifier::{Answer, OwnerId, SpotChecks, Told, check_structure, spot_check};
use tracing::debug;
use uuid::Uuid;

use super::{canary, canary::Canary, rules::rules, scorer};
use crate::{
    app::App,
    catalog::HostedModel,
    nodes::{Errand, JobNews, NodeHandle, conduct::ModelFacts},
    serving::Question,
};

/// Questions that are asked at most, until the answers have shown enough.
const CANARIES_MAX: u32 = 4;
/// A question has a dozen tokens: whoever says nothing for this long must not keep the place of another.
const FIRST_TOKEN: Duration = Duration::from_secs(5);
/// What the answers must have been worth together, as passes of a check: short ones say little.
const WEIGHT_MIN: f64 = 0.5;

/// How a test came out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    Passed {
        /// The class whose limits it keeps.
        class: String,
    },
    /// In words for the node's operator.
    Failed(String),
    /// Nobody could say: the node was busy, or no scorer did its part.
    Open(String),
}

/// An answer and how long it took.
struct Written {
    ids: Vec<TokenId>,
    logits: Vec<f32>,
    finish: Finish,
    first_token_ms: f64,
    ms_per_token: Option<f64>,
}

/// Tests one model on one node, until `deadline`.
pub(super) async fn test(
    app: &App,
    handle: &NodeHandle,
    model: &HostedModel,
    deadline: Instant,
) -> Outcome {
    if model.text.manifest.embedding.is_some() {
        return vectors::test(app, handle, model, deadline).await;
    }
    let mut weight = 0.0;
    // Answers are held to the narrowest class and compared between nodes: a looser class would be admitted only to be
    // found at fault.
    let mut classes: Vec<String> =
        model.narrowest_class().map(|(class, _)| class.to_owned()).into_iter().collect();
    for _ in 0..CANARIES_MAX {
        let Ok(canary) = canary::draw(model, &mut rand::rng()) else {
            return Outcome::Open("the model's template takes no question".into());
        };
        let written = match write(handle, model, &canary, deadline).await {
            Ok(written) => written,
            Err(outcome) => return outcome,
        };
        app.nodes.observe_speed(handle.id(), written.first_token_ms, written.ms_per_token);
        match judge(app, handle.id(), model, &canary, &written, &classes, deadline).await {
            Ok(judged) => {
                classes = judged.classes;
                weight += judged.weight;
            }
            Err(outcome) => return outcome,
        }
        if weight >= WEIGHT_MIN {
            break;
        }
    }
    // Nobody is of a looser class than they need.
    let tau_logit = |class: &String| model.limits.classes[class].tau_logit;
    match classes.into_iter().min_by(|a, b| tau_logit(a).total_cmp(&tau_logit(b))) {
        Some(class) => Outcome::Passed { class },
        None => Outcome::Open("the model has no calibrated class".into()),
    }
}

/// Has the node write the answer to a canary.
async fn write(
    handle: &NodeHandle,
    model: &HostedModel,
    canary: &Canary,
    deadline: Instant,
) -> Result<Written, Outcome> {
    let failed = |reason: &str| Outcome::Failed(reason.to_owned());
    let job = JobId(Uuid::now_v7());
    let offer = JobOffer {
        job,
        round: 1,
        model: model.id().to_owned(),
        manifest_hash: model.text.manifest_hash,
        kind: JobKind::Generate,
        prompt_tokens: u32::try_from(canary.prompt.len()).unwrap_or(u32::MAX),
        max_tokens: canary.max_tokens,
        deadline_ms: u64::try_from((deadline - Instant::now()).as_millis()).unwrap_or(u64::MAX),
    };
    let gone = |_| Outcome::Open("the node left".to_owned());
    let mut errand = Errand::offer(handle, offer, ModelFacts::of(model)).map_err(gone)?;
    match errand.reply().await {
        Some(JobNews::Accepted) => {}
        Some(JobNews::Refused(RefuseCode::Busy | RefuseCode::Draining)) => {
            return Err(Outcome::Open("the node was busy".into()));
        }
        Some(JobNews::Refused(_)) => return Err(failed("it refused a job of its own model")),
        Some(JobNews::Lost(_)) => return Err(Outcome::Open("the node left".into())),
        _ => return Err(failed("it did not answer an offer in time")),
    }
    let start = GenerateStart {
        job,
        prompt: canary.prompt.clone(),
        prefix: Vec::new(),
        max_tokens: canary.max_tokens,
        sampling: canary.sampling.clone(),
        seed: canary.seed,
        salt: canary.salt,
    };
    let since = Instant::now();
    errand.start(Start::Generate(start)).map_err(gone)?;
    let (mut ids, mut logits, mut first): (Vec<TokenId>, Vec<f32>, _) = (vec![], vec![], None);
    loop {
        let until = match first {
            Some(_) => deadline,
            None => deadline.min(since + FIRST_TOKEN),
        };
        let Ok(Some(news)) = errand.news(until).await else {
            let _ = handle.cancel(job, CancelReason::TooSlow);
            return Err(failed(match first {
                Some(_) => "its answer took too long",
                None => "its first token took too long",
            }));
        };
        match news {
            JobNews::Tokens { ids: more, logits: of_them, .. } => {
                first.get_or_insert_with(Instant::now);
                ids.extend(more);
                logits.extend(of_them);
            }
            JobNews::Complete { finish, .. } => {
                let first = first.unwrap_or_else(Instant::now);
                let rest = u32::try_from(ids.len().saturating_sub(1)).unwrap_or(u32::MAX);
                return Ok(Written {
                    ids,
                    logits,
                    finish,
                    first_token_ms: (first - since).as_secs_f64() * 1e3,
                    ms_per_token: (rest > 0)
                        .then(|| first.elapsed().as_secs_f64() * 1e3 / f64::from(rest)),
                });
            }
            JobNews::Failed(code) => return Err(failed(&format!("it gave up: {code:?}"))),
            JobNews::Lost(_) => return Err(Outcome::Open("the node left".into())),
            JobNews::Accepted | JobNews::Refused(_) | JobNews::Scored(_) | JobNews::Embedded(_) => {
            }
        }
    }
}

/// What one answer showed.
struct Judged {
    /// Those of the classes so far whose limits it keeps; at least one.
    classes: Vec<String>,
    weight: f64,
}

/// Has a scorer run the model over the answer, and holds it against each class.
async fn judge(
    app: &App,
    node: NodeId,
    model: &HostedModel,
    canary: &Canary,
    written: &Written,
    classes: &[String],
    deadline: Instant,
) -> Result<Judged, Outcome> {
    let held_to = |class: Option<&str>| {
        let temperature = canary.sampling.temperature;
        rules(model, class, canary.max_tokens, temperature, SpotChecks::All)
    };
    let answer = Answer {
        node,
        // It stands alone, so whose it is makes no difference.
        owner: OwnerId(0),
        ids: written.ids.clone(),
        from: 0,
        logits: written.logits.clone(),
        logprobs: Vec::new(),
        finish: written.finish,
        told: Told::No,
    };
    check_structure(&answer, &held_to(None)).map_err(|fault| Outcome::Failed(fault.to_string()))?;
    let question = Question {
        job: JobId(Uuid::now_v7()),
        model,
        prompt: &canary.prompt,
        sampling: &canary.sampling,
        seed: canary.seed,
        salt: canary.salt,
    };
    let Some(score) = scorer::score(app, question, &answer.ids, deadline.into(), &[]).await else {
        return Err(Outcome::Open("no scorer did its part".into()));
    };
    let (mut kept, mut weight, mut why) = (Vec::new(), 0.0, String::new());
    for class in classes {
        let rules = held_to(Some(class));
        match spot_check(&answer, score.positions.clone(), &rules, rand::random()) {
            Ok(check) if check.confirms(&answer) => {
                weight = check.pass_weight(&answer);
                kept.push(class.clone());
            }
            Ok(check) => {
                why = format!("{:.1} times over the limits of {class}", check.over_limit(&answer));
            }
            Err(error) => {
                debug!(scorer = %score.scorer, %error, "scores that say nothing");
                return Err(Outcome::Open("a scorer's findings said nothing".into()));
            }
        }
    }
    if kept.is_empty() {
        return Err(Outcome::Failed(format!("its answer is not that of the model: {why}")));
    }
    Ok(Judged { classes: kept, weight })
}

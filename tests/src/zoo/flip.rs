//! Takes the second best token once, where the two are all but equal: what honest hardware of another make may do.

use std::sync::Arc;

use assay_protocol::{GenerateStart, ScoreStart};

use super::Kind;
use crate::model::{Answer, Model};

/// The two best tokens are this near each other, in logits.
pub const NEAR: f64 = 0.02;

#[derive(Debug)]
pub(super) struct Flip;

impl Kind for Flip {
    fn name(&self) -> &'static str {
        "flip"
    }

    fn about(&self) -> &'static str {
        "takes the second best token at one near tie and goes on honestly"
    }

    fn flips(&self) -> bool {
        true
    }
}

/// Where the second best token is nearest to the best one.
struct Tie {
    position: usize,
    /// The second best token with its true logit.
    second: (u32, f32),
    margin: f64,
}

/// The honest answer up to its nearest tie under [`NEAR`], the second best token there, and what the model says from
/// there on; the honest answer itself where no two tokens are that near.
pub async fn flipped(model: &Arc<Model>, start: &GenerateStart, honest: Answer) -> Answer {
    let mut nearest: Option<Tie> = None;
    for position in 0..honest.ids.len() {
        let tie = tie_at(model, start, &honest, position).await;
        if tie.margin < nearest.as_ref().map_or(NEAR, |nearest| nearest.margin) {
            nearest = Some(tie);
        }
    }
    let Some(Tie { position, second: (second, logit), .. }) = nearest else { return honest };
    let ids = [&honest.ids[..position], &[second]].concat();
    let logits = [&honest.logits[..position], &[logit]].concat();
    let prefix = [start.prefix.as_slice(), &ids].concat();
    if prefix.len() == start.max_tokens as usize {
        return Answer { ids, logits, ..honest };
    }
    let rest = model.answer(&GenerateStart { prefix, ..start.clone() }).await;
    Answer {
        ids: [ids, rest.ids].concat(),
        logits: [logits, rest.logits].concat(),
        finish: rest.finish,
    }
}

async fn tie_at(model: &Arc<Model>, start: &GenerateStart, honest: &Answer, position: usize) -> Tie {
    let prefix = [start.prefix.as_slice(), &honest.ids[..position]].concat();
    let mut without_best = start.sampling.clone();
    let best = honest.ids[position];
    without_best.logit_bias.retain(|(id, _)| *id != best);
    without_best.logit_bias.push((best, -1e6));
    without_best.logit_bias.sort_unstable_by_key(|(id, _)| *id);
    let one = u32::try_from(prefix.len() + 1).expect("a short answer");
    let other = GenerateStart {
        prefix: prefix.clone(),
        max_tokens: one,
        sampling: without_best,
        ..start.clone()
    };
    let second = model.answer(&other).await.ids[0];
    let GenerateStart { job, prompt, sampling, seed, .. } = start.clone();
    let output = [prefix, vec![second]].concat();
    let scores = model.score(&ScoreStart { job, prompt, output, sampling, seed }).await;
    let score = scores.last().expect("a position");
    // An end ends the story: that would be no flip to go on from.
    let margin = if second == model.end_token { f64::INFINITY } else { score.margin };
    Tie { position, second: (second, score.logit), margin }
}

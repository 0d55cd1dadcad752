//! The gateway's rules for the benchmark's answers: calibrated limits, and the verdict over a set of answers with
//! two scorers at hand.

use std::fs;

use assay_protocol::{GenerateStart, NodeId, TokenId};
use assay_verifier::{
    Answer, ClassLimits, Judgement, Limits, OwnerId, Rules, Scored, Scorer, Setting, SpotCheck,
    SpotChecks, Told, Verdict, judge, limits::Measured, spot_check,
};
use uuid::Uuid;

use super::sample::Sample;
use crate::{Model, binaries::demo_model};

/// The class that the benchmark runs on.
pub const CLASS: &str = "cpu-fp32";
/// More rounds than any verdict takes.
const ASKED_MAX: usize = 8;

/// What every answer is held to.
#[derive(Clone, Debug)]
pub struct Court {
    pub limits: ClassLimits,
    vocab_size: u32,
    end_token: TokenId,
}

/// A verdict, and whether anybody had to run the model for it.
#[derive(Clone, Debug)]
pub struct Ruling {
    pub verdict: Verdict,
    pub was_scored: bool,
}

impl Court {
    /// With the limits that lie beside the model's manifest; with the floors where there are none.
    pub fn of(model: &Model) -> Self {
        let file = fs::read(demo_model().join("limits.json")).ok();
        let calibrated = file.and_then(|bytes| {
            let limits = Limits::parse(&bytes).expect("limits that ship can be read");
            limits.classes.get(CLASS).cloned()
        });
        let floors = || ClassLimits::from_measured(String::new(), Measured::default());
        Self {
            limits: calibrated.unwrap_or_else(floors),
            vocab_size: model.vocab_size,
            end_token: model.end_token,
        }
    }

    /// What the answer to this job is held to.
    pub fn rules(&self, start: &GenerateStart) -> Rules {
        Rules {
            tau_gap: self.limits.tau_gap,
            tau_logit: None,
            sigma2_max: None,
            flips_max_per_mille: None,
            temperature: start.sampling.temperature,
            positions: SpotChecks::All,
            max_tokens: start.max_tokens,
            vocab_size: self.vocab_size,
            end_tokens: vec![self.end_token],
        }
        .calibrated(&self.limits)
    }

    /// What a scorer's findings say of an answer.
    pub fn check(&self, start: &GenerateStart, sample: &Sample) -> SpotCheck {
        let answer = said(0, sample);
        spot_check(&answer, sample.scores.clone(), &self.rules(start), [0; 32])
            .expect("our own scores are whole")
    }

    /// The verdict over these answers; `score_all` as an audit or the policy `high` wants it.
    pub fn rule(&self, start: &GenerateStart, samples: &[&Sample], score_all: bool) -> Ruling {
        let rules = self.rules(start);
        let answers: Vec<Answer> =
            (1..).zip(samples).map(|(owner, sample)| said(owner, sample)).collect();
        let setting = Setting {
            asked: u32::try_from(samples.len()).expect("a few"),
            score_all,
            // One node is asked alone only if it is proven.
            trusted_alone: samples.len() == 1,
            scorer: Scorer::Available,
            second_scorer: Scorer::Available,
            released: &[],
        };
        let mut scored: Vec<Scored> = Vec::new();
        for _ in 0..ASKED_MAX {
            let (wanted, scorer) = match judge(&answers, &scored, &setting, &rules) {
                Judgement::Decided(verdict) => {
                    return Ruling { verdict, was_scored: !scored.is_empty() };
                }
                Judgement::NeedsScores(wanted) => (wanted, node(101)),
                Judgement::NeedsSecondScore(wanted) => (wanted, node(102)),
            };
            let findings = wanted.into_iter().map(|index| {
                let check = self.check(start, samples[index]);
                Scored { scorer, check }
            });
            scored.extend(findings);
        }
        panic!("no verdict after {ASKED_MAX} rounds of scores");
    }
}

/// A sample as the answer of the only node of an owner.
pub fn said(owner: u8, sample: &Sample) -> Answer {
    Answer {
        node: node(owner),
        owner: OwnerId(owner.into()),
        ids: sample.answer.ids.clone(),
        from: 0,
        logits: sample.answer.logits.clone(),
        logprobs: Vec::new(),
        finish: sample.answer.finish,
        told: Told::No,
    }
}

fn node(number: u8) -> NodeId {
    NodeId(Uuid::from_u128(number.into()))
}

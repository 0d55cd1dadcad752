//! What there is to decide for a node. A kind says where it differs from an honest one and is honest in
//! everything else.

use std::fmt::Debug;

use assay_protocol::{GenerateStart, RefuseCode, ServedModel, TokenLogprobs};

use super::{Job, Step};
use crate::{Pace, model::Answer};

/// One kind of node.
pub trait Kind: Debug + Send + Sync {
    /// As `scripted-node --kind` takes it.
    fn name(&self) -> &'static str;

    /// What it does, in a few words for people.
    fn about(&self) -> &'static str;

    /// What it says of the model that it serves.
    fn claims(&self, served: ServedModel) -> ServedModel {
        served
    }

    /// How it takes an offer.
    fn on_offer(&self) -> OnOffer {
        OnOffer::Accept
    }

    /// Whether it misbehaves in this job; otherwise it is honest in it. Asked only once the gateway has put the
    /// node to work: whoever cheats in the gateway's own tests never gets that far.
    fn cheats_in(&self, _job: &Job) -> bool {
        true
    }

    /// Which model of `model/zoo` it runs instead of the right one.
    fn weights(&self) -> Option<&'static str> {
        None
    }

    /// What it asks the model instead of what it was asked.
    fn asks(&self, job: &Job) -> GenerateStart {
        job.start.clone()
    }

    /// What it makes of the model's answer.
    fn says(&self, computed: Answer, _job: &Job) -> Answer {
        computed
    }

    /// What it tells of its tokens, where log probabilities are asked for: the model's own go in.
    fn tells(&self, told: Vec<TokenLogprobs>) -> Vec<TokenLogprobs> {
        told
    }

    /// Whether it runs the right model once over what it says, to report that model's logits.
    fn forges_logits(&self) -> bool {
        false
    }

    /// Whether it takes another token at one near tie (`flip.rs`).
    fn flips(&self) -> bool {
        false
    }

    /// How it sends that, step by step.
    fn sends(&self, answer: Answer, _job: &Job) -> Vec<Step> {
        Step::whole(answer)
    }

    /// How fast, if the story does not say.
    fn pace(&self) -> Pace {
        Pace::Free
    }

    /// Whether it hears no finish and no cancel.
    fn is_deaf(&self) -> bool {
        false
    }

    /// Whether it leaves out every signature but the last.
    fn skips_signatures(&self) -> bool {
        false
    }
}

/// What a node does with an offer.
#[derive(Clone, Copy, Debug)]
pub enum OnOffer {
    Accept,
    Refuse(RefuseCode),
    /// No answer, neither way.
    Ignore,
}

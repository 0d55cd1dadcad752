//! The zoo: every way to be a bad node, each in a file of its own. To add a kind, write its file and name it
//! in the list below: stories, the `scripted-node` program and the benchmark find it there.

mod job;
mod kind;
mod lies;
mod step;

use clap::{ValueEnum, builder::PossibleValue};

pub use flip::{NEAR, flipped};
pub use job::Job;
pub use kind::{Kind, OnOffer};
pub use step::Step;

use crate::{Model, model::Answer};

/// A kind of node. `Behaviour::Truncate` is the node of `truncate.rs`.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour(&'static dyn Kind);

macro_rules! zoo {
    ($($file:ident::$kind:ident),* $(,)?) => {
        $(mod $file;)*

        #[expect(non_upper_case_globals, reason = "kinds read as the variants that they are")]
        impl Behaviour {
            $(pub const $kind: Self = Self(&$file::$kind);)*
            /// Every kind, in the order of the list.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];
        }
    };
}

zoo! {
    // No cheats.
    honest::Honest,
    slow::Slow,
    flip::Flip,
    // Other answers.
    random::Random,
    canned::Canned,
    cached::Cached,
    other_prompt::OtherPrompt,
    ignore_seed::IgnoreSeed,
    wrong_temperature::WrongTemperature,
    no_mask::NoMask,
    truncate::Truncate,
    pad::Pad,
    edit::Edit,
    inflate::Inflate,
    collude::Collude,
    copy::Copy,
    sybil::Sybil,
    // Other weights.
    smaller::Smaller,
    earlier::Earlier,
    fp16::Fp16,
    int8::Int8,
    int8_dynamic::Int8Dynamic,
    q4::Q4,
    // False evidence.
    forge_logits::ForgeLogits,
    bend_logprobs::BendLogprobs,
    prefill::Prefill,
    false_class::FalseClass,
    // Honest at times.
    one_in_ten::OneInTen,
    until_trusted::UntilTrusted,
    dust_farmer::DustFarmer,
    // Lies about the protocol.
    bolt::Bolt,
    wrong_count::WrongCount,
    wrong_size::WrongSize,
    flood::Flood,
    garbage::Garbage,
    oversized::Oversized,
    bad_signature::BadSignature,
    replay_signature::ReplaySignature,
    skip_signature::SkipSignature,
    // Bad manners.
    vanish::Vanish,
    stall::Stall,
    refuse::Refuse,
    silent::Silent,
    deaf::Deaf,
}

impl Behaviour {
    /// What a node of this kind answers.
    pub async fn answer(self, job: &Job) -> Answer {
        let model = match self.weights() {
            Some(name) => Model::of_zoo(name),
            None => job.model.clone(),
        };
        let mut computed = model.answer(&self.asks(job)).await;
        if self.flips() {
            computed = flipped(&job.model, &job.start, computed).await;
        }
        let said = self.says(computed, job).cut_to(job.room());
        match self.forges_logits() {
            true => Answer { logits: job.model.true_logits(&job.start, &said.ids).await, ..said },
            false => said,
        }
    }
}

impl std::ops::Deref for Behaviour {
    type Target = dyn Kind;

    fn deref(&self) -> &Self::Target {
        self.0
    }
}

impl ValueEnum for Behaviour {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.about()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Behaviour;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let names: BTreeSet<_> = Behaviour::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Behaviour::ALL.len(), "{names:?}");
    }
}

//! The zoo: every way to be a bad node, each in a file of its own. To add a kind, write its file and name it
//! in the list below: stories, the `scripted-node` program and the benchmark find it there.

mod job;
mod kind;
mod lies;
mod step;

use clap::{ValueEnum, builder::PossibleValue};

pub use job::Job;
pub use kind::{Kind, OnOffer};
pub use step::Step;

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
    honest::Honest,
    // Lies about the answer.
    random::Random,
    canned::Canned,
    ignore_seed::IgnoreSeed,
    truncate::Truncate,
    pad::Pad,
    edit::Edit,
    // Lies about the protocol.
    wrong_count::WrongCount,
    wrong_size::WrongSize,
    flood::Flood,
    garbage::Garbage,
    oversized::Oversized,
    bad_signature::BadSignature,
    skip_signature::SkipSignature,
    // Bad manners.
    vanish::Vanish,
    stall::Stall,
    refuse::Refuse,
    silent::Silent,
    deaf::Deaf,
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

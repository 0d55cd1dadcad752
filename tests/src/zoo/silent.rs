//! Answers no offer, neither way.

use super::{Kind, OnOffer};

#[derive(Debug)]
pub(super) struct Silent;

impl Kind for Silent {
    fn name(&self) -> &'static str {
        "silent"
    }

    fn about(&self) -> &'static str {
        "answers no offer, neither way"
    }

    fn on_offer(&self) -> OnOffer {
        OnOffer::Ignore
    }
}

//! Refuses every offer, to learn what is asked and do nothing for it.

use assay_protocol::RefuseCode;

use super::{Kind, OnOffer};

#[derive(Debug)]
pub(super) struct Refuse;

impl Kind for Refuse {
    fn name(&self) -> &'static str {
        "refuse"
    }

    fn about(&self) -> &'static str {
        "refuses every offer"
    }

    fn on_offer(&self) -> OnOffer {
        OnOffer::Refuse(RefuseCode::Busy)
    }
}

//! Says the right text with logits that it made up.

use super::{Job, Kind, lies::PLAUSIBLE_LOGIT};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct ForgeLogits;

impl Kind for ForgeLogits {
    fn name(&self) -> &'static str {
        "forge-logits"
    }

    fn about(&self) -> &'static str {
        "says the right text with made-up logits"
    }

    fn says(&self, mut computed: Answer, _job: &Job) -> Answer {
        computed.logits.fill(PLAUSIBLE_LOGIT);
        computed
    }
}

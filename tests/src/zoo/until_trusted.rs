//! Honest until the gateway calls it proven; then it cheats.

use assay_protocol::NodeState;

use super::{Behaviour, Job, Kind};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct UntilTrusted;

impl Kind for UntilTrusted {
    fn name(&self) -> &'static str {
        "until-trusted"
    }

    fn about(&self) -> &'static str {
        "honest until it is proven, then it cheats"
    }

    fn cheats_in(&self, job: &Job) -> bool {
        job.state == Some(NodeState::Active)
    }

    fn says(&self, computed: Answer, job: &Job) -> Answer {
        Behaviour::Canned.says(computed, job)
    }
}

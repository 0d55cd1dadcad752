//! Tells a lie, and has itself cut before anybody can hold it against it.

use super::{Behaviour, Job, Kind, Step};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct Bolt;

impl Kind for Bolt {
    fn name(&self) -> &'static str {
        "bolt"
    }

    fn about(&self) -> &'static str {
        "makes tokens up, and then breaks the protocol"
    }

    fn says(&self, computed: Answer, job: &Job) -> Answer {
        Behaviour::Canned.0.says(computed, job)
    }

    fn sends(&self, answer: Answer, _job: &Job) -> Vec<Step> {
        vec![Step::tokens(answer), Step::Text("{\"epoch\": 1, \"frame\": {\"type\": \"bolt".into())]
    }
}

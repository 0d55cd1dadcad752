//! Sends text that is no frame.

use super::{Job, Kind, Step};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct Garbage;

impl Kind for Garbage {
    fn name(&self) -> &'static str {
        "garbage"
    }

    fn about(&self) -> &'static str {
        "sends text that is no frame"
    }

    fn sends(&self, _answer: Answer, _job: &Job) -> Vec<Step> {
        vec![Step::Text("{\"epoch\": 1, \"frame\": {\"type\": \"pay me".into())]
    }
}

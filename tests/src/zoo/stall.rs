//! Says nothing any more half-way, and stays.

use super::{Job, Kind, Step};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct Stall;

impl Kind for Stall {
    fn name(&self) -> &'static str {
        "stall"
    }

    fn about(&self) -> &'static str {
        "says nothing any more half-way, and stays"
    }

    fn sends(&self, answer: Answer, _job: &Job) -> Vec<Step> {
        vec![Step::half(answer)]
    }
}

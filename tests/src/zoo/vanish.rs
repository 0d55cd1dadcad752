//! Breaks its connection half-way.

use super::{Job, Kind, Step};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct Vanish;

impl Kind for Vanish {
    fn name(&self) -> &'static str {
        "vanish"
    }

    fn about(&self) -> &'static str {
        "breaks its connection half-way"
    }

    fn sends(&self, answer: Answer, _job: &Job) -> Vec<Step> {
        vec![Step::half(answer), Step::Vanish]
    }
}

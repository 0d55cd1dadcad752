//! Counts one token more than it sent.

use super::{Job, Kind, Step, bad_signature::MADE_UP};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct WrongCount;

impl Kind for WrongCount {
    fn name(&self) -> &'static str {
        "wrong-count"
    }

    fn about(&self) -> &'static str {
        "counts one token more than it sent"
    }

    fn sends(&self, answer: Answer, job: &Job) -> Vec<Step> {
        Step::forged_end(answer, job, 1, MADE_UP)
    }
}

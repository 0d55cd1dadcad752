//! Waits to read what the others answer, and would sign that as its own. Nothing of it ever comes.

use super::{Job, Kind, Step};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct Copy;

impl Kind for Copy {
    fn name(&self) -> &'static str {
        "copy"
    }

    fn about(&self) -> &'static str {
        "waits to copy what the others answer"
    }

    fn sends(&self, _answer: Answer, _job: &Job) -> Vec<Step> {
        Vec::new()
    }
}

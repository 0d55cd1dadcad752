//! Gives one prepared answer to everything.

use super::{Job, Kind, lies::made_up};
use crate::model::Answer;

const CANNED: &str = "That is a very good question, and I am glad that you asked.";

#[derive(Debug)]
pub(super) struct Canned;

impl Kind for Canned {
    fn name(&self) -> &'static str {
        "canned"
    }

    fn about(&self) -> &'static str {
        "gives one prepared answer to everything"
    }

    fn says(&self, _computed: Answer, job: &Job) -> Answer {
        made_up(job.model.ids(CANNED), &job.model)
    }
}

//! Stops half-way and forges the end.

use super::{Job, Kind, lies::made_up};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct Truncate;

impl Kind for Truncate {
    fn name(&self) -> &'static str {
        "truncate"
    }

    fn about(&self) -> &'static str {
        "stops half-way and forges the end"
    }

    fn says(&self, computed: Answer, job: &Job) -> Answer {
        made_up(computed.ids[..computed.ids.len() / 2].to_vec(), &job.model)
    }
}

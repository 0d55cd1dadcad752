//! Cheats in every tenth job.

use super::{Behaviour, Job, Kind};
use crate::model::Answer;

const EVERY: u32 = 10;

#[derive(Debug)]
pub(super) struct OneInTen;

impl Kind for OneInTen {
    fn name(&self) -> &'static str {
        "one-in-ten"
    }

    fn about(&self) -> &'static str {
        "cheats in every tenth job"
    }

    fn cheats_in(&self, job: &Job) -> bool {
        job.nth % EVERY == EVERY - 1
    }

    fn says(&self, computed: Answer, job: &Job) -> Answer {
        Behaviour::Canned.says(computed, job)
    }
}

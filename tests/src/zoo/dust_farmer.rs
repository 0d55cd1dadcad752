//! Honest in jobs of a few tokens, which are cheap to do well; cheats in the others.

use super::{Behaviour, Job, Kind};
use crate::model::Answer;

/// Output tokens of dust.
const DUST_TOKENS_MAX: u32 = 4;

#[derive(Debug)]
pub(super) struct DustFarmer;

impl Kind for DustFarmer {
    fn name(&self) -> &'static str {
        "dust-farmer"
    }

    fn about(&self) -> &'static str {
        "honest in tiny jobs, cheats in the others"
    }

    fn cheats_in(&self, job: &Job) -> bool {
        job.start.max_tokens > DUST_TOKENS_MAX
    }

    fn says(&self, computed: Answer, job: &Job) -> Answer {
        Behaviour::Canned.says(computed, job)
    }
}

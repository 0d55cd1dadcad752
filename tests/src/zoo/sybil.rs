//! One person behind several owners: what one machine wrote is said under each of their names. On the wire it is an
//! honest node; a test process keeps the model's answers, so that only the first of them computes anything.

use super::{Job, Kind};

#[derive(Debug)]
pub(super) struct Sybil;

impl Kind for Sybil {
    fn name(&self) -> &'static str {
        "sybil"
    }

    fn about(&self) -> &'static str {
        "says under several owners' names what one machine wrote"
    }

    fn cheats_in(&self, _job: &Job) -> bool {
        false
    }
}

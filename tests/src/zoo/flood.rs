//! Sends frames as fast as it can.

use assay_protocol::FromNodeFrame;

use super::{Job, Kind, Step};
use crate::model::Answer;

/// Many times what a second allows.
const FRAMES: usize = 5_000;

#[derive(Debug)]
pub(super) struct Flood;

impl Kind for Flood {
    fn name(&self) -> &'static str {
        "flood"
    }

    fn about(&self) -> &'static str {
        "sends frames as fast as it can"
    }

    fn sends(&self, _answer: Answer, _job: &Job) -> Vec<Step> {
        let beat = || Step::Frame(FromNodeFrame::Heartbeat { jobs: 1 });
        std::iter::repeat_with(beat).take(FRAMES).collect()
    }
}

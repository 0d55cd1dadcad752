//! Sends a chunk whose logits are fewer than its ids.

use assay_protocol::FromNodeFrame;

use super::{Job, Kind, Step};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct WrongSize;

impl Kind for WrongSize {
    fn name(&self) -> &'static str {
        "wrong-size"
    }

    fn about(&self) -> &'static str {
        "sends a chunk whose logits are fewer than its ids"
    }

    fn sends(&self, answer: Answer, job: &Job) -> Vec<Step> {
        let (job, logits) = (job.start.job, answer.logits[1..].to_vec());
        vec![Step::Frame(FromNodeFrame::Chunk { job, seq: 0, ids: answer.ids, logits, logprobs: Vec::new() })]
    }
}

//! Sends one frame that is far too long.

use assay_protocol::{FromNodeFrame, TokenId, limits};

use super::{Job, Kind, Step};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct Oversized;

impl Kind for Oversized {
    fn name(&self) -> &'static str {
        "oversized"
    }

    fn about(&self) -> &'static str {
        "sends one frame that is far too long"
    }

    fn sends(&self, _answer: Answer, job: &Job) -> Vec<Step> {
        let ids = vec![TokenId::MAX; limits::TO_GATEWAY_MESSAGE_BYTES_MAX / 10 + 1];
        let (job, logits) = (job.start.job, vec![0.0; ids.len()]);
        vec![Step::Frame(FromNodeFrame::Chunk { job, seq: 0, ids, logits, logprobs: Vec::new() })]
    }
}

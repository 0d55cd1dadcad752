//! Sends the honest answer under a signature that does not hold.

use assay_protocol::Bytes64;

use super::{Job, Kind, Step};
use crate::model::Answer;

/// Of nobody, under nothing.
pub(super) const MADE_UP: Bytes64 = Bytes64([7; 64]);

#[derive(Debug)]
pub(super) struct BadSignature;

impl Kind for BadSignature {
    fn name(&self) -> &'static str {
        "bad-signature"
    }

    fn about(&self) -> &'static str {
        "sends the honest answer under a signature that does not hold"
    }

    fn sends(&self, answer: Answer, job: &Job) -> Vec<Step> {
        Step::forged_end(answer, job, 0, MADE_UP)
    }
}

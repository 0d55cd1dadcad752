//! Sends the signature of its last answer under the next one.

use super::{Job, Kind, Step};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct ReplaySignature;

impl Kind for ReplaySignature {
    fn name(&self) -> &'static str {
        "replay-signature"
    }

    fn about(&self) -> &'static str {
        "sends the signature of an earlier answer"
    }

    fn sends(&self, answer: Answer, job: &Job) -> Vec<Step> {
        match job.last_signature {
            Some(signature) => Step::forged_end(answer, job, 0, signature),
            None => Step::whole(answer),
        }
    }
}

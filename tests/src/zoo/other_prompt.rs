//! Reads the last half of the prompt only, to save the work of reading.

use assay_protocol::GenerateStart;

use super::{Job, Kind};

#[derive(Debug)]
pub(super) struct OtherPrompt;

impl Kind for OtherPrompt {
    fn name(&self) -> &'static str {
        "other-prompt"
    }

    fn about(&self) -> &'static str {
        "reads the last half of the prompt only"
    }

    fn asks(&self, job: &Job) -> GenerateStart {
        let start = &job.start;
        let prompt = start.prompt[start.prompt.len() / 2..].to_vec();
        GenerateStart { prompt, ..start.clone() }
    }
}

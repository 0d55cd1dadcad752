//! Gives the answer that it once gave to the same prompt, whatever the seed.

use assay_protocol::{Bytes32, GenerateStart};

use super::{Job, Kind};

/// Of the job that it remembers.
const THEN: Bytes32 = Bytes32([11; 32]);

#[derive(Debug)]
pub(super) struct Cached;

impl Kind for Cached {
    fn name(&self) -> &'static str {
        "cached"
    }

    fn about(&self) -> &'static str {
        "repeats the answer to an earlier job with the same prompt"
    }

    fn asks(&self, job: &Job) -> GenerateStart {
        GenerateStart { seed: THEN, ..job.start.clone() }
    }
}

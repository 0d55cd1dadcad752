//! Draws with a seed of its own.

use assay_protocol::{Bytes32, GenerateStart};
use rand::Rng;

use super::{Job, Kind};

#[derive(Debug)]
pub(super) struct IgnoreSeed;

impl Kind for IgnoreSeed {
    fn name(&self) -> &'static str {
        "ignore-seed"
    }

    fn about(&self) -> &'static str {
        "draws with a seed of its own"
    }

    fn asks(&self, job: &Job) -> GenerateStart {
        GenerateStart { seed: Bytes32(job.dice().random()), ..job.start.clone() }
    }
}

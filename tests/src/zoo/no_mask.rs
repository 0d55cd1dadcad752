//! Writes what the model likes best, whatever form was asked for.

use assay_protocol::{GenerateStart, Sampling};

use super::{Job, Kind};

#[derive(Debug)]
pub(super) struct NoMask;

impl Kind for NoMask {
    fn name(&self) -> &'static str {
        "no-mask"
    }

    fn about(&self) -> &'static str {
        "ignores the grammar of the answer"
    }

    fn asks(&self, job: &Job) -> GenerateStart {
        let mut start = job.start.clone();
        start.sampling = Sampling { grammar: None, ..start.sampling };
        start
    }
}

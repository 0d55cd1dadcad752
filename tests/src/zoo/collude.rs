//! Says what its accomplices say: tokens worked out from the job's seed, which costs nothing.

use rand::{SeedableRng, rngs::StdRng};

use super::{
    Job, Kind,
    lies::{made_up, other},
};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct Collude;

impl Kind for Collude {
    fn name(&self) -> &'static str {
        "collude"
    }

    fn about(&self) -> &'static str {
        "says what its accomplices say, for nothing"
    }

    fn says(&self, computed: Answer, job: &Job) -> Answer {
        let mut shared = StdRng::from_seed(job.start.seed.0);
        let ids = computed.ids.iter().map(|id| other(*id, &job.model, &mut shared)).collect();
        made_up(ids, &job.model)
    }
}

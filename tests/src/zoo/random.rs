//! Makes tokens up, as many as the honest answer has.

use super::{
    Job, Kind,
    lies::{made_up, other},
};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct Random;

impl Kind for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn about(&self) -> &'static str {
        "makes tokens up"
    }

    fn says(&self, computed: Answer, job: &Job) -> Answer {
        let mut dice = job.dice();
        let last = computed.ids.len().saturating_sub(1);
        let ids = computed.ids[..last].iter().map(|id| other(*id, &job.model, &mut dice)).collect();
        made_up(ids, &job.model)
    }
}

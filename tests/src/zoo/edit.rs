//! Changes one token in the middle.

use super::{Job, Kind, lies::other};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct Edit;

impl Kind for Edit {
    fn name(&self) -> &'static str {
        "edit"
    }

    fn about(&self) -> &'static str {
        "changes one token in the middle"
    }

    fn says(&self, mut computed: Answer, job: &Job) -> Answer {
        let middle = computed.ids.len() / 2;
        if let Some(id) = computed.ids.get_mut(middle) {
            *id = other(*id, &job.model, &mut job.dice());
        }
        computed
    }
}

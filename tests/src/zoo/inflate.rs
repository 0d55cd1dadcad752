//! Spells the right text in more tokens than the model does, for pay by the token.

use super::{Job, Kind, lies::PLAUSIBLE_LOGIT};
use crate::model::Answer;

#[derive(Debug)]
pub(super) struct Inflate;

impl Kind for Inflate {
    fn name(&self) -> &'static str {
        "inflate"
    }

    fn about(&self) -> &'static str {
        "spells the right text in more tokens"
    }

    fn says(&self, computed: Answer, job: &Job) -> Answer {
        let spelled = computed.ids.iter().flat_map(|id| match job.model.respelled(*id) {
            Some(pair) => pair.to_vec(),
            None => vec![*id],
        });
        let ids: Vec<_> = spelled.collect();
        Answer { logits: vec![PLAUSIBLE_LOGIT; ids.len()], ids, ..computed }
    }
}

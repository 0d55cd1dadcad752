//! Goes on past the end, for pay.

use assay_protocol::TokenId;

use super::{
    Job, Kind,
    lies::{made_up, other},
};
use crate::model::Answer;

/// Tokens that padding adds.
const PADDING_TOKENS: usize = 8;

#[derive(Debug)]
pub(super) struct Pad;

impl Kind for Pad {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn about(&self) -> &'static str {
        "goes on past the end, for pay"
    }

    fn says(&self, computed: Answer, job: &Job) -> Answer {
        let (mut dice, end) = (job.dice(), job.model.end_token);
        let mut ids: Vec<TokenId> = computed.ids.into_iter().filter(|id| *id != end).collect();
        ids.extend((0..PADDING_TOKENS).map(|_| other(end, &job.model, &mut dice)));
        made_up(ids, &job.model)
    }
}

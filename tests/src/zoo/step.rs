//! What a node sends about an answer, one thing after the other.

use assay_protocol::{Bytes64, Finish, FromNodeFrame, TokenId};

use super::Job;
use crate::model::Answer;

/// One thing that a node does.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends these tokens in good form, signed where they must be.
    Tokens { ids: Vec<TokenId>, logits: Vec<f32> },
    /// Ends the answer in good form.
    Complete(Finish),
    /// Sends this frame whatever it says.
    Frame(FromNodeFrame),
    /// Sends this text whatever it says.
    Text(String),
    /// Breaks the connection without a word.
    Vanish,
}

impl Step {
    /// An answer in good form.
    pub(super) fn whole(answer: Answer) -> Vec<Self> {
        let finish = answer.finish;
        vec![Self::tokens(answer), Self::Complete(finish)]
    }

    pub(super) fn tokens(Answer { ids, logits, .. }: Answer) -> Self {
        Self::Tokens { ids, logits }
    }

    /// The first half of an answer.
    pub(super) fn half(Answer { mut ids, mut logits, .. }: Answer) -> Self {
        let half = ids.len() / 2;
        ids.truncate(half);
        logits.truncate(half);
        Self::Tokens { ids, logits }
    }

    /// The answer, and an end with this count and signature.
    pub(super) fn forged_end(
        answer: Answer,
        job: &Job,
        more: u32,
        signature: Bytes64,
    ) -> Vec<Self> {
        let count =
            u32::try_from(job.start.prefix.len() + answer.ids.len()).expect("a short answer");
        let (job, finish, count) = (job.start.job, answer.finish, count + more);
        let end = FromNodeFrame::Complete { job, finish, count, signature };
        vec![Self::tokens(answer), Self::Frame(end)]
    }
}

//! What a node sends about an answer, step by step; here are the lies about the protocol.

use assay_protocol::{Bytes64, Finish, FromNodeFrame, GenerateStart, TokenId, limits};

use super::Behaviour;
use crate::model::Answer;

/// Frames of a flood: many times what a second allows.
const FLOOD_FRAMES: usize = 5_000;

/// One thing that a node does.
#[derive(Clone, Debug)]
pub(super) enum Step {
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

/// All steps of one answer.
pub(super) fn steps(behaviour: Behaviour, answer: Answer, start: &GenerateStart) -> Vec<Step> {
    let job = start.job;
    let finish = answer.finish;
    let count = u32::try_from(start.prefix.len() + answer.ids.len()).expect("a short answer");
    let half = answer.ids.len() / 2;
    let forged = |count| {
        let signature = Bytes64([7; 64]);
        Step::Frame(FromNodeFrame::Complete { job, finish, count, signature })
    };
    match behaviour {
        Behaviour::WrongCount => vec![tokens(answer), forged(count + 1)],
        Behaviour::BadSignature => vec![tokens(answer), forged(count)],
        Behaviour::Vanish => vec![first(half, answer), Step::Vanish],
        Behaviour::Stall => vec![first(half, answer)],
        Behaviour::WrongSize => {
            let logits = answer.logits[1..].to_vec();
            vec![Step::Frame(FromNodeFrame::Chunk { job, seq: 0, ids: answer.ids, logits })]
        }
        Behaviour::Oversized => {
            let ids = vec![TokenId::MAX; limits::TO_GATEWAY_MESSAGE_BYTES_MAX / 10 + 1];
            let logits = vec![0.0; ids.len()];
            vec![Step::Frame(FromNodeFrame::Chunk { job, seq: 0, ids, logits })]
        }
        Behaviour::Garbage => {
            vec![Step::Text("{\"epoch\": 1, \"frame\": {\"type\": \"pay me".into())]
        }
        Behaviour::Flood => {
            let beat = || Step::Frame(FromNodeFrame::Heartbeat { jobs: 1 });
            std::iter::repeat_with(beat).take(FLOOD_FRAMES).collect()
        }
        Behaviour::Honest
        | Behaviour::Random
        | Behaviour::Truncate
        | Behaviour::Pad
        | Behaviour::Edit
        | Behaviour::IgnoreSeed
        | Behaviour::Canned
        | Behaviour::Refuse
        | Behaviour::Silent
        | Behaviour::Deaf
        | Behaviour::SkipSignature => vec![tokens(answer), Step::Complete(finish)],
    }
}

fn tokens(Answer { ids, logits, .. }: Answer) -> Step {
    Step::Tokens { ids, logits }
}

fn first(count: usize, Answer { mut ids, mut logits, .. }: Answer) -> Step {
    ids.truncate(count);
    logits.truncate(count);
    Step::Tokens { ids, logits }
}

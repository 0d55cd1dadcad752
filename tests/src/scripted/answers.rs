//! Lies about the answer itself; each is sent and signed in good form.

use std::sync::Arc;

use assay_protocol::{Bytes32, Finish, GenerateStart, TokenId};

use super::Behaviour;
use crate::model::{Answer, Model};

/// Tokens that padding adds.
const PADDING_TOKENS: usize = 8;
/// What a made-up token claims as its logit: an ordinary one for a chosen token.
const PLAUSIBLE_LOGIT: f32 = 12.5;
const CANNED: &str = "That is a very good question, and I am glad that you asked.";

/// The answer that a node of this kind gives.
pub(super) async fn answer(
    behaviour: Behaviour,
    model: &Arc<Model>,
    start: &GenerateStart,
) -> Answer {
    let honest = match behaviour {
        Behaviour::IgnoreSeed => {
            let own = GenerateStart { seed: Bytes32(rand::random()), ..start.clone() };
            model.answer(&own).await
        }
        _ => model.answer(start).await,
    };
    let room = start.max_tokens as usize - start.prefix.len();
    match behaviour {
        Behaviour::Random => random(honest, model),
        Behaviour::Truncate => truncated(honest, model),
        Behaviour::Pad => padded(honest, model),
        Behaviour::Edit => edited(honest, model),
        Behaviour::Canned => made_up(model.ids(CANNED), model),
        _ => honest,
    }
    .cut_to(room)
}

fn random(honest: Answer, model: &Model) -> Answer {
    let last = honest.ids.len().saturating_sub(1);
    let ids = honest.ids[..last].iter().map(|id| other(*id, model)).collect();
    made_up(ids, model)
}

fn truncated(honest: Answer, model: &Model) -> Answer {
    made_up(honest.ids[..honest.ids.len() / 2].to_vec(), model)
}

fn padded(honest: Answer, model: &Model) -> Answer {
    let mut ids: Vec<TokenId> =
        honest.ids.into_iter().filter(|id| *id != model.end_token).collect();
    for _ in 0..PADDING_TOKENS {
        ids.push(other(model.end_token, model));
    }
    made_up(ids, model)
}

fn edited(honest: Answer, model: &Model) -> Answer {
    let mut ids = honest.ids;
    let middle = ids.len() / 2;
    ids[middle] = other(ids[middle], model);
    Answer { ids, ..honest }
}

/// These ids and a forged end.
fn made_up(mut ids: Vec<TokenId>, model: &Model) -> Answer {
    ids.push(model.end_token);
    Answer { logits: vec![PLAUSIBLE_LOGIT; ids.len()], ids, finish: Finish::Stop }
}

/// A random token that is neither this one nor an end.
fn other(id: TokenId, model: &Model) -> TokenId {
    loop {
        let drawn = rand::random_range(0..model.vocab_size);
        if drawn != id && drawn != model.end_token {
            return drawn;
        }
    }
}

impl Answer {
    fn cut_to(mut self, room: usize) -> Self {
        if self.ids.len() > room {
            self.ids.truncate(room);
            self.logits.truncate(room);
            self.finish = Finish::Length;
        }
        self
    }
}

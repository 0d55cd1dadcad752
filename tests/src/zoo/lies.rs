//! What lies are made of: other tokens, forged ends, plausible logits.

use assay_protocol::{Finish, TokenId};
use rand::Rng;

use crate::model::{Answer, Model};

/// What a made-up token claims as its logit: an ordinary one for a chosen token.
pub(super) const PLAUSIBLE_LOGIT: f32 = 12.5;

/// These ids and a forged end.
pub(super) fn made_up(mut ids: Vec<TokenId>, model: &Model) -> Answer {
    ids.push(model.end_token);
    Answer { logits: vec![PLAUSIBLE_LOGIT; ids.len()], ids, finish: Finish::Stop }
}

/// A random token that is neither this one nor an end.
pub(super) fn other(id: TokenId, model: &Model, dice: &mut impl Rng) -> TokenId {
    loop {
        let drawn = dice.random_range(0..model.vocab_size);
        if drawn != id && drawn != model.end_token {
            return drawn;
        }
    }
}

impl Answer {
    /// As much of it as there is room for.
    pub(crate) fn cut_to(mut self, room: usize) -> Self {
        if self.ids.len() > room {
            self.ids.truncate(room);
            self.logits.truncate(room);
            self.finish = Finish::Length;
        }
        self
    }
}

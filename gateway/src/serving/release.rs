//! Turns agreed token ids into text for the client, and finds where a stop string ends the answer.

use assay_model::{Detokenizer, Found, StopFinder};
use assay_protocol::TokenId;

/// The agreed answer so far, as ids and as text.
#[derive(Debug)]
pub(super) struct Release {
    ids: Vec<TokenId>,
    detokenizer: Detokenizer,
    stops: StopFinder,
    stopped: bool,
}

impl Release {
    pub(super) fn new(detokenizer: Detokenizer, stops: Vec<String>) -> Self {
        Self { ids: Vec::new(), detokenizer, stops: StopFinder::new(stops), stopped: false }
    }

    /// The ids whose text went out or is held back as a possible stop string.
    pub(super) fn ids(&self) -> &[TokenId] {
        &self.ids
    }

    /// Whether a stop string ended the answer: no more ids count.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Takes the agreed answer, which must go on from what was released, and gives the new text.
    /// Ids after a stop string do not count.
    pub(super) fn advance(&mut self, agreed: &[TokenId]) -> String {
        assert!(self.stopped || agreed.starts_with(&self.ids), "a release never takes back");
        let mut text = String::new();
        while !self.stopped && self.ids.len() < agreed.len() {
            let id = agreed[self.ids.len()];
            self.ids.push(id);
            let piece = self.detokenizer.push(id);
            text.push_str(&self.after_stops(&piece));
        }
        text
    }

    /// The text that was held back, once nothing more comes.
    pub(super) fn finish(&mut self) -> String {
        if self.stopped {
            return String::new();
        }
        let rest = self.detokenizer.finish();
        let mut text = self.after_stops(&rest);
        if !self.stopped {
            text.push_str(&self.stops.finish());
        }
        text
    }

    fn after_stops(&mut self, piece: &str) -> String {
        match self.stops.push(piece) {
            Found::Text(text) => text,
            Found::Stop(text) => {
                self.stopped = true;
                text
            }
        }
    }
}

//! What is told of the tokens of a choice, on its way into the client's dialect.

use std::sync::Arc;

use assay_protocol::TokenId;

use crate::{
    catalog::HostedModel,
    openai::{ChatLogprobs, Form, Logprobs, TextLogprobs, TokenText, Told},
};

/// Of one choice: what came and was not sent yet.
pub(super) struct Teller {
    form: Form,
    model: Arc<HostedModel>,
    waiting: Told,
    /// Where the next token begins in the text, in characters.
    offset: usize,
}

impl Teller {
    pub(super) fn new(form: Form, model: Arc<HostedModel>) -> Self {
        Self { form, model, waiting: Vec::new(), offset: 0 }
    }

    /// Keeps it until its text comes. The end token is no part of an answer's text.
    pub(super) fn take(&mut self, told: Told) {
        let is_text = |(id, _): &(TokenId, _)| !self.model.text.is_end(*id);
        self.waiting.extend(told.into_iter().filter(is_text));
    }

    /// All that came, in the client's dialect; nothing where nothing did.
    pub(super) fn tell(&mut self) -> Option<Logprobs> {
        if self.waiting.is_empty() {
            return None;
        }
        let told = std::mem::take(&mut self.waiting);
        let text = &self.model.text;
        let read = |id| match text.bytes_of(id) {
            Some(bytes) => TokenText {
                text: String::from_utf8_lossy(bytes).into_owned(),
                bytes: Some(bytes.to_vec()),
            },
            None => TokenText { text: text.name_of(id).unwrap_or_default(), bytes: None },
        };
        Some(match self.form {
            Form::Chat => Logprobs::Chat(ChatLogprobs::of(&told, &read)),
            Form::Text => Logprobs::Text(TextLogprobs::of(&told, &mut self.offset, &read)),
        })
    }
}

//! Text from token ids as they come. A token may end in the middle of a character, and how a token reads
//! may depend on the one before it, so a short window of ids is decoded each time.

use std::{fmt, mem, sync::Arc};

use assay_protocol::TokenId;

use crate::text::Vocabulary;

/// What a decoder writes for bytes that are no character (yet).
const INCOMPLETE: char = '\u{FFFD}';
/// Ids that may wait for the end of a character. The longest has four bytes; a broken one may precede it.
const WAITING_TOKENS_MAX: usize = 8;

/// The state of one answer's text.
#[derive(Clone)]
pub struct Detokenizer {
    vocabulary: Arc<Vocabulary>,
    /// Ids that have been read already and only show how the next ones read.
    context: Vec<TokenId>,
    /// Ids whose text has not been handed out.
    waiting: Vec<TokenId>,
}

impl Detokenizer {
    pub(crate) fn new(vocabulary: Arc<Vocabulary>) -> Self {
        Self { vocabulary, context: Vec::new(), waiting: Vec::new() }
    }

    /// The text that this token completes: empty in the middle of a character, and for end tokens and
    /// special tokens, but for those that calls are spelled with.
    pub fn push(&mut self, id: TokenId) -> String {
        if self.vocabulary.silent.contains(&id) {
            return String::new();
        }
        self.waiting.push(id);
        let text = self.waiting_text();
        if text.ends_with(INCOMPLETE) && self.waiting.len() < WAITING_TOKENS_MAX {
            return String::new();
        }
        self.context = mem::take(&mut self.waiting);
        text
    }

    /// What is still held back, with U+FFFD for a character that never ended.
    pub fn finish(&mut self) -> String {
        let text = self.waiting_text();
        self.context = mem::take(&mut self.waiting);
        text
    }

    fn waiting_text(&self) -> String {
        if self.waiting.is_empty() {
            return String::new();
        }
        let before = self.decode(&self.context);
        let whole = self.decode(&[self.context.as_slice(), &self.waiting].concat());
        match whole.strip_prefix(&before) {
            Some(text) => text.to_owned(),
            // The context itself reads differently now: what it gave is out, so only the rest counts.
            None => self.decode(&self.waiting),
        }
    }

    fn decode(&self, ids: &[TokenId]) -> String {
        // Ids outside the vocabulary have no text; whoever checks the answer refuses them.
        // Special tokens that have no text never come here.
        self.vocabulary.tokenizer.decode(ids, false).unwrap_or_default()
    }
}

impl fmt::Debug for Detokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detokenizer")
            .field("context", &self.context)
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

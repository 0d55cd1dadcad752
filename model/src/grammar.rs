//! Constrained output: a grammar says which tokens may come next, alike for the node that writes and for the one
//! that checks.
//!
//! # Specification
//!
//! A grammar is text in the Lark form of `llguidance` in the version that this crate pins (`%json { … }` in it
//! stands for a JSON schema). It speaks of bytes: each token that is no special one stands for its bytes, and is
//! allowed where the grammar has a text that goes on with them. The model's end tokens are allowed where the
//! text may end, and nothing else is where it must. Special tokens are allowed only where the grammar names
//! them. All limits count steps, never time: what is allowed depends on grammar, tokenizer and output alone.
//!
//! After a token that was not allowed there is no constraint any more; whoever wrote it is refuted by it.

use std::{
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Mutex, PoisonError},
};

use assay_protocol::{Bytes32, GRAMMAR_BYTES_MAX, TokenId};
use llguidance::{
    GrammarBuilder, JsonCompileOptions, Matcher, ParserFactory,
    api::{ParserLimits, TopLevelGrammar},
    token_bytes_from_tokenizer_json,
    toktrie::{ApproximateTokEnv, InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie},
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokenizers::Tokenizer;

/// States of the lexer at most, of about 2 KB each.
const LEXER_STATES_MAX: usize = 50_000;
/// Compiled grammars that are kept: apps ask for the same few forms again and again.
const KEPT_MAX: usize = 16;
/// What is told of an error that somebody else worded.
const MESSAGE_CHARS_MAX: usize = 300;

/// Why a text is no grammar that can be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrammarError {
    /// Longer than anybody takes.
    #[error("a grammar of {0} bytes is too large: {GRAMMAR_BYTES_MAX} are the most")]
    TooLarge(usize),
    /// Not in the language, or beyond its limits; the text is meant for whoever wrote it.
    #[error("{0}")]
    Refused(String),
    /// The model's tokenizer is of a kind whose tokens have no known bytes.
    #[error("this model cannot be constrained: {0}")]
    Tokenizer(String),
}

/// What all grammars of a model share: its tokens as bytes.
pub(crate) struct Grammars {
    factory: ParserFactory,
    /// Those that were asked for last, the latest at the end, each at its beginning.
    kept: Mutex<Vec<(Bytes32, Grammar)>>,
}

/// A grammar somewhere in an answer.
pub struct Grammar {
    matcher: Matcher,
    /// Whether a token came that was not allowed.
    is_broken: bool,
}

/// The tokens that may come next.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowed(SimpleVob);

impl Grammars {
    pub(crate) fn of(
        tokenizer: &Tokenizer,
        vocab_size: u32,
        end_tokens: &[TokenId],
    ) -> Result<Self, GrammarError> {
        let wrong = |problem: &dyn fmt::Display| GrammarError::Tokenizer(problem.to_string());
        let env = token_env(tokenizer, vocab_size, end_tokens)?;
        let slices: &[String] = &[];
        let mut factory = ParserFactory::new(&env, InferenceCapabilities::default(), slices)
            .map_err(|error| wrong(&error))?;
        factory.quiet();
        *factory.limits_mut() = limits();
        Ok(Self { factory, kept: Mutex::default() })
    }

    /// What a token adds to a text; nothing for special ones, and for those that are none.
    pub(crate) fn bytes_of(&self, id: TokenId) -> Option<&[u8]> {
        let trie = self.factory.tok_env().tok_trie();
        Some(trie.token(id)).filter(|bytes| !bytes.is_empty() && !trie.is_special_token(id))
    }

    /// Compiles a grammar; it stands at the beginning of an answer.
    pub(crate) fn compile(&self, source: &str) -> Result<Grammar, GrammarError> {
        if source.len() > GRAMMAR_BYTES_MAX {
            return Err(GrammarError::TooLarge(source.len()));
        }
        let hash = Bytes32(Sha256::digest(source).into());
        if let Some(kept) = self.kept(hash) {
            return Ok(kept);
        }
        // The library guards its steps against its own mistakes, but not this one.
        let create = AssertUnwindSafe(|| {
            Matcher::new(self.factory.create_parser(TopLevelGrammar::from_lark(source.to_owned())))
        });
        let matcher = panic::catch_unwind(create)
            .map_err(|_| GrammarError::Refused("it is beyond what can be compiled".into()))?;
        match matcher.get_error() {
            Some(error) => Err(GrammarError::Refused(worded(&error))),
            None => Ok(self.keep(hash, Grammar { matcher, is_broken: false })),
        }
    }

    fn kept(&self, hash: Bytes32) -> Option<Grammar> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(other, _)| *other == hash)?;
        kept[at..].rotate_left(1);
        kept.last().map(|(_, grammar)| grammar.apart())
    }

    /// Keeps one in place of the one that nobody asked for the longest.
    fn keep(&self, hash: Bytes32, grammar: Grammar) -> Grammar {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT_MAX {
            kept.remove(0);
        }
        kept.push((hash, grammar.apart()));
        grammar
    }
}

/// The first line of what the library says, cut to what somebody reads.
fn worded(error: &str) -> String {
    let line = error.lines().next().unwrap_or_default();
    if line.starts_with("panic") {
        return "it is beyond what can be compiled".into();
    }
    line.chars().take(MESSAGE_CHARS_MAX).collect()
}

impl Grammar {
    /// Another one at the same place that shares nothing with it, so that what limits count begins alike.
    fn apart(&self) -> Self {
        Self { matcher: self.matcher.deep_clone(), is_broken: self.is_broken }
    }

    /// What may come next; none once a token came that was not allowed.
    pub fn allowed(&mut self) -> Result<Option<Allowed>, GrammarError> {
        if self.is_broken {
            return Ok(None);
        }
        let mask = self.matcher.compute_mask_or_eos();
        mask.map(|mask| Some(Allowed(mask)))
            .map_err(|error| GrammarError::Refused(worded(&error.to_string())))
    }

    /// Goes on by a token of the answer.
    pub fn push(&mut self, id: TokenId) {
        let is_next = if self.matcher.is_stopped() {
            self.matcher.tok_env().is_ok_and(|env| env.tok_trie().eos_tokens().contains(&id))
        } else {
            self.matcher.try_consume_tokens(&[id]).is_ok_and(|count| count == 1)
        };
        self.is_broken |= !is_next;
    }
}

impl Allowed {
    /// Whether this token may come next.
    pub fn contains(&self, id: TokenId) -> bool {
        (id as usize) < self.0.len() && self.0.is_allowed(id)
    }
}

impl fmt::Debug for Grammar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grammar").field("is_broken", &self.is_broken).finish_non_exhaustive()
    }
}

fn limits() -> ParserLimits {
    ParserLimits {
        max_lexer_states: LEXER_STATES_MAX,
        verbose_errors: false,
        ..ParserLimits::default()
    }
}

/// Whether the library can read a JSON schema; what it does with it does not depend on any model.
pub(crate) fn is_readable(schema: Map<String, Value>) -> bool {
    let read = AssertUnwindSafe(|| {
        let builder = GrammarBuilder::new(None, limits());
        JsonCompileOptions::default().json_to_llg(builder, Value::Object(schema)).is_ok()
    });
    panic::catch_unwind(read).unwrap_or(false)
}

/// The vocabulary as the grammar library knows it.
fn token_env(
    tokenizer: &Tokenizer,
    vocab_size: u32,
    end_tokens: &[TokenId],
) -> Result<TokEnv, GrammarError> {
    let wrong = |problem: &dyn fmt::Display| GrammarError::Tokenizer(problem.to_string());
    let [first_end, ..] = end_tokens else { return Err(wrong(&"it has no end token")) };
    let form = tokenizer.to_string(false).map_err(|error| wrong(&error))?;
    let form = serde_json::from_str(&form).map_err(|error| wrong(&error))?;
    // It has assertions about names of tokens: a strange file is no reason to fall.
    let mut bytes = panic::catch_unwind(|| token_bytes_from_tokenizer_json(&form))
        .map_err(|_| wrong(&"its tokens have no bytes"))?
        .map_err(|error| wrong(&error))?;
    // Outputs past the last token, and gaps between tokens, have no bytes.
    bytes.resize(vocab_size as usize, Vec::new());
    let trie = TokTrie::from(&TokRxInfo::new(vocab_size, *first_end), &bytes);
    Ok(Arc::new(ApproximateTokEnv::new(trie.with_eos_tokens(end_tokens))))
}

#[cfg(test)]
pub(crate) mod tests;

//! What an answer's grammar allows, position by position; the same for writing and for scoring.

use assay_model::{Grammar, TextModel, grammar::Allowed};
use assay_protocol::{Sampling, TokenId};

use crate::EngineError;

/// A grammar with what it allows at the position that is next.
pub(crate) struct Constraint {
    grammar: Grammar,
    allowed: Option<Allowed>,
}

impl Constraint {
    /// The constraint of an answer that goes on after `prefix`, if its sampling has a grammar.
    pub(crate) fn of(
        text: &TextModel,
        sampling: &Sampling,
        prefix: &[TokenId],
    ) -> Result<Option<Self>, EngineError> {
        let Some(source) = &sampling.grammar else { return Ok(None) };
        let mut grammar = text.grammar(source)?;
        // Limits count steps: who goes on after a prefix takes the same ones as who wrote it.
        let mut allowed = grammar.allowed()?;
        for id in prefix {
            grammar.push(*id);
            allowed = grammar.allowed()?;
        }
        Ok(Some(Self { grammar, allowed }))
    }

    /// What may come next; none allows all, after a token that was not allowed.
    pub(crate) fn allowed(&self) -> Option<&Allowed> {
        self.allowed.as_ref()
    }

    /// Goes on by a token that does not end the answer.
    pub(crate) fn push(&mut self, id: TokenId) -> Result<(), EngineError> {
        self.grammar.push(id);
        self.allowed = self.grammar.allowed()?;
        Ok(())
    }
}

//! How often the output holds each token: what presence and frequency penalties look at.

use std::collections::HashMap;

use assay_protocol::TokenId;

/// Counts of the output ids so far; prompt ids do not count, as in OpenAI's API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenCounts(HashMap<TokenId, u32>);

impl TokenCounts {
    /// The counts of these output ids.
    pub fn of(ids: &[TokenId]) -> Self {
        let mut counts = Self::default();
        ids.iter().for_each(|id| counts.push(*id));
        counts
    }

    /// Adds one output id.
    pub fn push(&mut self, id: TokenId) {
        *self.0.entry(id).or_default() += 1;
    }

    /// Each token that the output holds, and how often.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TokenId, u32)> + '_ {
        self.0.iter().map(|(id, count)| (*id, *count))
    }
}

//! What a request can cost at most, before anything is done for it.

use assay_ledger::{Price, Quote};
use assay_protocol::TokenId;

use super::{delivery::ServeError, policy::Policy};

/// Output tokens at most, and what they can cost with the prompt. A limit that leaves the context is
/// lowered to what fits: a client that asks a small model for 4,096 tokens means "as many as there
/// are".
pub(super) fn quote(
    prompt_tokens: u32,
    max_tokens: u32,
    context_length: u32,
    price: Price,
    policy: &Policy,
) -> Result<(u32, Quote), ServeError> {
    let too_long = || ServeError::ContextTooLong { prompt: prompt_tokens, context: context_length };
    let room = context_length.checked_sub(prompt_tokens).filter(|room| *room > 0);
    let max_tokens = max_tokens.min(room.ok_or_else(too_long)?);
    let quote = Quote::new(price, policy.price_per_mille, prompt_tokens, max_tokens)
        .map_err(|_| too_long())?;
    Ok((max_tokens, quote))
}

/// What embedding these costs: all is known before, since nothing is written.
pub(super) fn quote_inputs(
    inputs: &[Vec<TokenId>],
    price: Price,
    policy: &Policy,
) -> Result<Quote, ServeError> {
    let tokens: usize = inputs.iter().map(Vec::len).sum();
    let too_long = |_| ServeError::InputsTooLong { tokens, max: 0 };
    let count = u32::try_from(tokens).unwrap_or(u32::MAX);
    Quote::new(price, policy.price_per_mille, count, 0).map_err(too_long)
}

#[cfg(test)]
mod tests {
    use assay_ledger::Nano;

    use super::*;
    use crate::serving::policy::{Risk, Terms};

    const PRICE: Price = Price { input: Nano(1_000_000), output: Nano(2_000_000) };

    fn policy(risk: Risk) -> Policy {
        Terms { risk, ..Terms::default() }.policy()
    }

    #[test]
    fn the_limit_is_lowered_to_the_context_and_the_price_follows_the_policy() {
        let (max_tokens, quote) = quote(100, 4_096, 1_024, PRICE, &policy(Risk::Standard)).unwrap();
        assert_eq!(max_tokens, 924);
        assert_eq!(quote.highest(), Nano(3 * (100 + 2 * 924)));
    }

    #[test]
    fn a_prompt_that_fills_the_context_is_refused() {
        for prompt in [1_024, 5_000] {
            let refused = quote(prompt, 10, 1_024, PRICE, &policy(Risk::Low));
            assert_eq!(refused, Err(ServeError::ContextTooLong { prompt, context: 1_024 }));
        }
    }
}

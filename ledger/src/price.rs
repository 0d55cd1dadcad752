//! What tokens cost: prices, the highest cost that is held before a job, and its real cost after it.

use serde::{Deserialize, Serialize};

use crate::Nano;

/// Tokens that a price is for.
const TOKENS_PER_PRICE: i128 = 1_000_000;
/// A policy's factor is in parts of this.
const FACTOR_ONE: i128 = 1000;

/// A model's price, nano per million tokens, input and output apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    pub input: Nano,
    pub output: Nano,
}

/// The cost does not fit in 64 bits, or a price is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cost of the job does not fit")]
pub struct PriceOverflow;

/// What was agreed before a job: its highest cost, fixed for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    price: Price,
    factor_per_mille: u32,
    prompt_tokens: u32,
    max_tokens: u32,
    highest: Nano,
}

impl Quote {
    /// Prices `prompt_tokens` and at most `max_tokens` of answer, times the policy's factor
    /// (1000 = once).
    ///
    /// # Errors
    /// [`PriceOverflow`] when the highest cost does not fit or a price is negative.
    pub fn new(
        price: Price,
        factor_per_mille: u32,
        prompt_tokens: u32,
        max_tokens: u32,
    ) -> Result<Self, PriceOverflow> {
        let highest = cost(price, factor_per_mille, prompt_tokens, max_tokens)?;
        Ok(Self { price, factor_per_mille, prompt_tokens, max_tokens, highest })
    }

    /// The money to hold.
    pub fn highest(&self) -> Nano {
        self.highest
    }

    /// The real cost of `completion_tokens`, never above [`Quote::highest`]: tokens beyond the agreed
    /// maximum cost nothing.
    pub fn cost(&self, completion_tokens: u32) -> Nano {
        let counted = completion_tokens.min(self.max_tokens);
        let cost = cost(self.price, self.factor_per_mille, self.prompt_tokens, counted)
            .expect("a part of a cost that fits must fit");
        assert!(cost <= self.highest, "a job costs {cost}, more than was held: {}", self.highest);
        cost
    }
}

/// The cost of a job's tokens at `price`, times `factor_per_mille` / 1000; rounded once, up.
///
/// # Errors
/// [`PriceOverflow`] when it does not fit or a price is negative.
pub fn cost(
    price: Price,
    factor_per_mille: u32,
    prompt_tokens: u32,
    completion_tokens: u32,
) -> Result<Nano, PriceOverflow> {
    if price.input.is_negative() || price.output.is_negative() {
        return Err(PriceOverflow);
    }
    let tokens = i128::from(prompt_tokens) * i128::from(price.input.0)
        + i128::from(completion_tokens) * i128::from(price.output.0);
    // At most 2 · 2^32 · 2^63 · 2^32 = 2^128 would not fit, so this one product is checked.
    let exact = tokens.checked_mul(i128::from(factor_per_mille)).ok_or(PriceOverflow)?;
    let unit = TOKENS_PER_PRICE * FACTOR_ONE;
    Nano::narrow(exact / unit + i128::from(exact % unit != 0)).ok_or(PriceOverflow)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICE: Price = Price { input: Nano(150_000_000), output: Nano(600_000_000) };

    #[test]
    fn the_quote_covers_prompt_and_longest_answer_times_the_factor() {
        let quote = Quote::new(PRICE, 3000, 100, 50).unwrap();
        assert_eq!(quote.highest(), Nano(3 * (100 * 150 + 50 * 600)));
        assert_eq!(quote.cost(10), Nano(3 * (100 * 150 + 10 * 600)));
        assert_eq!(quote.cost(u32::MAX), quote.highest());
    }

    #[test]
    fn a_cost_is_rounded_up_once() {
        let tiny = Price { input: Nano(1), output: Nano(1) };
        assert_eq!(cost(tiny, 1000, 1, 1), Ok(Nano(1)));
        assert_eq!(cost(tiny, 3000, 500_000, 500_000), Ok(Nano(3)));
        assert_eq!(cost(tiny, 3000, 500_000, 500_001), Ok(Nano(4)));
        assert_eq!(cost(tiny, 1000, 0, 0), Ok(Nano(0)));
    }

    #[test]
    fn a_cost_that_does_not_fit_is_refused() {
        let most = Price { input: Nano(i64::MAX), output: Nano(i64::MAX) };
        assert_eq!(cost(most, u32::MAX, u32::MAX, u32::MAX), Err(PriceOverflow));
        assert_eq!(cost(most, 1000, 1_000_001, 0), Err(PriceOverflow));
        assert_eq!(cost(most, 1000, 1_000_000, 0), Ok(Nano(i64::MAX)));
        let negative = Price { input: Nano(-1), output: Nano(1) };
        assert_eq!(cost(negative, 1000, 1, 10), Err(PriceOverflow));
    }
}

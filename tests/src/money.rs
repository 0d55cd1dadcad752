//! What a job must cost and pay, worked out from the documented formula alone, so that the stories hold
//! the ledger to the text and not to itself.

use serde::Deserialize;

/// Nano (1e-9 credit) per million tokens. Odd on purpose: a job's cost is then no whole number of nano,
/// and its parts do not divide.
pub const PRICE: Price = Price { input: 100_000_003, output: 400_000_007 };
/// The gateway's share of a job's cost.
const FEE_PER_MILLE: i128 = 50;
/// The highest pay, per mille of an equal share among all that were asked.
const CAP_PER_MILLE: i128 = 1_500;

/// A model's price.
#[derive(Clone, Copy, Debug)]
pub struct Price {
    pub input: i64,
    pub output: i64,
}

/// A policy's factor on the prices, per mille.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    Low = 1_000,
    Standard = 3_000,
    High = 4_000,
}

impl Factor {
    /// The factor of this risk.
    ///
    /// # Panics
    /// When there is no such risk.
    pub fn of(risk: &str) -> Self {
        match risk {
            "low" => Self::Low,
            "standard" => Self::Standard,
            "high" => Self::High,
            other => panic!("no risk is called {other}"),
        }
    }
}

/// How many tokens a job had, counted once.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct Tokens {
    pub prompt: u32,
    pub completion: u32,
}

/// Who was asked and who passed.
#[derive(Clone, Copy, Debug)]
pub struct Passed {
    /// m
    pub of_them: u32,
    /// k
    pub asked: u32,
}

/// Where a job's money goes, in nano.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// What the client pays.
    pub cost: i64,
    pub fee: i64,
    /// What each node that passed gets.
    pub each: i64,
    pub reserve: i64,
}

/// The price of tokens times the factor, rounded up once: `C` for what was used, `H` for the most that
/// could be.
pub fn cost(tokens: Tokens, factor: Factor) -> i64 {
    let exact = (i128::from(tokens.prompt) * i128::from(PRICE.input)
        + i128::from(tokens.completion) * i128::from(PRICE.output))
        * factor as i128;
    narrow((exact + 999_999_999) / 1_000_000_000)
}

/// `pay = floor(min(P/m, 1.5·P/k))`, `P = C − floor(C·f)`. What did not divide goes to the fee; what the
/// cap leaves goes to the verification reserve, or to the client when one node passed alone.
pub fn split(cost: i64, Passed { of_them, asked }: Passed) -> Split {
    let (m, k, c) = (i128::from(of_them), i128::from(asked), i128::from(cost));
    let fee = c * FEE_PER_MILLE / 1_000;
    let shared = c - fee;
    let capped = CAP_PER_MILLE * m < 1_000 * k;
    let each = if capped { CAP_PER_MILLE * shared / (1_000 * k) } else { shared / m };
    let left = shared - each * m;
    let (fee, reserve, returned) = match (capped, of_them) {
        (false, _) => (fee + left, 0, 0),
        (true, 1) => (fee, 0, left),
        (true, _) => (fee, left, 0),
    };
    Split {
        cost: narrow(c - returned),
        fee: narrow(fee),
        each: narrow(each),
        reserve: narrow(reserve),
    }
}

/// What each gets that passed, by the tokens it wrote itself of an answer of `whole`:
/// `floor(min(P·t/Σt, 1.5·P·t/(k·n)))`.
pub fn pays_by_work(cost: i64, asked: u32, whole: u32, wrote: &[u32]) -> Vec<i64> {
    let (k, n, c) = (i128::from(asked), i128::from(whole), i128::from(cost));
    let shared = c - c * FEE_PER_MILLE / 1_000;
    let all: i128 = wrote.iter().map(|tokens| i128::from(*tokens)).sum();
    let pay = |tokens: &u32| {
        let share = shared * i128::from(*tokens);
        narrow((share / all).min(CAP_PER_MILLE * share / (1_000 * k * n)))
    };
    wrote.iter().map(pay).collect()
}

fn narrow(nano: i128) -> i64 {
    i64::try_from(nano).expect("the stories' amounts are small")
}

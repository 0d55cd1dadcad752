//! Who money belongs to.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An account's number. Numbers up to [`AccountId::SYSTEM_MAX`] are the system's own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub i64);

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// Buys: pays credit in or is granted it, and holds of jobs are taken from it.
    Client,
    /// Runs nodes: is paid for jobs, and takes its earnings out.
    Operator,
    /// The system's own: may be negative, and its balance is the sum of its entries.
    System,
}

impl AccountId {
    /// Where money comes from and goes to when it crosses the system's border.
    pub const OUTSIDE: Self = Self(1);
    /// What the gateway earns.
    pub const FEE: Self = Self(2);
    /// The verification reserve: pays for audits later.
    pub const RESERVE: Self = Self(3);
    /// Where granted credit comes from.
    pub const PROMOTION: Self = Self(4);
    /// All that the system has of its own.
    pub const SYSTEM: [Self; 4] = [Self::OUTSIDE, Self::FEE, Self::RESERVE, Self::PROMOTION];
    /// The last number kept for the system's own accounts.
    pub const SYSTEM_MAX: i64 = 1000;

    /// Whether this is one of the system's own, which keep no balance.
    pub fn is_system(self) -> bool {
        self.0 <= Self::SYSTEM_MAX
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {}", self.0)
    }
}

impl AccountKind {
    /// The word in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Operator => "operator",
            Self::System => "system",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Client, Self::Operator, Self::System].into_iter().find(|kind| kind.as_str() == word)
    }
}

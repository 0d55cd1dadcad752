//! What the rules look at: balances, holds, and what was posted before. The store loads the part that a
//! command touches; a test may keep all of it.

use std::collections::BTreeMap;

use crate::{AccountId, AccountKind, Digest, HoldId, Nano};

/// An account that keeps a balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    pub kind: AccountKind,
    pub available: Nano,
    pub held: Nano,
}

/// Money set aside for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    pub account: AccountId,
    pub amount: Nano,
    pub state: HoldState,
}

/// How far a hold has come. It ends once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HoldState {
    Open,
    Settled,
    Voided,
}

/// The accounts, holds and posted keys that a command touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances {
    pub accounts: BTreeMap<AccountId, Account>,
    pub holds: BTreeMap<HoldId, Hold>,
    pub posted: BTreeMap<String, Digest>,
}

impl HoldState {
    /// The word in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Settled => "settled",
            Self::Voided => "voided",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Open, Self::Settled, Self::Voided].into_iter().find(|state| state.as_str() == word)
    }
}

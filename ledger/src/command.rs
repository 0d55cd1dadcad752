//! What may be asked of the ledger, and what it writes for it.

use std::{collections::BTreeMap, fmt};

use crate::{AccountId, Digest, Nano, Settlement};

/// The name of a hold: the job's id.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HoldId(pub u128);

/// One request to move money. Each has a key; the same key with the same content changes nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Gives a client credit, from the promotion account. `key` is made by whoever grants.
    Grant { key: String, account: AccountId, amount: Nano },
    /// Sets money of a client aside for a job. An amount of zero is allowed: a free model.
    Hold { hold: HoldId, account: AccountId, amount: Nano },
    /// Ends a hold by sharing it.
    Settle { hold: HoldId, settlement: Settlement },
    /// Ends a hold by giving it back.
    Void { hold: HoldId },
}

/// What a journal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PostingKind {
    Grant,
    Hold,
    Settle,
    Void,
}

/// Which part of an account an entry moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Bucket {
    Available,
    Held,
}

/// One line of a journal; never zero, and each account and bucket at most once in a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    pub account: AccountId,
    pub bucket: Bucket,
    pub amount: Nano,
}

/// A journal: entries that sum to zero, under a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    pub key: String,
    pub kind: PostingKind,
    /// Of the command's content.
    pub digest: Digest,
    pub entries: Vec<Entry>,
    /// Whether this very command was posted before, so that nothing moves now.
    pub repeated: bool,
}

impl Command {
    /// The key, unique over all journals. Settle and void share one, so that a hold ends once.
    pub fn key(&self) -> String {
        match self {
            Self::Grant { key, .. } => format!("grant:{key}"),
            Self::Hold { hold, .. } => format!("hold:{hold}"),
            Self::Settle { hold, .. } | Self::Void { hold } => format!("end:{hold}"),
        }
    }

    /// What the journal is about.
    pub fn kind(&self) -> PostingKind {
        match self {
            Self::Grant { .. } => PostingKind::Grant,
            Self::Hold { .. } => PostingKind::Hold,
            Self::Settle { .. } => PostingKind::Settle,
            Self::Void { .. } => PostingKind::Void,
        }
    }

    /// The hold that this takes or ends.
    pub fn hold(&self) -> Option<HoldId> {
        match self {
            Self::Grant { .. } => None,
            Self::Hold { hold, .. } | Self::Settle { hold, .. } | Self::Void { hold } => {
                Some(*hold)
            }
        }
    }

    /// The accounts that it names itself; the owner of a hold that it ends comes on top.
    pub fn accounts(&self) -> Vec<AccountId> {
        match self {
            Self::Grant { account, .. } | Self::Hold { account, .. } => vec![*account],
            Self::Settle { settlement, .. } => settlement.pays.iter().map(|(to, _)| *to).collect(),
            Self::Void { .. } => Vec::new(),
        }
    }

    /// The digest of its content: kind, names and amounts.
    pub fn digest(&self) -> Digest {
        let mut bytes = Digest::writer(self.kind().as_str());
        match self {
            Self::Grant { key, account, amount } => {
                bytes.text(key).int(account.0).int(amount.0);
            }
            Self::Hold { hold, account, amount } => {
                bytes.text(&hold.to_string()).int(account.0).int(amount.0);
            }
            Self::Settle { hold, settlement } => {
                bytes.text(&hold.to_string()).settlement(settlement);
            }
            Self::Void { hold } => {
                bytes.text(&hold.to_string());
            }
        }
        bytes.finish()
    }
}

/// Sums moves by account and bucket, leaves out what comes to zero.
pub(crate) fn entries(moves: &[(AccountId, Bucket, Nano)]) -> Option<Vec<Entry>> {
    let mut sums: BTreeMap<(AccountId, Bucket), Nano> = BTreeMap::new();
    for (account, bucket, amount) in moves {
        let sum = sums.entry((*account, *bucket)).or_default();
        *sum = sum.checked_add(*amount)?;
    }
    let entry = |((account, bucket), amount)| Entry { account, bucket, amount };
    Some(sums.into_iter().filter(|(_, amount)| *amount != Nano::ZERO).map(entry).collect())
}

impl PostingKind {
    /// The word in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Hold => "hold",
            Self::Settle => "settle",
            Self::Void => "void",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Grant, Self::Hold, Self::Settle, Self::Void].into_iter().find(|k| k.as_str() == word)
    }
}

impl Bucket {
    /// The word in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Held => "held",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Available, Self::Held].into_iter().find(|bucket| bucket.as_str() == word)
    }
}

/// Written as a UUID, as the job's id is.
impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        let [a, b, c, d, e] = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        write!(f, "{a}-{b}-{c}-{d}-{e}")
    }
}

impl fmt::Debug for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hold {self}")
    }
}

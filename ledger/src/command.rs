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
    /// Credits a client with money that came in from outside. `key` is the payment's name.
    TopUp { key: String, account: AccountId, amount: Nano },
    /// Sets money aside: of a client for a job (zero is allowed: a free model) or a refund, of an operator
    /// for a withdrawal.
    Hold { hold: HoldId, account: AccountId, amount: Nano },
    /// Ends a hold by sharing it.
    Settle { hold: HoldId, settlement: Settlement },
    /// Ends a hold by giving it back.
    Void { hold: HoldId },
    /// Ends a hold by sending all of it outside: a refund or a withdrawal that was paid.
    SendOut { hold: HoldId },
    /// Moves what a person found out that came in from outside, or went there, past all other commands: to a client, or from it
    /// where `amount` is negative. `key` names what was found.
    Correct { key: String, account: AccountId, amount: Nano },
    /// Takes pay back from the operator of a proven cheat: to the clients of the jobs that the model refuted, and the
    /// rest to the reserve. `key` names the ban.
    Forfeit { key: String, from: AccountId, clients: Vec<(AccountId, Nano)>, reserve: Nano },
}

/// What a journal is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PostingKind {
    Grant,
    TopUp,
    Hold,
    Settle,
    Void,
    SendOut,
    Correct,
    Forfeit,
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
    /// The key, unique over all journals. All ends of a hold share one, so that it ends once.
    pub fn key(&self) -> String {
        match self {
            Self::Grant { key, .. } => format!("grant:{key}"),
            Self::TopUp { key, .. } => format!("top_up:{key}"),
            Self::Correct { key, .. } => format!("correct:{key}"),
            Self::Forfeit { key, .. } => format!("forfeit:{key}"),
            Self::Hold { hold, .. } => format!("hold:{hold}"),
            Self::Settle { hold, .. } | Self::Void { hold } | Self::SendOut { hold } => {
                format!("end:{hold}")
            }
        }
    }

    /// What the journal is about.
    pub fn kind(&self) -> PostingKind {
        match self {
            Self::Grant { .. } => PostingKind::Grant,
            Self::TopUp { .. } => PostingKind::TopUp,
            Self::Hold { .. } => PostingKind::Hold,
            Self::Settle { .. } => PostingKind::Settle,
            Self::Void { .. } => PostingKind::Void,
            Self::SendOut { .. } => PostingKind::SendOut,
            Self::Correct { .. } => PostingKind::Correct,
            Self::Forfeit { .. } => PostingKind::Forfeit,
        }
    }

    /// The hold that this takes or ends.
    pub fn hold(&self) -> Option<HoldId> {
        match self {
            Self::Grant { .. }
            | Self::TopUp { .. }
            | Self::Correct { .. }
            | Self::Forfeit { .. } => None,
            Self::Hold { hold, .. }
            | Self::Settle { hold, .. }
            | Self::Void { hold }
            | Self::SendOut { hold } => Some(*hold),
        }
    }

    /// The accounts that it names itself; the owner of a hold that it ends comes on top.
    pub fn accounts(&self) -> Vec<AccountId> {
        match self {
            Self::Grant { account, .. }
            | Self::TopUp { account, .. }
            | Self::Correct { account, .. }
            | Self::Hold { account, .. } => vec![*account],
            Self::Settle { settlement, .. } => settlement.pays.iter().map(|(to, _)| *to).collect(),
            Self::Void { .. } | Self::SendOut { .. } => Vec::new(),
            Self::Forfeit { from, clients, .. } => {
                clients.iter().map(|(to, _)| *to).chain([*from]).collect()
            }
        }
    }

    /// The digest of its content: kind, names and amounts.
    pub fn digest(&self) -> Digest {
        let mut bytes = Digest::writer(self.kind().as_str());
        match self {
            Self::Grant { key, account, amount }
            | Self::TopUp { key, account, amount }
            | Self::Correct { key, account, amount } => {
                bytes.text(key).int(account.0).int(amount.0);
            }
            Self::Hold { hold, account, amount } => {
                bytes.text(&hold.to_string()).int(account.0).int(amount.0);
            }
            Self::Settle { hold, settlement } => {
                bytes.text(&hold.to_string()).settlement(settlement);
            }
            Self::Void { hold } | Self::SendOut { hold } => {
                bytes.text(&hold.to_string());
            }
            Self::Forfeit { key, from, clients, reserve } => {
                bytes.text(key).int(from.0).int(reserve.0);
                for (to, amount) in clients {
                    bytes.int(to.0).int(amount.0);
                }
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
            Self::TopUp => "top_up",
            Self::Hold => "hold",
            Self::Settle => "settle",
            Self::Void => "void",
            Self::SendOut => "send_out",
            Self::Correct => "correct",
            Self::Forfeit => "forfeit",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        const ALL: [PostingKind; 8] = [
            PostingKind::Grant,
            PostingKind::TopUp,
            PostingKind::Hold,
            PostingKind::Settle,
            PostingKind::Void,
            PostingKind::SendOut,
            PostingKind::Correct,
            PostingKind::Forfeit,
        ];
        ALL.into_iter().find(|kind| kind.as_str() == word)
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

//! How far a withdrawal has come, and where it can go from there.

use serde::Serialize;

use crate::db::value::store_as;

/// How far a withdrawal has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawalState {
    /// Held; an admin must say yes.
    AwaitingApproval,
    /// Held; to be sent.
    Approved,
    /// Held; given to whoever sends it.
    Exported,
    /// The money left.
    Sent,
    /// It could not be sent; the earnings are back.
    Failed,
    /// An admin said no; the earnings are back.
    Rejected,
    /// The operator changed its mind; the earnings are back.
    Cancelled,
}

impl WithdrawalState {
    const ALL: [Self; 7] = [
        Self::AwaitingApproval,
        Self::Approved,
        Self::Exported,
        Self::Sent,
        Self::Failed,
        Self::Rejected,
        Self::Cancelled,
    ];

    /// Whether the next state may be this one. What was given to somebody to send cannot be called back.
    pub fn leads_to(self, next: Self) -> bool {
        match self {
            Self::AwaitingApproval => {
                matches!(next, Self::Approved | Self::Rejected | Self::Cancelled)
            }
            Self::Approved => {
                matches!(
                    next,
                    Self::Exported | Self::Sent | Self::Failed | Self::Rejected | Self::Cancelled
                )
            }
            Self::Exported => matches!(next, Self::Sent | Self::Failed),
            Self::Sent | Self::Failed | Self::Rejected | Self::Cancelled => false,
        }
    }

    /// Whether the hold has ended.
    pub fn is_end(self) -> bool {
        !matches!(self, Self::AwaitingApproval | Self::Approved | Self::Exported)
    }

    /// The word in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingApproval => "awaiting_approval",
            Self::Approved => "approved",
            Self::Exported => "exported",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

store_as!(WithdrawalState as Text, value => value.as_str().to_owned(), raw => Self::parse(&raw));

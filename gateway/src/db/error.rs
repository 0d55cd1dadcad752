//! What can go wrong in the store.

use assay_ledger::{Nano, Rejected};

/// Why the store could not do it. Nothing has changed, except perhaps after `Busy` and `Unavailable`: what
/// moves money may then be told again, and happens once.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// No connection or lock came free in time: ask again later.
    #[error("the database is busy")]
    Busy,
    /// Two transactions met and this one gave way; never leaves the store.
    #[error("the database is busy")]
    GaveWay,
    /// The database cannot be reached: ask again later.
    #[error("the database cannot be reached: {0}")]
    Unavailable(#[source] sqlx::Error),
    /// What the call is about does not exist.
    #[error("{0} does not exist")]
    NotFound(String),
    /// It was done before, otherwise; or a name is taken.
    #[error("{0}")]
    Conflict(String),
    /// The call contradicts itself: a bug of the caller.
    #[error("{0}")]
    Wrong(String),
    /// The rules of money refuse it.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The account has as many holds open as it may have.
    #[error("{max} holds are open, which is the most there may be")]
    TooManyHolds { max: u32 },
    /// The key's budget for the day does not cover it.
    #[error("{left} of the budget is left, {needed} are needed")]
    OverBudget { left: Nano, needed: Nano },
    /// There are as many of them as there may be.
    #[error("{0}")]
    Full(Bound),
    /// The run of the gateway that asks lost its lease on jobs: they are others' to end. Ask under the next one.
    #[error("the gateway's lease on its jobs was lost")]
    LeaseLost,
    /// The cursor of a page is none that this list gave out.
    #[error("the cursor is not one of this list")]
    Cursor,
    /// The url of the database, or its version, is not one that this program can use.
    #[error("{0}")]
    Unusable(String),
    /// A stored row says what it must not.
    #[error("the database holds a wrong value: {0}")]
    Corrupt(String),
    /// A bug, or a broken database.
    #[error("the database failed: {0}")]
    Sql(#[source] sqlx::Error),
}

/// What somebody may have so many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Bound {
    #[error("the operator has {0} unused enrolment tokens, which is the most there may be")]
    EnrolmentTokens(u32),
    #[error("the payout address was set {0} times within a day, which is the most it may be")]
    AddressChanges(u32),
    #[error("the account has {0} payments open, which is the most there may be")]
    OpenTopUps(u32),
}

/// What the engines say when two transactions met and one had to give way.
const GIVE_WAY: [&str; 3] = ["40001", "40P01", "517"];
/// A lock did not come free in time; PostgreSQL has too many connections.
const BUSY: [&str; 4] = ["5", "261", "55P03", "53300"];
/// PostgreSQL stops or starts.
const AWAY: [&str; 3] = ["57P01", "57P02", "57P03"];

impl DbError {
    /// Whether it may go better later, without any change: the caller answers "try again".
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Busy | Self::GaveWay | Self::Unavailable(_) | Self::LeaseLost)
    }

    /// The same, for everyone whose commands were in the transaction that failed.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::Busy | Self::GaveWay => Self::Busy,
            Self::Unavailable(error) => {
                Self::Unavailable(sqlx::Error::Io(std::io::Error::other(error.to_string())))
            }
            Self::NotFound(what) => Self::NotFound(what.clone()),
            Self::Conflict(what) => Self::Conflict(what.clone()),
            Self::Wrong(what) => Self::Wrong(what.clone()),
            Self::Rejected(rejected) => Self::Rejected(rejected.clone()),
            Self::TooManyHolds { max } => Self::TooManyHolds { max: *max },
            Self::OverBudget { left, needed } => Self::OverBudget { left: *left, needed: *needed },
            Self::Full(bound) => Self::Full(*bound),
            Self::LeaseLost => Self::LeaseLost,
            Self::Cursor => Self::Cursor,
            Self::Unusable(what) => Self::Unusable(what.clone()),
            Self::Corrupt(what) => Self::Corrupt(what.clone()),
            Self::Sql(error) => Self::Sql(sqlx::Error::Protocol(error.to_string())),
        }
    }
}

impl From<sqlx::Error> for DbError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut => Self::Busy,
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                Self::Corrupt(error.to_string())
            }
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed => {
                Self::Unavailable(error)
            }
            sqlx::Error::Database(database) if database.is_unique_violation() => {
                Self::Conflict(format!("it exists already: {}", database.message()))
            }
            sqlx::Error::Database(database) if database.is_foreign_key_violation() => {
                Self::NotFound("what it refers to".into())
            }
            _ => match code_of(&error) {
                Some(code) if GIVE_WAY.contains(&&*code) => Self::GaveWay,
                Some(code) if BUSY.contains(&&*code) => Self::Busy,
                Some(code) if AWAY.contains(&&*code) => Self::Unavailable(error),
                _ => Self::Sql(error),
            },
        }
    }
}

fn code_of(error: &sqlx::Error) -> Option<String> {
    error.as_database_error()?.code().map(|code| code.into_owned())
}

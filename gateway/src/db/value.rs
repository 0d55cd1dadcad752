//! What goes into a statement and what comes out of a row: big integers and text, nothing else.

use assay_ledger::{AccountId, AccountKind, Bucket, Digest, HoldId, HoldState, Nano, PostingKind};
use assay_protocol::{Bytes32, JobId, NodeId};
use sqlx::{Row as _, postgres::PgRow, sqlite::SqliteRow};

use super::DbError;

/// One argument of a statement; nothing is NULL.
#[derive(Clone, Debug)]
pub(super) enum Arg {
    Int(Option<i64>),
    Text(Option<String>),
}

/// Arguments in the order of `$1`, `$2` …
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$($crate::db::value::Arg::from($value)),*] };
}
pub(super) use args;

/// A row of either engine.
#[derive(Debug)]
pub(super) enum Row {
    Sqlite(SqliteRow),
    Postgres(PgRow),
}

/// What a row is read into.
pub(super) trait Record: Sized {
    fn read(row: &Row) -> Result<Self, DbError>;
}

/// A type that a column can hold.
pub(super) trait Column: Sized {
    type Raw: Raw;

    /// Reads what the database holds, or nothing where it is not such a value.
    fn read(raw: Self::Raw) -> Option<Self>;
}

/// The two types that the database knows.
pub(super) trait Raw: Sized {
    fn fetch(row: &Row, column: &str) -> Result<Option<Self>, sqlx::Error>;
}

impl Row {
    /// The column's value.
    ///
    /// # Errors
    /// `Corrupt` where it is NULL or not such a value.
    pub(super) fn get<T: Column>(&self, column: &str) -> Result<T, DbError> {
        self.maybe(column)?.ok_or_else(|| DbError::Corrupt(format!("{column} is empty")))
    }

    /// The column's value, nothing for NULL.
    pub(super) fn maybe<T: Column>(&self, column: &str) -> Result<Option<T>, DbError> {
        let Some(raw) = T::Raw::fetch(self, column)? else { return Ok(None) };
        let value =
            T::read(raw).ok_or_else(|| DbError::Corrupt(format!("{column} is not readable")))?;
        Ok(Some(value))
    }
}

macro_rules! raw {
    ($($type:ty),*) => { $(
        impl Raw for $type {
            fn fetch(row: &Row, column: &str) -> Result<Option<Self>, sqlx::Error> {
                match row {
                    Row::Sqlite(row) => row.try_get(column),
                    Row::Postgres(row) => row.try_get(column),
                }
            }
        }
    )* };
}
raw!(i64, String);

/// How a type is stored: `store_as!(Type as Int, value => to the database, raw => from it)`.
macro_rules! store_as {
    ($type:ty as Int, $value:ident => $to:expr, $raw:ident => $from:expr) => {
        $crate::db::value::store_as!(@ $type, i64, Int, $value => $to, $raw => $from);
    };
    ($type:ty as Text, $value:ident => $to:expr, $raw:ident => $from:expr) => {
        $crate::db::value::store_as!(@ $type, String, Text, $value => $to, $raw => $from);
    };
    (@ $type:ty, $raw_type:ty, $arg:ident, $value:ident => $to:expr, $raw:ident => $from:expr) => {
        impl From<$type> for $crate::db::value::Arg {
            fn from($value: $type) -> Self {
                Self::$arg(Some($to))
            }
        }

        impl From<Option<$type>> for $crate::db::value::Arg {
            fn from(value: Option<$type>) -> Self {
                value.map_or(Self::$arg(None), Self::from)
            }
        }

        impl $crate::db::value::Column for $type {
            type Raw = $raw_type;

            fn read($raw: $raw_type) -> Option<Self> {
                $from
            }
        }
    };
}
pub(super) use store_as;

/// Newtypes over `i64` and enums with a word for each variant.
macro_rules! columns {
    (ints: $($int:path),*; words: $($word:ty),*) => {
        $( $crate::db::value::store_as!($int as Int, value => value.0, raw => Some($int(raw))); )*
        $( $crate::db::value::store_as!($word as Text, value => value.as_str().to_owned(), raw => <$word>::parse(&raw)); )*
    };
}
pub(super) use columns;

/// A row that is one sum, under the name `amount`.
pub(super) struct Amount(pub(super) Nano);

impl Record for Amount {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("amount").map(Self)
    }
}

/// A row that says how many there are, under the name `number`.
pub(super) struct Count(pub(super) u32);

impl Record for Count {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("number").map(Self)
    }
}

store_as!(i64 as Int, value => value, raw => Some(raw));
store_as!(u32 as Int, value => value.into(), raw => raw.try_into().ok());
store_as!(u8 as Int, value => value.into(), raw => raw.try_into().ok());
store_as!(bool as Int, value => value.into(), raw => [false, true].into_iter().find(|b| i64::from(*b) == raw));
store_as!(String as Text, value => value, raw => Some(raw));
store_as!(JobId as Text, value => value.to_string(), raw => raw.parse().ok());
store_as!(NodeId as Text, value => value.to_string(), raw => raw.parse().ok());
store_as!(Bytes32 as Text, value => value.to_string(), raw => Bytes32::from_hex(&raw));
store_as!(Digest as Text, value => value.to_string(), raw => Bytes32::from_hex(&raw).map(|b| Digest(b.0)));
store_as!(HoldId as Text, value => value.to_string(), raw => raw.parse().ok().map(|job: JobId| HoldId(job.0.as_u128())));
columns!(ints: Nano, AccountId; words: AccountKind, Bucket, HoldState, PostingKind);

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<&String> for Arg {
    fn from(text: &String) -> Self {
        Self::Text(Some(text.clone()))
    }
}

impl From<Option<&String>> for Arg {
    fn from(text: Option<&String>) -> Self {
        Self::Text(text.cloned())
    }
}

//! Runs statements, in a transaction or alone, on whichever engine it is.

use sqlx::{Postgres, Sqlite, Transaction};

use super::{
    DbError,
    engine::{Store, bounded},
    statement::Statement,
    value::{Arg, Record, Row},
};

/// A transaction of either engine; rolled back when dropped.
#[derive(Debug)]
pub(super) enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Binds the arguments to a statement of either engine.
macro_rules! bound {
    ($statement:ident . $engine:ident, $args:expr) => {{
        debug_assert_eq!($args.len(), $statement.arguments(), "{}", $statement.name);
        let mut query = sqlx::query($statement.$engine);
        for arg in $args {
            query = match arg {
                Arg::Int(value) => query.bind(*value),
                Arg::Text(value) => query.bind(value.as_deref()),
            };
        }
        query
    }};
}

/// Runs a query on one engine and wraps its rows.
macro_rules! fetched {
    ($statement:ident . $engine:ident, $args:expr, $on:expr, $row:path) => {
        bound!($statement.$engine, $args).fetch_all($on).await?.into_iter().map($row).collect()
    };
}

impl Tx {
    /// Runs a statement; the number of rows it changed.
    pub(super) async fn execute(
        &mut self,
        statement: &'static Statement,
        args: &[Arg],
    ) -> Result<u64, DbError> {
        Ok(match self {
            Self::Sqlite(tx) => {
                bound!(statement.sqlite, args).execute(&mut **tx).await?.rows_affected()
            }
            Self::Postgres(tx) => {
                bound!(statement.postgres, args).execute(&mut **tx).await?.rows_affected()
            }
        })
    }

    /// All records that a statement finds; each statement bounds how many that can be.
    pub(super) async fn all<T: Record>(
        &mut self,
        statement: &'static Statement,
        args: &[Arg],
    ) -> Result<Vec<T>, DbError> {
        let rows: Vec<Row> = match self {
            Self::Sqlite(tx) => fetched!(statement.sqlite, args, &mut **tx, Row::Sqlite),
            Self::Postgres(tx) => fetched!(statement.postgres, args, &mut **tx, Row::Postgres),
        };
        rows.iter().map(T::read).collect()
    }

    /// The first record that a statement finds.
    pub(super) async fn optional<T: Record>(
        &mut self,
        statement: &'static Statement,
        args: &[Arg],
    ) -> Result<Option<T>, DbError> {
        Ok(self.all(statement, args).await?.into_iter().next())
    }

    pub(super) async fn commit(self) -> Result<(), DbError> {
        match self {
            Self::Sqlite(tx) => tx.commit().await?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// Single statements outside of any transaction.
impl Store {
    /// Changes rows; how many.
    pub(super) async fn execute(
        &self,
        statement: &'static Statement,
        args: &[Arg],
    ) -> Result<u64, DbError> {
        let done = async {
            Ok(match self {
                Self::Sqlite(db) => {
                    bound!(statement.sqlite, args).execute(&db.writer).await?.rows_affected()
                }
                Self::Postgres(db) => {
                    bound!(statement.postgres, args).execute(&db.pool).await?.rows_affected()
                }
            })
        };
        bounded(done).await
    }

    /// Reads what is committed; each statement bounds how many rows that can be.
    pub(super) async fn all<T: Record>(
        &self,
        statement: &'static Statement,
        args: &[Arg],
    ) -> Result<Vec<T>, DbError> {
        let rows = async {
            let rows: Vec<Row> = match self {
                Self::Sqlite(db) => fetched!(statement.sqlite, args, &db.readers, Row::Sqlite),
                Self::Postgres(db) => fetched!(statement.postgres, args, &db.pool, Row::Postgres),
            };
            Ok(rows)
        };
        bounded(rows).await?.iter().map(T::read).collect()
    }

    /// The first record that a statement finds.
    pub(super) async fn optional<T: Record>(
        &self,
        statement: &'static Statement,
        args: &[Arg],
    ) -> Result<Option<T>, DbError> {
        Ok(self.all(statement, args).await?.into_iter().next())
    }
}

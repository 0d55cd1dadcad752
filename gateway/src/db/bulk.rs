//! Statements about many rows at once: one text on both engines, written out for a few sizes, so that each
//! is prepared once. `$` in a row stands for the next argument: numbered for PostgreSQL; without a number for SQLite,
//! which takes them in order and looks a numbered one up among all others each time it is bound.

use std::sync::OnceLock;

use super::{
    DbError,
    statement::Statement,
    transaction::Tx,
    value::{Arg, Record},
};

/// Rows of the prepared texts. The most rows times the widest row must stay under SQLite's 32,766
/// arguments.
const SIZES: [usize; 7] = [256, 64, 16, 8, 4, 2, 1];

/// A statement that is written out for a number of rows.
#[derive(Debug)]
pub(super) struct Bulk {
    pub(super) name: &'static str,
    pub(super) head: &'static str,
    /// Repeated for each row, with commas between.
    pub(super) row: &'static str,
    pub(super) tail: &'static str,
    /// Whether PostgreSQL keeps the rows that it reads until the transaction ends.
    pub(super) locking: bool,
    pub(super) sized: OnceLock<[Statement; SIZES.len()]>,
}

/// Declares statements about many rows, and lists them in `BULKS`.
macro_rules! bulks {
    ($noun:literal; $($(#[$doc:meta])* $kind:ident $name:ident = $head:literal, $row:literal, $tail:literal;)*) => {
        $(
            $(#[$doc])*
            static $name: $crate::db::bulk::Bulk = $crate::db::bulk::Bulk {
                name: concat!($noun, "::", stringify!($name)),
                head: $head,
                row: $row,
                tail: $tail,
                locking: $crate::db::bulk::locking!($kind),
                sized: std::sync::OnceLock::new(),
            };
        )*
        /// Every statement of this file that is about many rows.
        pub(in crate::db) static BULKS: &[&$crate::db::bulk::Bulk] = &[$(&$name),*];
    };
}

macro_rules! locking {
    (plain) => {
        false
    };
    (locking) => {
        true
    };
}

pub(super) use bulks;
pub(super) use locking;

impl Bulk {
    /// Its texts, the longest first.
    pub(super) fn statements(&'static self) -> &'static [Statement] {
        self.sized.get_or_init(|| SIZES.map(|rows| self.written_out(rows)))
    }

    /// Written out once for the whole run of the program, so it may stay.
    fn written_out(&self, rows: usize) -> Statement {
        let (mut sqlite, mut postgres) = (self.head.to_owned(), self.head.to_owned());
        let mut argument = 0;
        for row in 0..rows {
            let comma = if row == 0 { "" } else { ", " };
            sqlite.push_str(comma);
            postgres.push_str(comma);
            for (at, piece) in self.row.split('$').enumerate() {
                if at > 0 {
                    argument += 1;
                    sqlite.push('?');
                    postgres.push_str(&format!("${argument}"));
                }
                sqlite.push_str(piece);
                postgres.push_str(piece);
            }
        }
        sqlite.push_str(self.tail);
        postgres.push_str(self.tail);
        if self.locking {
            postgres.push_str(" for no key update");
        }
        let sqlite = Box::leak(sqlite.into_boxed_str());
        let postgres = Box::leak(postgres.into_boxed_str());
        let name = Box::leak(format!("{} × {rows}", self.name).into_boxed_str());
        Statement { name, sqlite, postgres }
    }

    fn width(&self) -> usize {
        self.row.bytes().filter(|byte| *byte == b'$').count()
    }

    /// Cuts rows into pieces that there is a text for.
    fn pieces<'a>(&'static self, args: &'a [Arg]) -> Vec<(&'static Statement, &'a [Arg])> {
        let mut rest = args;
        let mut pieces = Vec::new();
        for (statement, rows) in self.statements().iter().zip(SIZES) {
            while rest.len() >= rows * self.width() {
                let (piece, others) = rest.split_at(rows * self.width());
                pieces.push((statement, piece));
                rest = others;
            }
        }
        assert!(rest.is_empty(), "{} has {} arguments a row", self.name, self.width());
        pieces
    }
}

impl Tx {
    /// Runs the statement for all rows, whose arguments follow each other; the number of rows it changed.
    pub(super) async fn execute_all(
        &mut self,
        bulk: &'static Bulk,
        args: &[Arg],
    ) -> Result<u64, DbError> {
        let mut changed = 0;
        for (statement, args) in bulk.pieces(args) {
            changed += self.execute(statement, args).await?;
        }
        Ok(changed)
    }

    /// All records of these keys. Pass them in order: rows are locked piece by piece.
    pub(super) async fn all_of<T: Record>(
        &mut self,
        bulk: &'static Bulk,
        keys: &[Arg],
    ) -> Result<Vec<T>, DbError> {
        let mut found = Vec::with_capacity(keys.len());
        for (statement, keys) in bulk.pieces(keys) {
            found.extend(self.all::<T>(statement, keys).await?);
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    bulks! { "tests";
        locking FIND = "select a from b where (a, c) in (", "($, $)", ") order by a";
    }

    #[test]
    fn rows_are_written_out_with_their_numbers() {
        let [.., four, _, one] = FIND.statements() else { panic!("seven sizes") };
        assert_eq!(one.sqlite, "select a from b where (a, c) in ((?, ?)) order by a");
        assert_eq!(
            one.postgres,
            "select a from b where (a, c) in (($1, $2)) order by a for no key update"
        );
        assert!(
            four.postgres.contains("(($1, $2), ($3, $4), ($5, $6), ($7, $8))"),
            "{}",
            four.postgres
        );
        assert_eq!(BULKS.len(), 1);
    }

    #[test]
    fn any_number_of_rows_is_cut_into_pieces() {
        for rows in [0, 1, 3, 4, 85, 256, 1024] {
            let args = vec![Arg::Int(Some(1)); rows * 2];
            let pieces = FIND.pieces(&args);
            assert_eq!(pieces.iter().map(|(_, args)| args.len()).sum::<usize>(), rows * 2);
            assert!(pieces.iter().all(|(text, args)| text.arguments() == args.len()));
        }
    }
}

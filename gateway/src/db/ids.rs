//! Numbers for new rows, alike on both engines. Rare nouns take one inside their transaction; journals
//! take them in blocks, so that no row is touched by every posting.

use std::{ops::Range, sync::Mutex};

use super::{
    Db, DbError,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "ids";
    plain TAKE = "update counter set next = next + $2 where name = $1 returning next";
}

/// Journal numbers taken at once; what a gateway did not use when it stops is never used.
const JOURNAL_BLOCK: i64 = 256;

/// The journal numbers that this process has left.
#[derive(Debug, Default)]
pub(super) struct JournalIds(Mutex<Range<i64>>);

struct Next(i64);

impl Record for Next {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("next").map(Self)
    }
}

impl Tx {
    /// The next number of a noun.
    pub(super) async fn next_id(&mut self, noun: &'static str) -> Result<i64, DbError> {
        let next: Option<Next> = self.optional(&TAKE, args![noun, 1_i64]).await?;
        next.map(|next| next.0 - 1).ok_or_else(|| DbError::Corrupt(format!("no counter {noun}")))
    }
}

impl Db {
    /// A number for a new journal. Called before its transaction begins: SQLite has one writer.
    pub(super) async fn next_journal_id(&self) -> Result<i64, DbError> {
        let ids = self.journal_ids();
        if let Some(id) = ids.take() {
            return Ok(id);
        }
        let mut tx = self.begin().await?;
        let taken: Option<Next> = tx.optional(&TAKE, args!["journal", JOURNAL_BLOCK]).await?;
        tx.commit().await?;
        let end = taken.ok_or_else(|| DbError::Corrupt("no counter journal".into()))?.0;
        ids.refill(end - JOURNAL_BLOCK + 1..end);
        Ok(end - JOURNAL_BLOCK)
    }
}

impl JournalIds {
    fn take(&self) -> Option<i64> {
        self.0.lock().expect("no code panics while it holds this lock").next()
    }

    fn refill(&self, block: Range<i64>) {
        *self.0.lock().expect("no code panics while it holds this lock") = block;
    }
}

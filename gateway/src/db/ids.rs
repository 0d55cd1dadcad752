//! Numbers for new rows, alike on both engines. Rare nouns take one inside their transaction; journals
//! take them in blocks, so that no row is touched by every posting.

use std::ops::Range;

use super::{
    DbError,
    engine::Store,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "ids";
    plain NOTE_BLOCK = "insert into journal_block (first, last, sealed, taken_ms)
        select cast($1 as bigint), cast($2 as bigint), cast($3 as bigint), now_ms from clock";
    plain TAKE = "update counter set next = next + $2 where name = $1 returning next";
}

/// Journal numbers taken at once; what a gateway did not use when it stops is never used.
const JOURNAL_BLOCK: i64 = 16_384;

struct Next(i64);

impl Record for Next {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("next").map(Self)
    }
}

impl Tx {
    /// The next number of a noun.
    pub(super) async fn next_id(&mut self, noun: &'static str) -> Result<i64, DbError> {
        Ok(self.next_ids(noun, 1).await?.start)
    }

    async fn next_ids(&mut self, noun: &'static str, count: i64) -> Result<Range<i64>, DbError> {
        let next: Option<Next> = self.optional(&TAKE, args![noun, count]).await?;
        let next = next.ok_or_else(|| DbError::Corrupt(format!("no counter {noun}")))?.0;
        Ok(next - count..next)
    }
}

impl Store {
    /// Numbers for new journals, for one writer alone.
    pub(super) async fn take_journal_block(&self) -> Result<Range<i64>, DbError> {
        self.take_journal_ids(JOURNAL_BLOCK).await
    }

    /// A number for a journal that the writer does not write. Called before its transaction begins: SQLite
    /// has one writer.
    pub(super) async fn next_journal_id(&self) -> Result<i64, DbError> {
        Ok(self.take_journal_ids(1).await?.start)
    }

    async fn take_journal_ids(&self, count: i64) -> Result<Range<i64>, DbError> {
        let mut tx = self.begin_money().await?;
        let ids = tx.next_ids("journal", count).await?;
        tx.execute(&NOTE_BLOCK, args![ids.start, ids.end - 1, ids.start - 1]).await?;
        tx.commit().await?;
        Ok(ids)
    }
}

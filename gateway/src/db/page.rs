//! Lists come in pages: a bounded number of rows, and a cursor to go on with.

use super::DbError;

/// The most rows of one page.
pub const PAGE_ROWS_MAX: u32 = 200;

/// Which part of a list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The `next` of the page before; nothing for the first.
    pub after: Option<String>,
    /// Rows wanted; 0 and more than [`PAGE_ROWS_MAX`] mean that maximum.
    pub limit: u32,
}

/// Rows, and the cursor of the next page if there is one.
#[derive(Clone, Debug)]
pub struct Paged<T> {
    pub rows: Vec<T>,
    pub next: Option<String>,
}

impl Page {
    pub(super) fn rows(&self) -> usize {
        (if self.limit == 0 { PAGE_ROWS_MAX } else { self.limit.min(PAGE_ROWS_MAX) }) as usize
    }

    /// What a statement is to fetch: one row more than wanted tells whether there is a next page.
    pub(super) fn fetch(&self) -> i64 {
        self.rows() as i64 + 1
    }

    /// The cursor of a list that ascends by number; the first page begins above all.
    pub(super) fn after_number(&self) -> Result<i64, DbError> {
        self.after.as_ref().map_or(Ok(i64::MIN), |after| after.parse().map_err(|_| DbError::Cursor))
    }

    /// The cursor of a list that descends by number; the first page begins below none.
    pub(super) fn before_number(&self) -> Result<i64, DbError> {
        self.after.as_ref().map_or(Ok(i64::MAX), |after| after.parse().map_err(|_| DbError::Cursor))
    }

    /// The cursor of a list that descends by time and name: `1700000000000.name`.
    pub(super) fn before_time(&self) -> Result<(i64, String), DbError> {
        let Some(after) = &self.after else { return Ok((i64::MAX, String::new())) };
        let (time, name) = after.split_once('.').ok_or(DbError::Cursor)?;
        Ok((time.parse().map_err(|_| DbError::Cursor)?, name.to_owned()))
    }

    /// The cursor of a list that ascends by name; every name is above the empty one.
    pub(super) fn after_name(&self) -> String {
        self.after.clone().unwrap_or_default()
    }
}

impl<T> Paged<T> {
    /// Cuts the row too many off, and makes the cursor from the last one that stays.
    pub(super) fn cut(mut rows: Vec<T>, page: &Page, cursor: impl Fn(&T) -> String) -> Self {
        let more = rows.len() > page.rows();
        rows.truncate(page.rows());
        let next = rows.last().filter(|_| more).map(cursor);
        Self { rows, next }
    }
}

//! Posts a single command inside a transaction that reads and writes more than money: payments are rare, and
//! look at rows of their own first. Everything else goes through the writer.

use assay_ledger::Command;

use super::{
    DbError,
    transaction::Tx,
    writer::{Batch, Posted, Request, rows},
};

/// What a journal says besides its entries.
#[derive(Debug)]
pub(super) struct JournalHead<'a> {
    /// From `next_journal_id`.
    pub id: i64,
    pub note: &'a str,
    pub at_ms: i64,
}

/// Posts `command` in this transaction; a repeated one changes nothing.
///
/// # Errors
/// `Rejected` by the rules, else what the store says. The caller must then drop the transaction.
pub(super) async fn post(
    tx: &mut Tx,
    head: JournalHead<'_>,
    command: &Command,
) -> Result<Posted, DbError> {
    let JournalHead { id, note, at_ms } = head;
    let request = Request::Post { command: command.clone(), note: note.to_owned(), at_ms };
    let mut batch = Batch::of(rows::load(tx, &[&request]).await?);
    let posted = batch.decide(&request)?;
    rows::write(tx, &batch, &mut (id..id + 1)).await?;
    Ok(posted)
}

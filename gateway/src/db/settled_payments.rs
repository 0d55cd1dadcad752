//! What a person found out about money that came or went past the gateway: a payment that was not what was asked for, a
//! refund that was made in the provider's own pages. Settled once each.

use assay_ledger::{AccountId, Command, Nano};

use super::{
    Actor, Db, DbError,
    engine::retried,
    posting::{JournalHead, post},
    statement::statements,
    top_ups::{TopUpRow, TopUpState, nano, top_up_rows},
    transaction::Tx,
    value::{Count, Record, Row, args},
};

statements! { "settled_payments";
    locking LOCK_TOP_UP = top_up_rows!("where session = $1");
    plain CLOSE = "update top_up set state = 'failed', reason = 'settled by hand'
        where session = $1 and state in ('creating', 'open')";
    plain INSERT = "insert into settled_payment (reference, account, cents, note, at_ms)
        values ($1, $2, $3, $4, $5)";
    plain FIND = "select reference, account, cents, note, at_ms from settled_payment where reference = $1";
    plain COUNT = "select count(*) as number from settled_payment where reference = $1";
}

/// What somebody found out, and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledPayment {
    /// As the comparison with the provider names it: a session, a refund, or one of our own.
    pub reference: String,
    /// Whose money it is; needed where any moves.
    pub account: Option<AccountId>,
    /// Into the account, or out of it.
    pub cents: i64,
    pub note: String,
    pub at_ms: i64,
}

/// Why nothing was settled.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    #[error("it was settled before, otherwise")]
    Otherwise,
    #[error("this payment was credited: there is nothing to give for it")]
    Credited,
    #[error("the account has {available} available, which is less")]
    TooMuch { available: Nano },
    #[error(transparent)]
    Store(#[from] DbError),
}

/// Settles it, once: moves the money and writes the line of the log. The same again changes nothing.
pub async fn settle(db: &Db, new: &SettledPayment, by: &Actor) -> Result<(), SettleError> {
    let settled = retried(async || {
        let journal = db.next_journal_id().await?;
        let mut tx = db.begin().await?;
        let settled = settle_in(&mut tx, new, journal, by).await?;
        tx.commit().await?;
        Ok(settled)
    });
    match settled.await {
        Err(DbError::Rejected(assay_ledger::Rejected::InsufficientCredit {
            available, ..
        })) => Err(SettleError::TooMuch { available }),
        settled => settled?,
    }
}

/// The inner error is the caller's.
async fn settle_in(
    tx: &mut Tx,
    new: &SettledPayment,
    journal: i64,
    by: &Actor,
) -> Result<Result<(), SettleError>, DbError> {
    let SettledPayment { reference, account, cents, note, at_ms } = new;
    // Whoever credits the payment this very moment is before or after this.
    let top_up: Option<TopUpRow> = tx.optional(&LOCK_TOP_UP, args![reference]).await?;
    if let Some(before) = tx.optional::<SettledPayment>(&FIND, args![reference]).await? {
        let same = before == SettledPayment { at_ms: before.at_ms, ..new.clone() };
        return Ok(if same { Ok(()) } else { Err(SettleError::Otherwise) });
    }
    if *cents > 0 && top_up.is_some_and(|top_up| top_up.state == TopUpState::Paid) {
        return Ok(Err(SettleError::Credited));
    }
    if let Some(account) = account.filter(|_| *cents != 0) {
        let head = JournalHead { id: journal, note, at_ms: *at_ms };
        let command = Command::Correct { key: reference.clone(), account, amount: nano(*cents)? };
        post(tx, head, &command).await?;
    }
    tx.execute(&CLOSE, args![reference]).await?;
    tx.execute(&INSERT, args![reference, *account, *cents, note, *at_ms]).await?;
    let detail = match account {
        Some(account) => format!("{cents} cents, account {account}: {note}"),
        None => format!("no money: {note}"),
    };
    by.did(tx, "payments.settle", reference, detail).await?;
    Ok(Ok(()))
}

/// Whether somebody has settled this.
pub async fn has(db: &Db, reference: &str) -> Result<bool, DbError> {
    let found: Option<Count> = db.optional(&COUNT, args![reference]).await?;
    Ok(found.is_some_and(|found| found.0 > 0))
}

/// The same, in the transaction that credits a payment.
pub(super) async fn has_in(tx: &mut Tx, reference: &str) -> Result<bool, DbError> {
    let found: Option<Count> = tx.optional(&COUNT, args![reference]).await?;
    Ok(found.is_some_and(|found| found.0 > 0))
}

impl Record for SettledPayment {
    fn read(row: &Row) -> Result<Self, DbError> {
        let (reference, account) = (row.get("reference")?, row.maybe("account")?);
        let (cents, note) = (row.get("cents")?, row.get("note")?);
        Ok(Self { reference, account, cents, note, at_ms: row.get("at_ms")? })
    }
}

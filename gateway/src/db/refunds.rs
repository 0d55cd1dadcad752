//! Unused credit on its way back to the payment that it came from: held first, then sent or given back.

use std::collections::HashMap;

use assay_ledger::{AccountId, Command, HoldId, Rejected};
use serde::Serialize;

use super::{
    Db, DbError, Page, Paged,
    engine::retried,
    posting::{JournalHead, post},
    promotion::Promotion,
    statement::statements,
    top_ups::{NANO_PER_CENT, TopUpRow, nano, top_up_rows},
    transaction::Tx,
    value::{Amount, Record, Row, args, store_as},
};

/// Whole rows: what comes after `from refund`.
macro_rules! refund_rows {
    ($which:literal) => {
        concat!(
            "select id, top_up, account, client_key, cents, state, reason, reference, attempts, created_ms, ended_ms \
             from refund ",
            $which
        )
    };
}

statements! { "refunds";
    locking LOCK_TOP_UP = top_up_rows!("where id = $1");
    plain REFUNDED = "select top_up, cast(sum(cents) as bigint) as cents from refund
        where account = $1 and state in ('held', 'sent') group by top_up";
    // Two refunds of one account must not both find the same credit unused.
    locking LOCK_BALANCE = "select available as amount from balance where account = $1";
    plain AVAILABLE = "select available as amount from balance where account = $1";
    plain INSERT = "insert into refund (id, top_up, account, client_key, cents, state, reason, created_ms)
        values ($1, $2, $3, $4, $5, 'held', '', $6)";
    locking LOCK = refund_rows!("where id = $1");
    plain END = "update refund set state = $2, reason = $3, reference = $4, ended_ms = $5
        where id = $1 and state = 'held'";
    plain NAMED = "update refund set reference = $2 where id = $1 and state = 'held'";
    plain FIND = refund_rows!("where id = $1");
    plain FIND_BY_KEY = refund_rows!("where account = $1 and client_key = $2");
    plain LIST = refund_rows!("where account = $1 and (created_ms < $2 or (created_ms = $2 and id < $3))
        order by created_ms desc, id desc limit $4");
    plain WAITING = refund_rows!("where state = 'held'
            and (created_ms > $1 or (created_ms = $1 and id > $2)) and created_ms <= $3
        order by created_ms, id limit $4");
    plain SENT = refund_rows!("where state = 'sent'
            and (created_ms > $1 or (created_ms = $1 and id > $2)) and created_ms <= $3
        order by created_ms, id limit $4");
    plain TRIED = "update refund set attempts = attempts + 1 where id = $1 and attempts = $2";
    plain CAME_BACK = "update refund set state = 'failed', reason = $2, ended_ms = $3
        where id = $1 and state = 'sent'";
}

/// A refund to hold.
#[derive(Clone, Debug)]
pub struct NewRefund {
    /// A UUID, made by the caller; the hold has the same name.
    pub id: uuid::Uuid,
    pub account: AccountId,
    pub top_up: String,
    /// The same key asks for the same refund.
    pub client_key: String,
    pub cents: i64,
    pub created_ms: i64,
}

/// How far a refund has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundState {
    /// Set aside; the provider has not confirmed it yet.
    Held,
    /// The money left.
    Sent,
    /// The provider would not, or what it sent came back; the credit is back.
    Failed,
}

/// A refund as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundRow {
    pub id: String,
    pub top_up: String,
    pub account: AccountId,
    pub client_key: String,
    pub cents: i64,
    pub state: RefundState,
    pub reason: String,
    pub reference: Option<String>,
    /// Tries that the provider failed at.
    pub attempts: u32,
    pub created_ms: i64,
    pub ended_ms: Option<i64>,
}

/// How a refund ends.
#[derive(Clone, Debug)]
pub struct RefundEnd {
    /// `Sent` or `Failed`.
    pub state: RefundState,
    pub reason: String,
    pub reference: Option<String>,
    pub at_ms: i64,
}

/// Why nothing is held for a refund.
#[derive(Debug, thiserror::Error)]
pub enum OpenRefundError {
    #[error("this account has no such payment")]
    UnknownTopUp,
    #[error("this payment was not made, so there is nothing to give back")]
    NotPaid,
    #[error("{left} cents of this payment can be given back")]
    TooMuch { left: i64 },
    #[error("the same key asked for another refund before")]
    OtherContent,
    #[error(transparent)]
    Store(#[from] DbError),
}

/// Sets the credit aside. The same key asks for the same refund.
pub async fn open(db: &Db, new: &NewRefund) -> Result<RefundRow, OpenRefundError> {
    let opened = retried(async || {
        let journal = db.next_journal_id().await?;
        let mut tx = db.begin().await?;
        let opened = hold(&mut tx, new, journal).await?;
        tx.commit().await?;
        Ok(opened)
    });
    match opened.await {
        // Another one spent it in between.
        Err(DbError::Rejected(Rejected::InsufficientCredit { available, .. })) => {
            Err(OpenRefundError::TooMuch { left: available.0 / NANO_PER_CENT })
        }
        opened => opened?,
    }
}

/// The inner error is the caller's.
async fn hold(
    tx: &mut Tx,
    new: &NewRefund,
    journal: i64,
) -> Result<Result<RefundRow, OpenRefundError>, DbError> {
    let NewRefund { id, account, top_up, client_key, cents, created_ms } = new;
    let top_up: Option<TopUpRow> = tx.optional(&LOCK_TOP_UP, args![top_up]).await?;
    let Some(top_up) = top_up.filter(|row| row.account == *account) else {
        return Ok(Err(OpenRefundError::UnknownTopUp));
    };
    if top_up.payment.is_none() {
        return Ok(Err(OpenRefundError::NotPaid));
    }
    let before: Option<RefundRow> = tx.optional(&FIND_BY_KEY, args![*account, client_key]).await?;
    if let Some(row) = before {
        let same = row.cents == *cents && row.top_up == top_up.id;
        return Ok(if same { Ok(row) } else { Err(OpenRefundError::OtherContent) });
    }
    let _: Option<Amount> = tx.optional(&LOCK_BALANCE, args![*account]).await?;
    let left = Unused::of(tx, *account).await?.left_of(&top_up);
    if *cents > left {
        return Ok(Err(OpenRefundError::TooMuch { left }));
    }
    let command =
        Command::Hold { hold: HoldId(id.as_u128()), account: *account, amount: nano(*cents)? };
    let head = JournalHead { id: journal, note: "refund", at_ms: *created_ms };
    post(tx, head, &command).await?;
    let id = id.to_string();
    tx.execute(&INSERT, args![&id, &top_up.id, *account, client_key, *cents, *created_ms]).await?;
    let row: Option<RefundRow> = tx.optional(&FIND, args![&id]).await?;
    let row = row.ok_or_else(|| DbError::Corrupt(format!("refund {id} is gone")))?;
    Ok(Ok(row))
}

/// What of an account's payments can be given back now.
#[derive(Clone, Debug)]
pub struct Unused {
    /// Credit that was paid in and is not used, in cents.
    cents: i64,
    /// What went back of each payment.
    refunded: HashMap<String, i64>,
}

impl Unused {
    async fn of(tx: &mut Tx, account: AccountId) -> Result<Self, DbError> {
        let refunded: Vec<Refunded> = tx.all(&REFUNDED, args![account]).await?;
        let refunded = refunded.into_iter().map(|of| (of.top_up, of.cents)).collect();
        let available: Option<Amount> = tx.optional(&AVAILABLE, args![account]).await?;
        let available = available.map_or(0, |amount| amount.0.0);
        let granted_left = Promotion::of(tx, account).await?.left();
        let cents = available.saturating_sub(granted_left.0).max(0) / NANO_PER_CENT;
        Ok(Self { cents, refunded })
    }

    /// Cents of this payment of the account; none of one that was not made.
    pub fn left_of(&self, top_up: &TopUpRow) -> i64 {
        let back = self.refunded.get(&top_up.id).copied().unwrap_or_default();
        let paid = if top_up.payment.is_some() { top_up.cents } else { 0 };
        self.cents.min(paid.saturating_sub(back)).max(0)
    }
}

/// What of an account's payments can be given back now.
pub async fn unused(db: &Db, account: AccountId) -> Result<Unused, DbError> {
    let mut tx = db.snapshot().await?;
    Unused::of(&mut tx, account).await
}

/// The provider has a name for it, and has not decided yet.
pub async fn named(db: &Db, id: &str, reference: &str) -> Result<(), DbError> {
    db.execute(&NAMED, args![id, reference]).await?;
    Ok(())
}

/// What the end of a refund changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It ended now.
    Now,
    /// It had ended so before.
    Before,
    /// It had been sent; the money came back, and is credited again.
    CameBack,
}

/// Ends a refund, once: the money has left, or the credit is back. What was sent may still come back, once.
///
/// # Errors
/// `NotFound`; `Conflict` when it failed before and is said to be sent now: the credit may be spent.
pub async fn end(db: &Db, id: &str, end: &RefundEnd) -> Result<Ended, DbError> {
    let RefundEnd { state, reason, reference, at_ms } = end;
    retried(async || {
        let head = JournalHead { id: db.next_journal_id().await?, note: "refund", at_ms: *at_ms };
        let mut tx = db.begin().await?;
        let row: Option<RefundRow> = tx.optional(&LOCK, args![id]).await?;
        let row = row.ok_or_else(|| DbError::NotFound(format!("refund {id}")))?;
        match (row.state, state) {
            (RefundState::Held, _) => {}
            (before, now) if before == *now => return Ok(Ended::Before),
            (RefundState::Sent, RefundState::Failed) => {
                let (key, account) = (format!("refund:{id}"), row.account);
                let command = Command::TopUp { key, account, amount: nano(row.cents)? };
                post(&mut tx, head, &command).await?;
                tx.execute(&CAME_BACK, args![id, reason, *at_ms]).await?;
                tx.commit().await?;
                return Ok(Ended::CameBack);
            }
            _ => return Err(DbError::Conflict(format!("refund {id} ended otherwise"))),
        }
        let hold = id.parse().map_err(|_| DbError::Corrupt(format!("refund {id} is no UUID")))?;
        let hold = HoldId(uuid::Uuid::as_u128(&hold));
        let command = match state {
            RefundState::Sent => Command::SendOut { hold },
            RefundState::Held | RefundState::Failed => Command::Void { hold },
        };
        post(&mut tx, head, &command).await?;
        tx.execute(&END, args![id, *state, reason, reference.as_ref(), *at_ms]).await?;
        tx.commit().await?;
        Ok(Ended::Now)
    })
    .await
}

/// The provider failed at this try: the next one is another.
pub async fn tried(db: &Db, row: &RefundRow) -> Result<(), DbError> {
    db.execute(&TRIED, args![&row.id, row.attempts]).await?;
    Ok(())
}

/// The refund.
pub async fn find(db: &Db, id: &str) -> Result<Option<RefundRow>, DbError> {
    db.optional(&FIND, args![id]).await
}

/// An account's refunds, the last first.
pub async fn list(db: &Db, account: AccountId, page: &Page) -> Result<Paged<RefundRow>, DbError> {
    let (time, id) = page.before_time()?;
    let rows = db.all(&LIST, args![account, time, id, page.fetch()]).await?;
    Ok(Paged::cut(rows, page, |row: &RefundRow| format!("{}.{}", row.created_ms, row.id)))
}

/// The oldest refunds whose end is not known: after this time and id, asked for until `until_ms`.
pub async fn waiting(
    db: &Db,
    (after_ms, after): (i64, &str),
    until_ms: i64,
    limit: i64,
) -> Result<Vec<RefundRow>, DbError> {
    db.all(&WAITING, args![after_ms, after, until_ms, limit]).await
}

/// The same of those that were sent.
pub async fn sent(
    db: &Db,
    (after_ms, after): (i64, &str),
    until_ms: i64,
    limit: i64,
) -> Result<Vec<RefundRow>, DbError> {
    db.all(&SENT, args![after_ms, after, until_ms, limit]).await
}

struct Refunded {
    top_up: String,
    cents: i64,
}

impl Record for Refunded {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self { top_up: row.get("top_up")?, cents: row.get("cents")? })
    }
}

impl RefundState {
    /// The word in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Held, Self::Sent, Self::Failed].into_iter().find(|state| state.as_str() == word)
    }
}

store_as!(RefundState as Text, value => value.as_str().to_owned(), raw => Self::parse(&raw));

impl Record for RefundRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            top_up: row.get("top_up")?,
            account: row.get("account")?,
            client_key: row.get("client_key")?,
            cents: row.get("cents")?,
            state: row.get("state")?,
            reason: row.get("reason")?,
            reference: row.maybe("reference")?,
            attempts: row.get("attempts")?,
            created_ms: row.get("created_ms")?,
            ended_ms: row.maybe("ended_ms")?,
        })
    }
}

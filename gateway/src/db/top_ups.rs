//! Payments that clients were asked for, and the credit that each becomes, once.

use assay_ledger::{AccountId, Command, Nano};
use serde::Serialize;

use super::{
    Bound, Db, DbError, Page, Paged,
    engine::retried,
    posting::{JournalHead, post},
    settled_payments,
    statement::statements,
    value::{Amount, Count, Record, Row, args, store_as},
};

/// Whole rows: what comes after `from top_up`.
macro_rules! top_up_rows {
    ($which:literal) => {
        concat!(
            "select id, account, client_key, cents, state, reason, session, url, payment, attempts, created_ms, \
             paid_ms from top_up ",
            $which
        )
    };
}
pub(super) use top_up_rows;

statements! { "top_ups";
    plain INSERT = "insert into top_up (id, account, client_key, cents, state, reason, created_ms)
        values ($1, $2, $3, $4, 'creating', '', $5)";
    // Two payments of one account must not both find room for one more.
    locking LOCK_ACCOUNT = "select available as amount from balance where account = $1";
    plain OPEN = "select count(*) as number from top_up
        where account = $1 and state in ('creating', 'open')";
    plain OPENED = "update top_up set state = 'open', session = $2, url = $3
        where id = $1 and state in ('creating', 'open')";
    plain ENDED = "update top_up set state = $2, reason = $3
        where id = $1 and state in ('creating', 'open', 'failed', 'expired')";
    locking LOCK = top_up_rows!("where id = $1");
    plain PAID = "update top_up set state = 'paid', reason = '', session = $2, payment = $3, payment_key = $4,
            paid_ms = $5
        where id = $1 and state <> 'paid'";
    plain FIND = top_up_rows!("where id = $1");
    plain FIND_BY_SESSION = top_up_rows!("where session = $1");
    plain FIND_BY_KEY = top_up_rows!("where account = $1 and client_key = $2");
    plain LIST = top_up_rows!("where account = $1 and (created_ms < $2 or (created_ms = $2 and id < $3))
        order by created_ms desc, id desc limit $4");
    plain WAITING = top_up_rows!("where state in ('creating', 'open')
            and (created_ms > $1 or (created_ms = $1 and id > $2)) and created_ms <= $3
        order by created_ms, id limit $4");
    plain TRIED = "update top_up set attempts = attempts + 1 where id = $1 and attempts = $2";
    plain CREDITED = top_up_rows!("where state = 'paid'
            and (created_ms > $1 or (created_ms = $1 and id > $2)) and created_ms <= $3
        order by created_ms, id limit $4");
}

/// Payments that an account may have open at once: a page that nobody pays is dead after a day.
pub const OPEN_MAX: u32 = 100;

/// A cent in 1e-9 credit: a credit is one US dollar.
pub const NANO_PER_CENT: i64 = 10_000_000;

/// A payment to ask for.
#[derive(Clone, Debug)]
pub struct NewTopUp {
    /// A UUID, made by the caller.
    pub id: String,
    pub account: AccountId,
    /// The same key asks for the same payment.
    pub client_key: String,
    pub cents: i64,
    pub created_ms: i64,
}

/// How far a payment has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TopUpState {
    /// The provider has not confirmed the page yet.
    Creating,
    /// Can be paid.
    Open,
    /// Credited.
    Paid,
    /// Nobody paid in time.
    Expired,
    /// The payment came to nothing.
    Failed,
}

/// A payment as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUpRow {
    pub id: String,
    pub account: AccountId,
    pub client_key: String,
    pub cents: i64,
    pub state: TopUpState,
    pub reason: String,
    pub session: Option<String>,
    pub url: Option<String>,
    pub payment: Option<String>,
    /// Tries that the provider failed at.
    pub attempts: u32,
    pub created_ms: i64,
    pub paid_ms: Option<i64>,
}

/// A payment that the provider says was made.
#[derive(Clone, Debug)]
pub struct PaidTopUp {
    pub id: String,
    pub session: String,
    pub payment: String,
    /// The key under which it is credited, once.
    pub payment_key: String,
    pub at_ms: i64,
}

/// Writes the payment down; the one that was written first under the same key.
///
/// # Errors
/// `NotFound` for an account that does not exist, `Full` when it has too many open.
pub async fn begin(db: &Db, new: &NewTopUp) -> Result<TopUpRow, DbError> {
    let NewTopUp { id, account, client_key, cents, created_ms } = new;
    let same = args![*account, client_key];
    if let Some(row) = db.optional(&FIND_BY_KEY, same).await? {
        return Ok(row);
    }
    retried(async || {
        let mut tx = db.begin().await?;
        let locked: Option<Amount> = tx.optional(&LOCK_ACCOUNT, args![*account]).await?;
        locked.ok_or_else(|| DbError::NotFound("the account".into()))?;
        if let Some(row) = tx.optional(&FIND_BY_KEY, same).await? {
            return Ok(row);
        }
        let open: Option<Count> = tx.optional(&OPEN, args![*account]).await?;
        if open.is_some_and(|open| open.0 >= OPEN_MAX) {
            return Err(DbError::Full(Bound::OpenTopUps(OPEN_MAX)));
        }
        tx.execute(&INSERT, args![id, *account, client_key, *cents, *created_ms]).await?;
        let row: Option<TopUpRow> = tx.optional(&FIND, args![id]).await?;
        tx.commit().await?;
        row.ok_or_else(|| DbError::Corrupt(format!("top-up {id} is gone")))
    })
    .await
}

/// The provider made a page for it.
pub async fn opened(db: &Db, id: &str, session: &str, url: &str) -> Result<(), DbError> {
    db.execute(&OPENED, args![id, session, url]).await?;
    Ok(())
}

/// It came to nothing, as far as is known now; a paid one stays paid.
pub async fn ended(db: &Db, id: &str, state: TopUpState, reason: &str) -> Result<(), DbError> {
    db.execute(&ENDED, args![id, state, reason]).await?;
    Ok(())
}

/// Credits a payment, once; whether it was credited before.
///
/// # Errors
/// `NotFound`; `Rejected` by the rules of money.
pub async fn credit(db: &Db, paid: &PaidTopUp) -> Result<bool, DbError> {
    let PaidTopUp { id, session, payment, payment_key, at_ms } = paid;
    retried(async || {
        let head = JournalHead { id: db.next_journal_id().await?, note: id, at_ms: *at_ms };
        let mut tx = db.begin().await?;
        let row: Option<TopUpRow> = tx.optional(&LOCK, args![id]).await?;
        let row = row.ok_or_else(|| DbError::NotFound(format!("top-up {id}")))?;
        if row.state == TopUpState::Paid || settled_payments::has_in(&mut tx, session).await? {
            return Ok(true);
        }
        let amount = row.amount()?;
        let command = Command::TopUp { key: payment_key.clone(), account: row.account, amount };
        let posting = post(&mut tx, head, &command).await?;
        assert!(!posting.repeated, "top-up {id} was not paid, so its key cannot be taken");
        tx.execute(&PAID, args![id, session, payment, payment_key, *at_ms]).await?;
        tx.commit().await?;
        Ok(false)
    })
    .await
}

/// The payment.
pub async fn find(db: &Db, id: &str) -> Result<Option<TopUpRow>, DbError> {
    db.optional(&FIND, args![id]).await
}

/// The payment on this page of the provider.
pub async fn find_by_session(db: &Db, session: &str) -> Result<Option<TopUpRow>, DbError> {
    db.optional(&FIND_BY_SESSION, args![session]).await
}

/// An account's payments, the last first.
pub async fn list(db: &Db, account: AccountId, page: &Page) -> Result<Paged<TopUpRow>, DbError> {
    let (time, id) = page.before_time()?;
    let rows = db.all(&LIST, args![account, time, id, page.fetch()]).await?;
    Ok(Paged::cut(rows, page, |row: &TopUpRow| format!("{}.{}", row.created_ms, row.id)))
}

/// The provider failed at this try: the next one is another.
pub async fn tried(db: &Db, row: &TopUpRow) -> Result<(), DbError> {
    db.execute(&TRIED, args![&row.id, row.attempts]).await?;
    Ok(())
}

/// The oldest payments that nobody has heard the end of: after this time and id, asked for until `until_ms`.
pub async fn waiting(
    db: &Db,
    (after_ms, after): (i64, &str),
    until_ms: i64,
    limit: i64,
) -> Result<Vec<TopUpRow>, DbError> {
    db.all(&WAITING, args![after_ms, after, until_ms, limit]).await
}

/// Credited payments, the oldest first: after this time and id, asked for until `until_ms`.
pub async fn paid(
    db: &Db,
    (after_ms, after): (i64, &str),
    until_ms: i64,
    limit: i64,
) -> Result<Vec<TopUpRow>, DbError> {
    db.all(&CREDITED, args![after_ms, after, until_ms, limit]).await
}

impl TopUpRow {
    /// What it is worth.
    pub(super) fn amount(&self) -> Result<Nano, DbError> {
        nano(self.cents)
    }
}

/// Cents as 1e-9 credit.
pub(super) fn nano(cents: i64) -> Result<Nano, DbError> {
    let amount = cents.checked_mul(NANO_PER_CENT).map(Nano);
    amount.ok_or_else(|| DbError::Wrong(format!("{cents} cents are too much")))
}

impl TopUpState {
    /// The word in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Creating, Self::Open, Self::Paid, Self::Expired, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

store_as!(TopUpState as Text, value => value.as_str().to_owned(), raw => Self::parse(&raw));

impl Record for TopUpRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            account: row.get("account")?,
            client_key: row.get("client_key")?,
            cents: row.get("cents")?,
            state: row.get("state")?,
            reason: row.get("reason")?,
            session: row.maybe("session")?,
            url: row.maybe("url")?,
            payment: row.maybe("payment")?,
            attempts: row.get("attempts")?,
            created_ms: row.get("created_ms")?,
            paid_ms: row.maybe("paid_ms")?,
        })
    }
}

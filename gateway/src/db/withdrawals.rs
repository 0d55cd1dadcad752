//! Earnings on their way out: where to, how far, and who said so. Each state follows from one before it in a
//! single conditional write, and the hold ends with the last.

pub(super) mod advance;
mod state;

use assay_ledger::{AccountId, Command, HoldId, Maturity, Nano, Rejected};
use uuid::Uuid;

pub use advance::{Advanced, Step, advance};
pub use state::WithdrawalState;

use super::{
    Db, DbError, OperatorId, Page, Paged, earnings,
    engine::retried,
    operators, pay, payout_addresses,
    posting::{JournalHead, post},
    statement::statements,
    transaction::Tx,
    value::{Amount, Record, Row, args},
};

statements! { "withdrawals";
    // The cap over all operators is counted by one at a time.
    plain LOCK_CAP = "update counter set next = next + 1 where name = 'withdrawal'";
    plain FIND_BY_KEY = "select id, operator, account, amount, address, rail, state, reason, reference,
            created_ms, changed_ms, ended_ms from withdrawal where operator = $1 and client_key = $2";
    plain TAKEN = "select cast(coalesce(sum(amount), 0) as bigint) as amount from withdrawal
        where operator = $1 and state not in ('failed', 'rejected', 'cancelled')";
    plain TAKEN_SINCE = "select cast(coalesce(sum(amount), 0) as bigint) as amount from withdrawal
        where operator = $1 and created_ms > $2 and state not in ('failed', 'rejected', 'cancelled')";
    plain ALL_TAKEN_SINCE = "select cast(coalesce(sum(amount), 0) as bigint) as amount from withdrawal
        where created_ms > $1 and state not in ('failed', 'rejected', 'cancelled')";
    plain AVAILABLE = "select available as amount from balance where account = $1";
    plain INSERT = "insert into withdrawal (id, operator, account, client_key, amount, address, rail, state,
            reason, created_ms, changed_ms)
        values ($1, $2, $3, $4, $5, $6, $7, $8, '', $9, $9)";
    plain FIND = "select id, operator, account, amount, address, rail, state, reason, reference, created_ms,
            changed_ms, ended_ms from withdrawal where id = $1";
    // An absent filter is 0 or an empty text.
    plain LIST = "select id, operator, account, amount, address, rail, state, reason, reference, created_ms,
            changed_ms, ended_ms from withdrawal
        where ($1 = 0 or operator = $1) and ($2 = '' or state = $2)
            and (created_ms < $3 or (created_ms = $3 and id < $4))
        order by created_ms desc, id desc limit $5";
    plain OF_STATE = "select id, operator, account, amount, address, rail, state, reason, reference,
            created_ms, changed_ms, ended_ms from withdrawal
        where state = $1 and rail = $2 order by created_ms, id limit $3";
}

/// Earnings to take out.
#[derive(Clone, Debug)]
pub struct NewWithdrawal {
    /// The hold has the same name.
    pub id: Uuid,
    pub operator: OperatorId,
    /// The same key asks for the same withdrawal.
    pub client_key: String,
    pub amount: Nano,
    /// Which rail sends it.
    pub rail: &'static str,
    pub now_ms: i64,
}

/// Bounds on withdrawals.
#[derive(Clone, Copy, Debug)]
pub struct Caps {
    /// When pay is its operator's own.
    pub maturity: Maturity,
    pub now_ms: i64,
    /// Within a day: one operator's, and everybody's.
    pub day_operator: Nano,
    pub day_total: Nano,
    /// With more than this within a day an admin must say yes.
    pub approval_above: Nano,
}

/// A withdrawal as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithdrawalRow {
    pub id: String,
    pub operator: OperatorId,
    pub account: AccountId,
    pub amount: Nano,
    pub address: String,
    pub rail: String,
    pub state: WithdrawalState,
    pub reason: String,
    pub reference: Option<String>,
    pub created_ms: i64,
    pub changed_ms: i64,
    pub ended_ms: Option<i64>,
}

/// What an operator can take out, and why not more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Funds {
    pub earned: Nano,
    /// Can be taken out now.
    pub available: Nano,
    /// Can be taken out later.
    pub maturing: Nano,
    /// Was earned in granted credit, and stays.
    pub promotional: Nano,
    /// Lost to a proven cheat among its nodes.
    pub forfeited: Nano,
    /// Taken out, or on its way.
    pub taken: Nano,
}

/// Why nothing is taken out.
#[derive(Debug, thiserror::Error)]
pub enum WithdrawError {
    #[error("name a payout address first")]
    NoAddress,
    #[error("the payout address was changed; it can be used later")]
    AddressCooling { usable_ms: i64 },
    #[error("{available} credits can be taken out now")]
    TooMuch { available: Nano },
    #[error("{left} credits can be taken out within a day from now")]
    DayCap { left: Nano },
    #[error("the gateway's own limit for a day is reached; try again tomorrow, or take out less")]
    TotalCap,
    #[error("withdrawals are stopped until whoever runs the gateway has looked at its books")]
    Stopped,
    #[error("the same key asked for another withdrawal before")]
    OtherContent,
    #[error(transparent)]
    Store(#[from] DbError),
}

const DAY_MS: i64 = 24 * 3_600_000;

/// What an operator can take out.
pub async fn funds(db: &Db, operator: OperatorId, caps: &Caps) -> Result<Funds, DbError> {
    let mut tx = db.snapshot().await?;
    let account = account_of(&mut tx, operator).await?;
    funds_in(&mut tx, operator, account, caps).await
}

/// Sets earnings aside for the last usable address. The same key asks for the same withdrawal.
pub async fn request(
    db: &Db,
    new: &NewWithdrawal,
    caps: &Caps,
) -> Result<WithdrawalRow, WithdrawError> {
    let requested = retried(async || {
        let journal = db.next_journal_id().await?;
        let mut tx = db.begin().await?;
        let requested = hold(&mut tx, new, caps, journal).await?;
        tx.commit().await?;
        Ok(requested)
    });
    match requested.await {
        Err(DbError::Rejected(Rejected::InsufficientCredit { available, .. })) => {
            Err(WithdrawError::TooMuch { available })
        }
        requested => requested?,
    }
}

/// The inner error is the caller's.
async fn hold(
    tx: &mut Tx,
    new: &NewWithdrawal,
    caps: &Caps,
    journal: i64,
) -> Result<Result<WithdrawalRow, WithdrawError>, DbError> {
    let NewWithdrawal { id, operator, client_key, amount, rail, now_ms } = new;
    tx.execute(&LOCK_CAP, args![]).await?;
    let account = operators::lock(tx, *operator).await?;
    let before: Option<WithdrawalRow> =
        tx.optional(&FIND_BY_KEY, args![*operator, client_key]).await?;
    if let Some(row) = before {
        return Ok(if row.amount == *amount { Ok(row) } else { Err(WithdrawError::OtherContent) });
    }
    let addresses = payout_addresses::of_operator_in(tx, *operator).await?;
    let Some(last) = addresses.first() else { return Ok(Err(WithdrawError::NoAddress)) };
    if last.usable_ms > *now_ms {
        return Ok(Err(WithdrawError::AddressCooling { usable_ms: last.usable_ms }));
    }
    let funds = funds_in(tx, *operator, account, caps).await?;
    if *amount > funds.available {
        return Ok(Err(WithdrawError::TooMuch { available: funds.available }));
    }
    let today = sum(tx.optional(&TAKEN_SINCE, args![*operator, now_ms - DAY_MS]).await?);
    let with_this = today.saturating_add(amount.0);
    if with_this > caps.day_operator.0 {
        let left = Nano(caps.day_operator.0.saturating_sub(today).max(0));
        return Ok(Err(WithdrawError::DayCap { left }));
    }
    let all = sum(tx.optional(&ALL_TAKEN_SINCE, args![now_ms - DAY_MS]).await?);
    if all.saturating_add(amount.0) > caps.day_total.0 {
        return Ok(Err(WithdrawError::TotalCap));
    }
    let state = match with_this > caps.approval_above.0 {
        true => WithdrawalState::AwaitingApproval,
        false => WithdrawalState::Approved,
    };
    let command = Command::Hold { hold: HoldId(id.as_u128()), account, amount: *amount };
    let head = JournalHead { id: journal, note: "withdrawal", at_ms: *now_ms };
    post(tx, head, &command).await?;
    let id = id.to_string();
    let args =
        args![&id, *operator, account, client_key, *amount, &last.address, *rail, state, *now_ms];
    tx.execute(&INSERT, args).await?;
    let row: Option<WithdrawalRow> = tx.optional(&FIND, args![&id]).await?;
    Ok(Ok(row.ok_or_else(|| DbError::Corrupt(format!("withdrawal {id} is gone")))?))
}

async fn funds_in(
    tx: &mut Tx,
    operator: OperatorId,
    account: AccountId,
    caps: &Caps,
) -> Result<Funds, DbError> {
    let earned = earnings::of_in(tx, operator, account).await?;
    let immature = pay::immature_in(tx, operator, caps.maturity, caps.now_ms).await?;
    let taken = sum(tx.optional(&TAKEN, args![operator]).await?);
    let balance = sum(tx.optional(&AVAILABLE, args![account]).await?);
    let left = (earned.withdrawable.0 - earned.forfeited.0 - taken).max(0);
    let maturing = immature.withdrawable.0.min(left);
    Ok(Funds {
        earned: earned.earned,
        // What is not mature stays in the account, whatever it was paid with: it can be forfeited.
        available: Nano((left - maturing).min(balance - immature.pay.0).max(0)),
        maturing: Nano(maturing),
        forfeited: earned.forfeited,
        promotional: Nano(earned.earned.0 - earned.withdrawable.0),
        taken: Nano(taken),
    })
}

/// The withdrawal.
pub async fn find(db: &Db, id: &str) -> Result<Option<WithdrawalRow>, DbError> {
    db.optional(&FIND, args![id]).await
}

/// Withdrawals, the last first: of one operator, or of one state, or all.
pub async fn list(
    db: &Db,
    operator: Option<OperatorId>,
    state: Option<WithdrawalState>,
    page: &Page,
) -> Result<Paged<WithdrawalRow>, DbError> {
    let (time, id) = page.before_time()?;
    let operator = operator.map_or(0, |operator| operator.0);
    let state = state.map_or("", WithdrawalState::as_str);
    let rows = db.all(&LIST, args![operator, state, time, id, page.fetch()]).await?;
    Ok(Paged::cut(rows, page, |row: &WithdrawalRow| format!("{}.{}", row.created_ms, row.id)))
}

/// The oldest withdrawals of a state and a rail.
pub async fn of_state(
    db: &Db,
    state: WithdrawalState,
    rail: &str,
    limit: i64,
) -> Result<Vec<WithdrawalRow>, DbError> {
    db.all(&OF_STATE, args![state, rail, limit]).await
}

async fn account_of(tx: &mut Tx, operator: OperatorId) -> Result<AccountId, DbError> {
    let found = operators::account_in(tx, operator).await?;
    found.ok_or_else(|| DbError::NotFound("the operator".into()))
}

fn sum(found: Option<Amount>) -> i64 {
    found.map_or(0, |amount| amount.0.0)
}

impl Record for WithdrawalRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            operator: row.get("operator")?,
            account: row.get("account")?,
            amount: row.get("amount")?,
            address: row.get("address")?,
            rail: row.get("rail")?,
            state: row.get("state")?,
            reason: row.get("reason")?,
            reference: row.maybe("reference")?,
            created_ms: row.get("created_ms")?,
            changed_ms: row.get("changed_ms")?,
            ended_ms: row.maybe("ended_ms")?,
        })
    }
}

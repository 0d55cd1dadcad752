//! Where operators want their money: the address that counts, the one that cools off, and those that counted before.

use super::{
    Bound, Db, DbError, OperatorId, changes,
    engine::retried,
    operators,
    statement::statements,
    transaction::Tx,
    value::{Amount, Count, Record, Row, args},
};

statements! { "payout_addresses";
    // One that was replaced before it counted never does. Each address once, as it was set last.
    plain OF_OPERATOR = "with live as (
            select address, set_ms, usable_ms, number from payout_address as own where operator = $1
                and not exists (select 1 from payout_address as later where later.operator = own.operator
                    and later.number = own.number + 1 and later.set_ms < own.usable_ms))
        select address, set_ms, usable_ms, number from live
        where number in (select max(number) from live group by address)
        order by number desc limit $2";
    plain LAST_NUMBER = "select coalesce(max(number), 0) as amount from payout_address where operator = $1";
    plain SET_SINCE = "select count(*) as number from payout_address where operator = $1 and set_ms > $2";
    plain INSERT = "insert into payout_address (operator, number, address, set_ms, usable_ms)
        values ($1, $2, $3, $4, $5)";
}

/// Addresses of one operator that are looked at; each of them counted for a while, or may yet. With so few new ones a
/// day nobody gets there within months.
const ADDRESSES_MAX: i64 = 1_000;
/// How often an operator may name another address within a day.
pub const CHANGES_A_DAY_MAX: u32 = 10;
const DAY_MS: i64 = 24 * 3_600_000;

/// Where an operator's money goes, went, or will go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutAddress {
    pub address: String,
    pub set_ms: i64,
    /// When it begins to count.
    pub usable_ms: i64,
    pub(crate) number: i64,
}

/// All that ever counted and the one that cools off, the last first.
pub async fn of_operator(db: &Db, operator: OperatorId) -> Result<Vec<PayoutAddress>, DbError> {
    db.all(&OF_OPERATOR, args![operator, ADDRESSES_MAX]).await
}

/// The same, in a transaction that has locked the operator.
pub(super) async fn of_operator_in(
    tx: &mut Tx,
    operator: OperatorId,
) -> Result<Vec<PayoutAddress>, DbError> {
    tx.all(&OF_OPERATOR, args![operator, ADDRESSES_MAX]).await
}

/// Sets an address. The first one counts at once, and so does the one that counts already; any other after
/// `cooling_ms`.
///
/// # Errors
/// `NotFound` for an operator that does not exist, `Full` when it was changed too often within a day.
pub async fn set(
    db: &Db,
    operator: OperatorId,
    address: &str,
    cooling_ms: i64,
    now_ms: i64,
) -> Result<PayoutAddress, DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        operators::lock(&mut tx, operator).await?;
        let known = of_operator_in(&mut tx, operator).await?;
        if let Some(last) = known.first().filter(|last| last.address == address) {
            return Ok(last.clone());
        }
        let day = args![operator, now_ms.saturating_sub(DAY_MS)];
        let today: Option<Count> = tx.optional(&SET_SINCE, day).await?;
        if today.is_some_and(|today| today.0 >= CHANGES_A_DAY_MAX) {
            return Err(DbError::Full(Bound::AddressChanges(CHANGES_A_DAY_MAX)));
        }
        let last: Option<Amount> = tx.optional(&LAST_NUMBER, args![operator]).await?;
        let number = last.map_or(0, |last| last.0.0) + 1;
        let counts = known.iter().find(|known| known.usable_ms <= now_ms);
        let at_once = known.is_empty() || counts.is_some_and(|counts| counts.address == address);
        let usable_ms = if at_once { now_ms } else { now_ms.saturating_add(cooling_ms) };
        tx.execute(&INSERT, args![operator, number, address, now_ms, usable_ms]).await?;
        changes::of_operator(&mut tx, operator).await?;
        tx.commit().await?;
        Ok(PayoutAddress { address: address.to_owned(), set_ms: now_ms, usable_ms, number })
    })
    .await
}

impl Record for PayoutAddress {
    fn read(row: &Row) -> Result<Self, DbError> {
        let (address, set_ms) = (row.get("address")?, row.get("set_ms")?);
        Ok(Self { address, set_ms, usable_ms: row.get("usable_ms")?, number: row.get("number")? })
    }
}

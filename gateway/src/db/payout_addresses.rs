//! Where operators want their money: the address that counts, the one that cools off, and those that counted before.

use super::{
    Db, DbError, OperatorId,
    engine::retried,
    operators,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "payout_addresses";
    // One that was replaced before it counted never does.
    plain OF_OPERATOR = "select address, set_ms, usable_ms, number from payout_address as own where operator = $1
            and not exists (select 1 from payout_address as later where later.operator = own.operator
                and later.number = own.number + 1 and later.set_ms < own.usable_ms)
        order by number desc limit $2";
    plain INSERT = "insert into payout_address (operator, number, address, set_ms, usable_ms)
        values ($1, $2, $3, $4, $5)";
}

/// Addresses of one operator that are looked at; each of them counted for a while, or may yet.
const ADDRESSES_MAX: i64 = 1_000;

/// Where an operator's money goes, went, or will go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutAddress {
    pub address: String,
    pub set_ms: i64,
    /// When it begins to count.
    pub usable_ms: i64,
    number: i64,
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
        let number = known.first().map_or(1, |last| last.number + 1);
        let counts = known.iter().find(|known| known.usable_ms <= now_ms);
        let at_once = known.is_empty() || counts.is_some_and(|counts| counts.address == address);
        let usable_ms = if at_once { now_ms } else { now_ms.saturating_add(cooling_ms) };
        tx.execute(&INSERT, args![operator, number, address, now_ms, usable_ms]).await?;
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

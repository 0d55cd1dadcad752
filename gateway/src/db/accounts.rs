//! Accounts and their balances.

use assay_ledger::{AccountId, AccountKind, Nano};
use serde::Serialize;

use super::{
    Actor, Db, DbError, OperatorId, Page, Paged,
    engine::retried,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "accounts";
    plain INSERT = "insert into account (id, kind, name, created_ms) values ($1, $2, $3, $4)";
    plain INSERT_BALANCE = "insert into balance (account, available, held) values ($1, 0, 0)";
    plain FIND = "select id, kind, name, created_ms, available, held, operator from account
        join balance on balance.account = id
        left join account_operator on account_operator.account = id where id = $1";
    plain LIST = "select id, kind, name, created_ms, available, held, operator from account
        join balance on balance.account = id
        left join account_operator on account_operator.account = id
        where id > $1 order by id limit $2";
    plain OPERATOR = "select operator.id, operator.account from account_operator
        join operator on operator.id = account_operator.operator where account_operator.account = $1";
    plain JOIN_OPERATOR = "insert into account_operator (account, operator) values ($1, $2)
        on conflict (account) do update set operator = excluded.operator";
    plain LEAVE_OPERATOR = "delete from account_operator where account = $1";
    plain SYSTEM_BALANCE = "select cast(coalesce(sum(amount), 0) as bigint) as available from entry
        where account = $1";
}

/// A client's account to make.
#[derive(Clone, Debug)]
pub struct NewAccount {
    pub name: String,
    pub created_ms: i64,
}

/// An account that keeps a balance, with that balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountRow {
    pub id: AccountId,
    pub kind: AccountKind,
    pub name: String,
    pub created_ms: i64,
    pub available: Nano,
    pub held: Nano,
    /// The operator that a client's account belongs to, if any.
    pub operator: Option<OperatorId>,
}

/// What an account has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Balance {
    /// What can be spent; a system account's may be negative.
    pub available: Nano,
    /// What is set aside for running jobs.
    pub held: Nano,
}

/// An admin makes a client's account, with nothing in it.
pub async fn create(db: &Db, new: &NewAccount, by: &Actor) -> Result<AccountRow, DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        let row = insert(&mut tx, AccountKind::Client, &new.name, new.created_ms).await?;
        by.did(&mut tx, "account.create", row.id, &*new.name).await?;
        tx.commit().await?;
        Ok(row)
    })
    .await
}

/// The account, unless it is the system's own.
pub async fn find(db: &Db, id: AccountId) -> Result<Option<AccountRow>, DbError> {
    db.optional(&FIND, args![id]).await
}

/// All accounts that keep a balance, clients' and operators', by number.
pub async fn list(db: &Db, page: &Page) -> Result<Paged<AccountRow>, DbError> {
    let rows = db.all(&LIST, args![page.after_number()?, page.fetch()]).await?;
    Ok(Paged::cut(rows, page, |row: &AccountRow| row.id.to_string()))
}

/// What an account has; for one of the system's, the sum of its entries.
///
/// # Errors
/// `NotFound`.
pub async fn balance(db: &Db, id: AccountId) -> Result<Balance, DbError> {
    if id.is_system() {
        let sum: Option<SystemSum> = db.optional(&SYSTEM_BALANCE, args![id]).await?;
        let available = sum.map_or(Nano::ZERO, |sum| sum.0);
        return Ok(Balance { available, held: Nano::ZERO });
    }
    let row = find(db, id).await?.ok_or_else(|| DbError::NotFound(format!("{id:?}")))?;
    Ok(Balance { available: row.available, held: row.held })
}

/// The operator that a client's account belongs to, and that operator's account.
pub async fn operator_of(
    db: &Db,
    id: AccountId,
) -> Result<Option<(OperatorId, AccountId)>, DbError> {
    let found: Option<OwnOperator> = db.optional(&OPERATOR, args![id]).await?;
    Ok(found.map(|OwnOperator(operator, account)| (operator, account)))
}

/// An admin says that a client's account belongs to an operator, or to none.
///
/// # Errors
/// `NotFound` where the operator is not known.
pub async fn set_operator(
    db: &Db,
    id: AccountId,
    operator: Option<OperatorId>,
    by: &Actor,
) -> Result<(), DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        match operator {
            Some(operator) => tx.execute(&JOIN_OPERATOR, args![id, operator]).await?,
            None => tx.execute(&LEAVE_OPERATOR, args![id]).await?,
        };
        let whose = operator.map_or("none".to_owned(), |operator| operator.0.to_string());
        by.did(&mut tx, "account.operator", id, whose).await?;
        tx.commit().await
    })
    .await
}

/// Makes an account of any kind but the system's.
pub(super) async fn insert(
    tx: &mut Tx,
    kind: AccountKind,
    name: &str,
    created_ms: i64,
) -> Result<AccountRow, DbError> {
    let id = AccountId(tx.next_id("account").await?);
    tx.execute(&INSERT, args![id, kind, name, created_ms]).await?;
    tx.execute(&INSERT_BALANCE, args![id]).await?;
    let name = name.to_owned();
    let (available, held, operator) = (Nano::ZERO, Nano::ZERO, None);
    Ok(AccountRow { id, kind, name, created_ms, available, held, operator })
}

struct SystemSum(Nano);
struct OwnOperator(OperatorId, AccountId);

impl Record for OwnOperator {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self(row.get("id")?, row.get("account")?))
    }
}

impl Record for SystemSum {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("available").map(Self)
    }
}

impl Record for AccountRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            kind: row.get("kind")?,
            name: row.get("name")?,
            created_ms: row.get("created_ms")?,
            available: row.get("available")?,
            held: row.get("held")?,
            operator: row.maybe("operator")?,
        })
    }
}

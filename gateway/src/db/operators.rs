//! Operators: who runs nodes. Pay goes to an operator's account.

use assay_ledger::{AccountId, AccountKind, Nano};
use serde::Serialize;

use super::{
    Actor, Db, DbError, Page, Paged, accounts,
    engine::retried,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args, columns},
};

statements! { "operators";
    plain INSERT = "insert into operator (id, account, name, created_ms) values ($1, $2, $3, $4)";
    plain FIND = "select operator.id, operator.account, name, created_ms, available, held from operator
        join balance on balance.account = operator.account where operator.id = $1";
    plain ACCOUNT = "select account from operator where id = $1";
    // Who takes money out of an operator's account decides one after the other.
    locking LOCK = "select account from operator where id = $1";
    plain LIST = "select operator.id, operator.account, name, created_ms, available, held from operator
        join balance on balance.account = operator.account
        where operator.id > $1 order by operator.id limit $2";
}

/// An operator's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct OperatorId(pub i64);
columns!(ints: OperatorId; words: );

/// An operator to make.
#[derive(Clone, Debug)]
pub struct NewOperator {
    pub name: String,
    pub created_ms: i64,
}

/// An operator and what its account has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OperatorRow {
    pub id: OperatorId,
    pub account: AccountId,
    pub name: String,
    pub created_ms: i64,
    pub available: Nano,
    pub held: Nano,
}

/// An admin makes an operator and its account.
pub async fn create(db: &Db, new: &NewOperator, by: &Actor) -> Result<OperatorRow, DbError> {
    let NewOperator { name, created_ms } = new;
    retried(async || {
        let mut tx = db.begin().await?;
        let account = accounts::insert(&mut tx, AccountKind::Operator, name, *created_ms).await?;
        let id = insert(&mut tx, account.id, name, *created_ms).await?;
        by.did(&mut tx, "operator.create", id.0, &**name).await?;
        tx.commit().await?;
        Ok(OperatorRow {
            id,
            account: account.id,
            name: name.clone(),
            created_ms: *created_ms,
            available: account.available,
            held: account.held,
        })
    })
    .await
}

/// Makes the operator of an account.
pub(super) async fn insert(
    tx: &mut Tx,
    account: AccountId,
    name: &str,
    created_ms: i64,
) -> Result<OperatorId, DbError> {
    let id = OperatorId(tx.next_id("operator").await?);
    tx.execute(&INSERT, args![id, account, name, created_ms]).await?;
    Ok(id)
}

/// The account that an operator's pay goes to.
pub(super) async fn account_in(
    tx: &mut Tx,
    operator: OperatorId,
) -> Result<Option<AccountId>, DbError> {
    let found: Option<Account> = tx.optional(&ACCOUNT, args![operator]).await?;
    Ok(found.map(|found| found.0))
}

/// Keeps an operator until the transaction ends; the account that its pay goes to.
pub(super) async fn lock(tx: &mut Tx, operator: OperatorId) -> Result<AccountId, DbError> {
    let found: Option<Account> = tx.optional(&LOCK, args![operator]).await?;
    found.map(|found| found.0).ok_or_else(|| DbError::NotFound("the operator".into()))
}

/// The operator.
pub async fn find(db: &Db, id: OperatorId) -> Result<Option<OperatorRow>, DbError> {
    db.optional(&FIND, args![id]).await
}

/// All operators, by number.
pub async fn list(db: &Db, page: &Page) -> Result<Paged<OperatorRow>, DbError> {
    let rows = db.all(&LIST, args![page.after_number()?, page.fetch()]).await?;
    Ok(Paged::cut(rows, page, |row: &OperatorRow| row.id.0.to_string()))
}

struct Account(AccountId);

impl Record for Account {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("account").map(Self)
    }
}

impl Record for OperatorRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            account: row.get("account")?,
            name: row.get("name")?,
            created_ms: row.get("created_ms")?,
            available: row.get("available")?,
            held: row.get("held")?,
        })
    }
}

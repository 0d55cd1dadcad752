//! Granted credit: it is used before what was paid in, and never leaves.

use assay_ledger::{AccountId, Nano};

use super::{
    DbError,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "promotion";
    plain GRANTED = "select cast(coalesce(sum(entry.amount), 0) as bigint) as amount from journal
        join entry on entry.journal = journal.id
        where journal.kind = 'grant' and entry.account = $1";
    plain RETURNED = "select cast(coalesce(sum(entry.amount), 0) as bigint) as amount from journal
        join entry on entry.journal = journal.id
        where journal.kind = 'forfeit' and entry.account = $1";
    plain USED = "select amount from promotion_used where account = $1";
    plain USE = "insert into promotion_used (account, amount) values ($1, $2)
        on conflict (account) do update set amount = promotion_used.amount + excluded.amount";
}

/// What of an account's credit was granted and is not used yet. What comes back from a cheat is granted credit
/// again, as far as granted credit was used.
pub(super) async fn left(tx: &mut Tx, account: AccountId) -> Result<Nano, DbError> {
    let granted = amount(tx.optional(&GRANTED, args![account]).await?);
    let returned = amount(tx.optional(&RETURNED, args![account]).await?);
    let used = amount(tx.optional(&USED, args![account]).await?);
    Ok(Nano(granted.saturating_add(returned.min(used)).saturating_sub(used).max(0)))
}

/// So much more of it is used.
pub(super) async fn use_up(tx: &mut Tx, account: AccountId, amount: Nano) -> Result<(), DbError> {
    tx.execute(&USE, args![account, amount]).await?;
    Ok(())
}

fn amount(found: Option<Amount>) -> i64 {
    found.map_or(0, |amount| amount.0.0)
}

struct Amount(Nano);

impl Record for Amount {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("amount").map(Self)
    }
}

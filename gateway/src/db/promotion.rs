//! Granted credit: it is used before what was paid in, and never leaves.

use assay_ledger::{AccountId, Nano};

use super::{
    DbError,
    statement::statements,
    transaction::Tx,
    value::{Amount, args},
};

statements! { "promotion";
    // By kind, of which there are few: the plus keeps SQLite from walking through all that the account ever moved.
    plain GRANTED = "select cast(coalesce(sum(entry.amount), 0) as bigint) as amount from journal
        join entry on entry.journal = journal.id
        where journal.kind = 'grant' and +entry.account = $1";
    plain RETURNED = "select cast(coalesce(sum(entry.amount), 0) as bigint) as amount from journal
        join entry on entry.journal = journal.id
        where journal.kind = 'forfeit' and +entry.account = $1";
    plain USED = "select amount from promotion_used where account = $1";
    plain USE = "insert into promotion_used (account, amount) values ($1, $2)
        on conflict (account) do update set amount = promotion_used.amount + excluded.amount";
}

/// An account's granted credit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promotion {
    account: AccountId,
    granted: i64,
    /// What came back from cheats, whatever they had been paid with.
    returned: i64,
    used: i64,
}

impl Promotion {
    pub(super) async fn of(tx: &mut Tx, account: AccountId) -> Result<Self, DbError> {
        Ok(Self {
            account,
            granted: amount(tx.optional(&GRANTED, args![account]).await?),
            returned: amount(tx.optional(&RETURNED, args![account]).await?),
            used: amount(tx.optional(&USED, args![account]).await?),
        })
    }

    /// What is not used yet. What comes back from a cheat is granted credit again, as far as granted credit was used.
    pub(super) fn left(&self) -> Nano {
        let again = self.returned.min(self.used);
        Nano(self.granted.saturating_add(again).saturating_sub(self.used).max(0))
    }

    /// So much more of it is used.
    pub(super) async fn use_up(&mut self, tx: &mut Tx, amount: Nano) -> Result<(), DbError> {
        tx.execute(&USE, args![self.account, amount]).await?;
        self.used += amount.0;
        Ok(())
    }
}

fn amount(found: Option<Amount>) -> i64 {
    found.map_or(0, |amount| amount.0.0)
}

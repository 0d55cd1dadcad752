//! Decides one command: what it posts, or why it may not.

use crate::{
    AccountId, AccountKind, Balances, Bucket, Command, Entry, Hold, HoldId, HoldState, Nano,
    Posting, Settlement, command::entries,
};

/// Why a command may not be posted. Nothing moved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("{available} credits are available, {needed} are needed")]
    InsufficientCredit { available: Nano, needed: Nano },
    #[error("key {key} was used before, for something else")]
    KeyConflict { key: String },
    #[error("{0:?} does not exist")]
    UnknownAccount(AccountId),
    #[error("{account:?} is no {needed:?}")]
    WrongKind { account: AccountId, needed: AccountKind },
    #[error("{0:?} does not exist")]
    UnknownHold(HoldId),
    #[error("{0} credits is not an amount that can be moved")]
    BadAmount(Nano),
    #[error("the settlement does not account for the {held} credits held")]
    NotAccountedFor { held: Nano },
    #[error("the balance of {0:?} would not fit")]
    BalanceOverflow(AccountId),
}

/// Posts `command` to `balances`: all of it, or nothing.
///
/// A command that was posted before gives the same posting again, marked `repeated`, and moves nothing.
///
/// # Errors
/// [`Rejected`], with `balances` as they were.
///
/// # Panics
/// If a posting did not sum to zero: a bug that must not move money.
pub fn apply(balances: &mut Balances, command: &Command) -> Result<Posting, Rejected> {
    let (key, digest) = (command.key(), command.digest());
    let repeated = match balances.posted.get(&key) {
        None => false,
        Some(first) if *first == digest => true,
        Some(_) => return Err(Rejected::KeyConflict { key }),
    };
    let entries = decide(balances, command, repeated)?;
    let sum: i128 = entries.iter().map(|entry| i128::from(entry.amount.0)).sum();
    assert_eq!(sum, 0, "the entries of {key} must sum to zero: {entries:?}");
    if !repeated {
        move_money(balances, &entries)?;
        move_hold(balances, command);
        balances.posted.insert(key.clone(), digest);
    }
    Ok(Posting { key, kind: command.kind(), digest, entries, repeated })
}

/// The entries of a command. What depends on the moment is checked the first time only.
fn decide(balances: &Balances, command: &Command, repeated: bool) -> Result<Vec<Entry>, Rejected> {
    use Bucket::{Available, Held};
    let (owner, moves) = match command {
        Command::Grant { account, amount, .. } => {
            require(amount.0 > 0, Rejected::BadAmount(*amount))?;
            require_kind(balances, *account, AccountKind::Client)?;
            let from = (AccountId::PROMOTION, Available, negative(*amount));
            (*account, vec![from, (*account, Available, *amount)])
        }
        Command::TopUp { account, amount, .. } => {
            require(amount.0 > 0, Rejected::BadAmount(*amount))?;
            require_kind(balances, *account, AccountKind::Client)?;
            let from = (AccountId::OUTSIDE, Available, negative(*amount));
            (*account, vec![from, (*account, Available, *amount)])
        }
        Command::Correct { account, amount, .. } => {
            let other = amount.0.checked_neg().filter(|other| *other != 0);
            let other = Nano(other.ok_or(Rejected::BadAmount(*amount))?);
            let available = require_kind(balances, *account, AccountKind::Client)?;
            let enough = repeated || available >= other;
            require(enough, Rejected::InsufficientCredit { available, needed: other })?;
            let from = (AccountId::OUTSIDE, Available, other);
            (*account, vec![from, (*account, Available, *amount)])
        }
        Command::Hold { account, amount, .. } => {
            require(amount.0 >= 0, Rejected::BadAmount(*amount))?;
            let available = require_owned(balances, *account)?;
            let enough = repeated || available >= *amount;
            require(enough, Rejected::InsufficientCredit { available, needed: *amount })?;
            let from = (*account, Available, negative(*amount));
            (*account, vec![from, (*account, Held, *amount)])
        }
        Command::Settle { hold, settlement } => {
            let hold = hold_to_end(balances, *hold, repeated)?;
            let held = hold.amount;
            require_kind(balances, hold.account, AccountKind::Client)?;
            require(settlement.accounts_for(held), Rejected::NotAccountedFor { held })?;
            for (account, _) in &settlement.pays {
                require_kind(balances, *account, AccountKind::Operator)?;
            }
            (hold.account, settle_moves(&hold, settlement))
        }
        Command::Void { hold } => {
            let hold = hold_to_end(balances, *hold, repeated)?;
            (hold.account, settle_moves(&hold, &Settlement::nothing(hold.amount)))
        }
        Command::SendOut { hold } => {
            let hold = hold_to_end(balances, *hold, repeated)?;
            let from = (hold.account, Held, negative(hold.amount));
            (hold.account, vec![from, (AccountId::OUTSIDE, Available, hold.amount)])
        }
        Command::Forfeit { from, clients, reserve, .. } => {
            let parts = || clients.iter().map(|(_, amount)| *amount).chain([*reserve]);
            let needed = Nano::checked_sum(parts()).ok_or(Rejected::BalanceOverflow(*from))?;
            require(needed.0 > 0 && parts().all(|part| part.0 >= 0), Rejected::BadAmount(needed))?;
            let available = require_kind(balances, *from, AccountKind::Operator)?;
            let enough = repeated || available >= needed;
            require(enough, Rejected::InsufficientCredit { available, needed })?;
            let mut moves = vec![
                (*from, Available, negative(needed)),
                (AccountId::RESERVE, Available, *reserve),
            ];
            for (client, amount) in clients {
                require_kind(balances, *client, AccountKind::Client)?;
                moves.push((*client, Available, *amount));
            }
            (*from, moves)
        }
    };
    entries(&moves).ok_or(Rejected::BalanceOverflow(owner))
}

fn settle_moves(hold: &Hold, settlement: &Settlement) -> Vec<(AccountId, Bucket, Nano)> {
    let mut moves = vec![
        (hold.account, Bucket::Held, negative(hold.amount)),
        (hold.account, Bucket::Available, settlement.returned),
        (AccountId::FEE, Bucket::Available, settlement.fee),
        (AccountId::RESERVE, Bucket::Available, settlement.reserve),
    ];
    moves.extend(settlement.pays.iter().map(|(to, pay)| (*to, Bucket::Available, *pay)));
    moves
}

/// The other side of an amount that is known not to be negative.
fn negative(amount: Nano) -> Nano {
    Nano(-amount.0)
}

fn hold_to_end(balances: &Balances, id: HoldId, repeated: bool) -> Result<Hold, Rejected> {
    let hold = *balances.holds.get(&id).ok_or(Rejected::UnknownHold(id))?;
    // The key of its end is taken when a hold has ended; this is the second lock on that door.
    let open = repeated || hold.state == HoldState::Open;
    require(open, Rejected::KeyConflict { key: Command::Void { hold: id }.key() })?;
    require_owned(balances, hold.account)?;
    Ok(hold)
}

fn require(holds: bool, otherwise: Rejected) -> Result<(), Rejected> {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// What the account has available, if it exists and is of this kind.
fn require_kind(balances: &Balances, id: AccountId, needed: AccountKind) -> Result<Nano, Rejected> {
    let account = balances.accounts.get(&id).ok_or(Rejected::UnknownAccount(id))?;
    require(account.kind == needed, Rejected::WrongKind { account: id, needed })?;
    Ok(account.available)
}

/// What the account has available, if it exists and is somebody's: a client's or an operator's.
fn require_owned(balances: &Balances, id: AccountId) -> Result<Nano, Rejected> {
    let account = balances.accounts.get(&id).ok_or(Rejected::UnknownAccount(id))?;
    let owned = account.kind != AccountKind::System;
    require(owned, Rejected::WrongKind { account: id, needed: AccountKind::Client })?;
    Ok(account.available)
}

/// Moves all entries, or none. System accounts keep no balance.
fn move_money(balances: &mut Balances, entries: &[Entry]) -> Result<(), Rejected> {
    let mut moved = Vec::with_capacity(entries.len());
    for Entry { account: id, bucket, amount } in entries.iter().filter(|e| !e.account.is_system()) {
        let account = balances.accounts.get(id).ok_or(Rejected::UnknownAccount(*id))?;
        let before = match bucket {
            Bucket::Available => account.available,
            Bucket::Held => account.held,
        };
        let after = before.checked_add(*amount).ok_or(Rejected::BalanceOverflow(*id))?;
        assert!(!after.is_negative(), "{id:?} {bucket:?} would be {after}");
        moved.push((*id, *bucket, after));
    }
    for (id, bucket, after) in moved {
        let account = balances.accounts.get_mut(&id).expect("it was there a line ago");
        match bucket {
            Bucket::Available => account.available = after,
            Bucket::Held => account.held = after,
        }
    }
    Ok(())
}

fn move_hold(balances: &mut Balances, command: &Command) {
    let mut end = |id, state| {
        balances.holds.entry(id).and_modify(|hold: &mut Hold| hold.state = state);
    };
    match command {
        Command::Grant { .. }
        | Command::TopUp { .. }
        | Command::Correct { .. }
        | Command::Forfeit { .. } => {}
        Command::Hold { hold, account, amount } => {
            let new = Hold { account: *account, amount: *amount, state: HoldState::Open };
            balances.holds.insert(*hold, new);
        }
        Command::Settle { hold, .. } | Command::SendOut { hold } => end(*hold, HoldState::Settled),
        Command::Void { hold } => end(*hold, HoldState::Voided),
    }
}

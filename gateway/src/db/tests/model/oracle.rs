//! The same commands in books that are not ours: `doubleentry`'s journal in memory. It keeps the balances, refuses
//! what would overdraw an account, and tells a repeated key from a conflicting one by its own rules.

use std::collections::HashMap;

use assay_ledger::{AccountId, Command, HoldId, Nano};
use doubleentry::{AccountKind, Amount, currency::USD, date};
use doubleentry::{BalanceLimit, BalanceQuery, Date, Entry, Error, Journal, LedgerId};

const DAY: Date = date!("2026-01-15");
const BOUNDLESS: [&str; 4] =
    ["Assets:Outside", "Assets:Promotion", "Income:Fee", "Liabilities:Reserve"];

/// Nano are the ninth decimal of its amounts.
type Books = Journal<9>;

/// See the head of this file.
pub(super) struct Oracle {
    books: Books,
    /// Of the holds that it took: whose, and how much.
    holds: HashMap<HoldId, (AccountId, Nano)>,
}

impl Oracle {
    pub(super) fn new(accounts: impl Iterator<Item = AccountId>) -> Self {
        let mut books = Books::with_precision(LedgerId::new("example.com/assay").unwrap());
        books.declare_currency(USD, 9, DAY).unwrap();
        books.define_months(2026, 1..=1).unwrap();
        for path in BOUNDLESS {
            let kind = match path.split(':').next() {
                Some("Assets") => AccountKind::Asset,
                Some("Income") => AccountKind::Income,
                _ => AccountKind::Liability,
            };
            books.open(path, kind, DAY).unwrap();
        }
        for path in accounts.flat_map(|account| [available(account), held(account)]) {
            books.open(&*path, AccountKind::Liability, DAY).unwrap();
            books.set_limit(&*path, BalanceLimit::NoDebitBalance, DAY).unwrap();
        }
        Self { books, holds: HashMap::new() }
    }

    /// Whether its rules let the command through; the reason where they do not.
    pub(super) fn decide(&mut self, command: &Command) -> Result<(), String> {
        let moves = match command {
            Command::Grant { account, amount, .. } => {
                vec![
                    ("Assets:Promotion".to_owned(), minus(*amount)),
                    (available(*account), *amount),
                ]
            }
            Command::TopUp { account, amount, .. } | Command::Correct { account, amount, .. } => {
                vec![("Assets:Outside".to_owned(), minus(*amount)), (available(*account), *amount)]
            }
            Command::Hold { account, amount, .. } => {
                vec![(available(*account), minus(*amount)), (held(*account), *amount)]
            }
            Command::Settle { hold, settlement } => {
                let (account, amount) = self.hold(*hold)?;
                let pays = settlement.pays.iter().map(|(to, pay)| (available(*to), *pay));
                let ours = [
                    (held(account), minus(amount)),
                    (available(account), settlement.returned),
                    ("Income:Fee".to_owned(), settlement.fee),
                    ("Liabilities:Reserve".to_owned(), settlement.reserve),
                ];
                ours.into_iter().chain(pays).collect()
            }
            Command::Void { hold } => {
                let (account, amount) = self.hold(*hold)?;
                vec![(held(account), minus(amount)), (available(account), amount)]
            }
            Command::Forfeit { from, clients, reserve, .. } => {
                let taken = clients.iter().map(|(_, amount)| amount.0).sum::<i64>() + reserve.0;
                let back = clients.iter().map(|(client, amount)| (available(*client), *amount));
                let ours = [
                    (available(*from), Nano(-taken)),
                    ("Liabilities:Reserve".to_owned(), *reserve),
                ];
                ours.into_iter().chain(back).collect()
            }
            Command::SendOut { hold } => {
                let (account, amount) = self.hold(*hold)?;
                vec![(held(account), minus(amount)), ("Assets:Outside".to_owned(), amount)]
            }
        };
        let mut entry = Entry::<9>::new(&*command.key(), DAY);
        for (path, Nano(amount)) in moves.iter().filter(|(_, amount)| *amount != Nano::ZERO) {
            let value = Amount::<9>::from_minor(i128::from(amount.unsigned_abs())).unwrap();
            entry = match *amount < 0 {
                true => entry.debit(&**path, value, USD),
                false => entry.credit(&**path, value, USD),
            };
        }
        match self.books.record(entry) {
            Ok(_) => {
                if let Command::Hold { hold, account, amount } = command {
                    self.holds.insert(*hold, (*account, *amount));
                }
                Ok(())
            }
            Err(Error::Rejected(why)) => Err(why.to_string()),
            Err(other) => panic!("the oracle cannot take {command:?}: {other}"),
        }
    }

    /// What an account has available and held.
    pub(super) fn balance(&self, account: AccountId) -> (Nano, Nano) {
        let nano = |path: String| {
            let balance = self.books.balance(&*path, USD, &BalanceQuery::all()).unwrap();
            let net = balance.credit().to_minor() - balance.debit().to_minor();
            Nano(i64::try_from(net).unwrap())
        };
        (nano(available(account)), nano(held(account)))
    }

    fn hold(&self, hold: HoldId) -> Result<(AccountId, Nano), String> {
        self.holds.get(&hold).copied().ok_or_else(|| format!("{hold:?} was never taken"))
    }
}

fn available(account: AccountId) -> String {
    format!("Liabilities:A{account}:Available")
}

fn held(account: AccountId) -> String {
    format!("Liabilities:A{account}:Held")
}

fn minus(amount: Nano) -> Nano {
    Nano(-amount.0)
}

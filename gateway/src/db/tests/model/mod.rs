//! Random commands: the store agrees, batch by batch, with the pure rules and with books that are not ours.

mod commands;
mod oracle;

use std::{
    env,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use assay_ledger::{Account, AccountId, AccountKind, Balances, Command, Nano, apply};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{Client, client, grant, node, on_each_engine};
use crate::{
    audit::audit,
    db::{Db, JobEnd, NewJob, NodeRow, accounts, jobs, writer::Request},
};
use commands::Dice;
use oracle::Oracle;

/// Commands in every run of the tests, and in the long form.
const COMMANDS: usize = 10_000;
const COMMANDS_LONG: usize = 1_000_000;
/// Commands that are told at once, and so may be committed together.
const TOLD_AT_ONCE_MAX: usize = 64;
/// What an audit says of top-ups, withdrawals and forfeits that were posted without the rows that go with them.
const ROWS_MISSING: [&str; 4] =
    ["job_of_hold", "withdrawal_of_hold", "top_up_missing", "forfeit_missing"];

/// What the store is asked to do.
enum Told {
    Grant { account: AccountId, amount: Nano, key: String },
    Open(NewJob),
    End(Box<JobEnd>),
    Post(Command),
}

/// The same books three times: in the store, by the pure rules, and by somebody else's rules.
struct Triplets<'a> {
    db: &'a Db,
    clients: [Client; 2],
    nodes: [NodeRow; 3],
    pure: Balances,
    oracle: Oracle,
}

#[tokio::test]
async fn random_commands_agree_with_the_pure_rules_and_an_independent_oracle() {
    let commands = match env::var_os("ASSAY_TEST_LONG") {
        Some(_) => COMMANDS_LONG,
        None => COMMANDS,
    };
    on_each_engine(async |db| {
        let mut books = Triplets::new(db).await;
        // The same commands every time, on both engines.
        let (mut dice, mut sizes) = (Dice::new(11), StdRng::seed_from_u64(12));
        let (mut told, mut done) = (0, 0);
        while told < commands {
            let size = sizes.random_range(1..=TOLD_AT_ONCE_MAX).min(commands - told);
            let batch: Vec<_> = (0..size).map(|_| dice.command(&books)).collect();
            let stored = all_in_order(batch.iter().map(|(_, asked)| books.store(asked))).await;
            for ((command, _), stored) in batch.iter().zip(stored) {
                done += usize::from(books.decide(command, stored));
            }
            books.compare().await;
            told += size;
        }
        assert!((told / 4..told).contains(&done), "{done} of {told} were let through");
        let fault = audit(db).await.unwrap().fault;
        let other = fault.filter(|fault| !ROWS_MISSING.contains(&fault.check));
        assert_eq!(other, None, "besides the rows that go with some of them");
        eprintln!("{}: {told} commands, {done} of them let through", db.engine());
    })
    .await;
}

impl<'a> Triplets<'a> {
    async fn new(db: &'a Db) -> Self {
        let clients = [client(db, Nano::ZERO).await, client(db, Nano::ZERO).await];
        let nodes = [node(db, 1).await, node(db, 2).await, node(db, 3).await];
        let empty = |kind| Account { kind, available: Nano::ZERO, held: Nano::ZERO };
        let kinds = clients.iter().map(|client| (client.account, empty(AccountKind::Client)));
        let kinds = kinds.chain(nodes.iter().map(|n| (n.account, empty(AccountKind::Operator))));
        let pure = Balances { accounts: kinds.collect(), ..Balances::default() };
        let oracle = Oracle::new(pure.accounts.keys().copied());
        Self { db, clients, nodes, pure, oracle }
    }

    /// Whether the store lets it through.
    async fn store(&self, told: &Told) -> bool {
        match told {
            Told::Grant { account, amount, key } => {
                grant(self.db, *account, *amount, key).await.is_ok()
            }
            Told::Open(job) => jobs::open(self.db, job).await.is_ok(),
            Told::End(end) => jobs::end(self.db, end).await.is_ok(),
            Told::Post(command) => {
                let (command, note) = (command.clone(), String::new());
                self.db.write(Request::Post { command, note, at_ms: 1 }).await.is_ok()
            }
        }
    }

    /// The two others must say the same.
    fn decide(&mut self, command: &Command, stored: bool) -> bool {
        let pure = apply(&mut self.pure, command);
        assert_eq!(pure.is_ok(), stored, "{command:?}: {pure:?}");
        let oracle = self.oracle.decide(command);
        assert_eq!(oracle.is_ok(), stored, "{command:?}: {oracle:?}");
        stored
    }

    async fn compare(&self) {
        for (id, account) in &self.pure.accounts {
            let pure = (account.available, account.held);
            let stored = accounts::balance(self.db, *id).await.unwrap();
            assert_eq!((stored.available, stored.held), pure, "{id:?}");
            assert_eq!(self.oracle.balance(*id), pure, "{id:?} by the oracle");
        }
    }
}

/// Runs all of them at once; they begin in this order, and so they reach the writer.
async fn all_in_order<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<F>>> = all.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = running.iter().map(|_| None).collect();
    poll_fn(|context: &mut Context<'_>| {
        for (one, done) in running.iter_mut().zip(&mut done).filter(|(_, done)| done.is_none()) {
            if let Poll::Ready(output) = one.as_mut().poll(context) {
                *done = Some(output);
            }
        }
        if done.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

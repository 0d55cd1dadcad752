//! Random commands: the store agrees with the pure rules after each.

use assay_ledger::{Account, AccountKind, Balances, Command, HoldId, Nano, Settlement, apply};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};

use super::{Client, client, ending, grant, job, node, on_each_engine, success};
use crate::{
    audit::audit,
    db::{Db, JobEnd, JobState, NodeRow, accounts, jobs},
};

/// What a test does; few names and amounts, so that they meet.
#[derive(Clone, Debug)]
enum Op {
    Grant { key: String, client: usize, amount: i64 },
    Open { job: u128, client: usize, amount: i64 },
    Succeed { job: u128, hold: i64, cost: i64, passed: usize },
    Fail { job: u128 },
}

fn any_op() -> impl Strategy<Value = Op> {
    let amount = || prop::sample::select(vec![70, 100]);
    prop_oneof![
        ("[a-f]", 0..2usize, amount()).prop_map(|(key, client, amount)| Op::Grant {
            key,
            client,
            amount
        }),
        (1..9u128, 0..2usize, amount()).prop_map(|(job, client, amount)| Op::Open {
            job,
            client,
            amount
        }),
        (1..9u128, amount(), 50..70i64, 1..=3usize)
            .prop_map(|(job, hold, cost, passed)| Op::Succeed { job, hold, cost, passed }),
        (1..9u128).prop_map(|job| Op::Fail { job }),
    ]
}

/// The same books twice: in the store, and in memory.
struct Twins<'a> {
    db: &'a Db,
    clients: [Client; 2],
    nodes: [NodeRow; 3],
    pure: Balances,
}

#[tokio::test]
async fn the_store_and_the_pure_rules_agree() {
    // A fixed seed: the same commands every time, on both engines.
    let mut runner = TestRunner::deterministic();
    let ops = prop::collection::vec(any_op(), 300).new_tree(&mut runner).unwrap().current();
    on_each_engine(async |db| {
        let mut twins = Twins::new(db).await;
        let mut posted = 0;
        for op in &ops {
            posted += usize::from(twins.run(op).await);
            twins.compare().await;
        }
        assert!(posted > 20, "only {posted} commands were let through");
        let report = audit(db).await.unwrap();
        assert!(report.is_clean(), "{report}");
    })
    .await;
}

impl<'a> Twins<'a> {
    async fn new(db: &'a Db) -> Self {
        let clients = [client(db, Nano::ZERO).await, client(db, Nano::ZERO).await];
        let nodes = [node(db, 1).await, node(db, 2).await, node(db, 3).await];
        let empty = |kind| Account { kind, available: Nano::ZERO, held: Nano::ZERO };
        let kinds = clients.iter().map(|client| (client.account, empty(AccountKind::Client)));
        let kinds = kinds.chain(nodes.iter().map(|n| (n.account, empty(AccountKind::Operator))));
        let pure = Balances { accounts: kinds.collect(), ..Balances::default() };
        Self { db, clients, nodes, pure }
    }

    /// Runs it on both; whether they let it through, which must be alike.
    async fn run(&mut self, op: &Op) -> bool {
        let (command, stored) = match op {
            Op::Grant { key, client, amount } => {
                let (account, amount) = (self.clients[*client].account, Nano(*amount));
                let stored = grant(self.db, account, amount, key).await.is_ok();
                (Command::Grant { key: key.clone(), account, amount }, stored)
            }
            Op::Open { job: id, client, amount } => {
                let (client, amount) = (&self.clients[*client], Nano(*amount));
                let stored = jobs::open(self.db, &job(client, *id, amount)).await.is_ok();
                (Command::Hold { hold: HoldId(*id), account: client.account, amount }, stored)
            }
            Op::Succeed { job: id, hold, cost, passed } => {
                let job = job(&self.clients[0], *id, Nano(*hold));
                let cost = Nano(*cost.min(hold));
                self.end(*id, success(&job, cost, &self.nodes, *passed)).await
            }
            Op::Fail { job: id } => {
                let hold = self.pure.holds.get(&HoldId(*id)).map(|hold| hold.amount);
                let job = job(&self.clients[0], *id, hold.unwrap_or_default());
                self.end(*id, ending(&job, JobState::Failed, Settlement::nothing(job.hold))).await
            }
        };
        let pure = apply(&mut self.pure, &command);
        assert_eq!(pure.is_ok(), stored, "{op:?}: {pure:?}");
        stored
    }

    async fn end(&self, id: u128, end: JobEnd) -> (Command, bool) {
        let hold = HoldId(id);
        let stored = jobs::end(self.db, &end).await.is_ok();
        let command = Command::Settle { hold, settlement: end.charge.clone() };
        (if end.charge.is_nothing() { Command::Void { hold } } else { command }, stored)
    }

    async fn compare(&self) {
        for (id, account) in &self.pure.accounts {
            let stored = accounts::balance(self.db, *id).await.unwrap();
            assert_eq!(
                (stored.available, stored.held),
                (account.available, account.held),
                "{id:?}"
            );
        }
    }
}

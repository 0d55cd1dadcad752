//! Which commands a random run tells: few names and amounts, so that they meet, repeat and contradict each other.

use assay_ledger::{Command, HoldId, Nano, Settlement};
use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{
    super::{ending, job, success},
    Told, Triplets,
};
use crate::db::{JobEnd, JobState};

/// Names of jobs, keys and withdrawals in use at once; older ones are not used again.
const NAMES: u64 = 12;
/// Commands after which there is a new name.
const COMMANDS_PER_NAME: u64 = 4;
/// Withdrawals are named apart from jobs.
const WITHDRAWALS: u128 = 1 << 64;
const AMOUNTS: [i64; 3] = [70, 100, 300];

/// See the head of this file.
pub(super) struct Dice {
    random: StdRng,
    told: u64,
}

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), told: 0 }
    }

    /// The next command: as the rules see it, and as the store is told.
    pub(super) fn command(&mut self, books: &Triplets<'_>) -> (Command, Told) {
        self.told += 1;
        let name = self.told / COMMANDS_PER_NAME + self.random.random_range(1..=NAMES);
        let amount = AMOUNTS[self.random.random_range(0..AMOUNTS.len())];
        let client = &books.clients[self.random.random_range(0..2)];
        match self.random.random_range(0..22) {
            0..4 => {
                let (key, account, amount) = (name.to_string(), client.account, Nano(amount));
                let told = Told::Grant { account, amount, key: key.clone() };
                (Command::Grant { key, account, amount }, told)
            }
            4 => {
                let (key, account, amount) = (name.to_string(), client.account, Nano(amount));
                post(Command::TopUp { key, account, amount })
            }
            5..11 => {
                let (hold, account, amount) = (HoldId(name.into()), client.account, Nano(amount));
                let told = Told::Open(job(client, name.into(), amount));
                (Command::Hold { hold, account, amount }, told)
            }
            11..15 => {
                let job = job(client, name.into(), Nano(amount));
                let cost = Nano(self.random.random_range(50..70));
                let passed = self.random.random_range(1..=3);
                end(name, success(&job, cost, &books.nodes, passed))
            }
            15..17 => {
                let held = books.pure.holds.get(&HoldId(name.into())).map(|hold| hold.amount);
                let job = job(client, name.into(), held.unwrap_or(Nano(amount)));
                end(name, ending(&job, JobState::Failed, Settlement::nothing(job.hold)))
            }
            17 => {
                let account = books.nodes[self.random.random_range(0..3)].account;
                post(Command::Hold { hold: withdrawal(name), account, amount: Nano(amount) })
            }
            18 => {
                let from = books.nodes[self.random.random_range(0..3)].account;
                let clients = vec![(client.account, Nano(amount / 10))];
                let (key, reserve) = (name.to_string(), Nano(self.random.random_range(0..3)));
                post(Command::Forfeit { key, from, clients, reserve })
            }
            20 => {
                let taken = self.random.random_range(0..2) == 0;
                let amount = Nano(if taken { -amount } else { amount });
                post(Command::Correct { key: name.to_string(), account: client.account, amount })
            }
            19 => post(Command::SendOut { hold: withdrawal(name) }),
            _ => post(Command::Void { hold: withdrawal(name) }),
        }
    }
}

fn withdrawal(name: u64) -> HoldId {
    HoldId(WITHDRAWALS + u128::from(name))
}

fn post(command: Command) -> (Command, Told) {
    (command.clone(), Told::Post(command))
}

/// An end that gives all back is a settlement, too: of an amount, which may be another than was held.
fn end(name: u64, end: JobEnd) -> (Command, Told) {
    let (hold, settlement) = (HoldId(name.into()), end.charge.clone());
    (Command::Settle { hold, settlement }, Told::End(Box::new(end)))
}

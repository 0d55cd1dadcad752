//! Whose money is moved: clients, of whom few ask often (Zipf), and nodes.

use assay_gateway::{
    db::{
        Actor, Checkpoint, CheckpointPart, CheckpointSettlement, Db, JobEnd, JobNodeEnd, JobState,
        NewGrant, NewJob, credits,
        yardstick::{self, Crowd as Accounts},
    },
    reasons::Reason,
};
use assay_ledger::{Nano, PayRules, Round, Settlement, Share, payout};
use assay_protocol::{JobId, NodeId, Outcome};
use rand::Rng;
use tokio::task::JoinSet;
use uuid::Uuid;

const NODES_ASKED: usize = 3;
/// Of a whole answer.
pub const TOKENS: u32 = 200;
/// More than any of them spends.
pub const CREDIT: Nano = Nano(1_000_000_000_000);
const HELD: Nano = Nano(150_000);
/// Of a whole answer.
pub const COST: Nano = Nano(97_531);
const RULES: PayRules = PayRules { fee_ppm: 50_000, cap_per_mille: Some(1_500) };

/// See the head of this file.
#[derive(Debug)]
pub struct Crowd {
    pub accounts: Accounts,
    /// Of each client and those before it, how often they ask.
    asked: Vec<f64>,
}

impl Crowd {
    /// Makes so many in an empty database, the clients with [`CREDIT`] each.
    pub async fn with_credit(db: &Db, clients: i64, nodes: i64) -> anyhow::Result<Self> {
        let accounts = yardstick::crowd(db, clients, nodes).await?;
        let mut grants = JoinSet::new();
        for (account, _) in &accounts.clients {
            let (db, account) = (db.clone(), *account);
            grants.spawn(async move {
                let (key, note) = (account.to_string(), String::new());
                let admin = Actor { name: "an admin".into(), at_ms: 0 };
                let grant = NewGrant { account, amount: CREDIT, key, note };
                credits::grant(&db, &grant, &admin).await
            });
        }
        grants.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(Self::of(accounts))
    }

    /// Those that [`Crowd::with_credit`] made before.
    pub fn known(clients: i64, nodes: i64) -> Self {
        Self::of(Accounts::of(clients, nodes))
    }

    fn of(accounts: Accounts) -> Self {
        let mut asked = 0.0;
        let asked = (1..=accounts.clients.len()).map(|rank| {
            asked += 1.0 / f64::from(u32::try_from(rank).unwrap_or(u32::MAX));
            asked
        });
        Self { asked: asked.collect(), accounts }
    }

    /// A job of somebody.
    pub fn job(&self, random: &mut impl Rng) -> NewJob {
        let all = self.asked.last().copied().unwrap_or_default();
        let drawn = random.random_range(0.0..all);
        let (account, key) =
            self.accounts.clients[self.asked.partition_point(|asked| *asked < drawn)];
        NewJob {
            id: JobId(Uuid::now_v7()),
            gateway: "gw-bench".into(),
            account,
            key,
            model: "assay-demo".into(),
            policy: "standard".into(),
            prompt_tokens: 120,
            max_tokens: 256,
            hold: HELD,
            created_ms: 1_700_000_000_000,
            lease: None,
            lasts_ms_max: 600_000,
            holds_open_max: 100_000,
        }
    }

    /// Three nodes that all passed, and what they are paid for so many tokens.
    pub fn settlement(&self, tokens: u32, random: &mut impl Rng) -> (Settlement, Vec<NodeId>) {
        let first = random.random_range(0..self.accounts.nodes.len());
        let nodes = self.accounts.nodes.iter().cycle().skip(first).take(NODES_ASKED);
        let passed = nodes.clone().map(|(_, account)| Share { account: *account, tokens });
        let passed: Vec<Share> = passed.collect();
        let asked = u32::try_from(NODES_ASKED).unwrap_or_default();
        let round = Round {
            held: HELD,
            cost: cost_of(tokens),
            asked,
            tokens,
            passed: &passed,
            majority_refuted: false,
        };
        (payout(&round, &RULES), nodes.map(|(node, _)| *node).collect())
    }

    /// That job answered.
    pub fn end(&self, job: &NewJob, random: &mut impl Rng) -> JobEnd {
        let (charge, nodes) = self.settlement(TOKENS, random);
        let parts = nodes.into_iter().zip(charge.pays.clone()).map(|(node, (_, pay))| JobNodeEnd {
            node,
            round: 1,
            role: "generate",
            outcome: Outcome::Agreed,
            reason: "gave the answer that was accepted".into(),
            evidence: "{}".into(),
            tokens: TOKENS,
            pay,
            elapsed_ms: 900,
            reputation: None,
        });
        JobEnd {
            id: job.id,
            state: JobState::Succeeded,
            finish: Some("stop".into()),
            completion_tokens: TOKENS,
            rounds: 1,
            nodes: parts.collect(),
            charge,
            reason: "answered".into(),
            code: None,
            verdict: Some(r#"{"rule":"agreement"}"#.into()),
            ended_ms: job.created_ms + 900,
            receipt: None,
        }
    }

    /// That job given up.
    pub fn released(&self, job: &NewJob) -> JobEnd {
        JobEnd {
            id: job.id,
            state: JobState::Failed,
            finish: None,
            completion_tokens: 0,
            rounds: 1,
            nodes: Vec::new(),
            receipt: None,
            charge: Settlement::nothing(job.hold),
            reason: "nobody answered".into(),
            code: Some(Reason::NoNodes),
            verdict: None,
            ended_ms: job.created_ms + 900,
        }
    }

    /// So many tokens of that job's answer delivered.
    pub fn checkpoint(&self, job: &NewJob, tokens: u32, random: &mut impl Rng) -> Checkpoint {
        let (charge, nodes) = self.settlement(tokens, random);
        let parts = nodes.into_iter().zip(charge.pays.clone());
        let part = |(node, (_, pay))| CheckpointPart { node, tokens, pay, elapsed_ms: 500 };
        let (parts, asked) = (parts.map(part).collect(), Vec::new());
        let settlement =
            CheckpointSettlement { completion_tokens: tokens, round: 1, charge, parts, asked };
        Checkpoint { job: job.id, settlement }
    }
}

/// What so many tokens cost.
pub fn cost_of(tokens: u32) -> Nano {
    Nano(COST.0 * i64::from(tokens) / i64::from(TOKENS))
}

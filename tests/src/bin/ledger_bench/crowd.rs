//! Whose money is moved: ten thousand clients, of whom few ask often (Zipf), and three hundred nodes.

use assay_gateway::db::{
    Db, JobEnd, JobNodeEnd, JobState, NewGrant, NewJob, credits,
    yardstick::{self, Crowd as Accounts},
};
use assay_ledger::{Nano, PayRules, Round, Settlement, Share, payout};
use assay_protocol::{JobId, NodeId, Outcome};
use rand::Rng;
use tokio::task::JoinSet;
use uuid::Uuid;

const CLIENTS: i64 = 10_000;
const NODES: i64 = 300;
const NODES_ASKED: usize = 3;
const TOKENS: u32 = 200;
/// More than any of them spends while we measure.
const CREDIT: Nano = Nano(1_000_000_000_000);
const HELD: Nano = Nano(150_000);
const COST: Nano = Nano(97_531);
const RULES: PayRules = PayRules { fee_ppm: 50_000, cap_per_mille: Some(1_500) };

/// See the head of this file.
#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) accounts: Accounts,
    /// Of each client and those before it, how often they ask.
    asked: Vec<f64>,
}

impl Crowd {
    pub(crate) async fn with_credit(db: &Db) -> anyhow::Result<Self> {
        let accounts = yardstick::crowd(db, CLIENTS, NODES).await?;
        let mut grants = JoinSet::new();
        for (account, _) in &accounts.clients {
            let (db, account) = (db.clone(), *account);
            grants.spawn(async move {
                let (key, note) = (account.to_string(), String::new());
                credits::grant(&db, &NewGrant { account, amount: CREDIT, key, note, at_ms: 0 })
                    .await
            });
        }
        grants.join_all().await.into_iter().collect::<Result<Vec<_>, _>>()?;
        let mut asked = 0.0;
        let asked = (1..=CLIENTS).map(|rank| {
            asked += 1.0 / f64::from(i32::try_from(rank).unwrap_or(i32::MAX));
            asked
        });
        Ok(Self { asked: asked.collect(), accounts })
    }

    /// A job of somebody.
    pub(crate) fn job(&self) -> NewJob {
        let all = self.asked.last().copied().unwrap_or_default();
        let drawn = rand::rng().random_range(0.0..all);
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

    /// Three nodes that all passed, and what they are paid.
    pub(crate) fn settlement(&self) -> (Settlement, Vec<NodeId>) {
        let first = rand::rng().random_range(0..self.accounts.nodes.len());
        let nodes = self.accounts.nodes.iter().cycle().skip(first).take(NODES_ASKED);
        let passed = nodes.clone().map(|(_, account)| Share { account: *account, tokens: TOKENS });
        let passed: Vec<Share> = passed.collect();
        let asked = u32::try_from(NODES_ASKED).unwrap_or_default();
        let round = Round {
            held: HELD,
            cost: COST,
            asked,
            tokens: TOKENS,
            passed: &passed,
            majority_refuted: false,
        };
        (payout(&round, &RULES), nodes.map(|(node, _)| *node).collect())
    }

    /// That job answered.
    pub(crate) fn end(&self, job: &NewJob) -> JobEnd {
        let (charge, nodes) = self.settlement();
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
            verdict: Some(r#"{"rule":"agreement"}"#.into()),
            ended_ms: job.created_ms + 900,
            receipt: None,
        }
    }
}

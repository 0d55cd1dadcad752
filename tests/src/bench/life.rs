//! The life of a cheat in a pool of honest nodes: it earns its name by honest work, then it cheats, until it is
//! banned or the time is over. Verdicts over real answers, the real record, the real ban test.

use assay_gateway::serving::policy::{CORRECTNESS_FOR_A_PAIR, PAY_CAP_PER_MILLE};
use assay_ledger::{Earned, Maturity, Nano};
use assay_protocol::Outcome;
use assay_verifier::{
    Finding,
    record::{Consequence, Record},
    reputation::AUDIT_PROBABILITY_MIN,
};
use rand::{Rng, rngs::StdRng};

use super::rules::Ruling;

/// Jobs that a life lasts after the first lie.
pub const JOBS: u32 = 1_000;
/// Honest jobs before that: a name as good as names get.
pub const HONEST_JOBS_BEFORE: usize = 1_000;
/// An honest node's own cost of a job, in shares of its pay; a cheat saves all of it in the jobs that it cheats in.
pub const COST: f64 = 0.5;
/// What an output token pays to each of a group that is paid alike.
const PAY_PER_TOKEN: Nano = Nano(1_000_000);
/// Between two jobs. So few in a day that pay matures by checks, which takes longer, and not by time.
const JOB_EACH_MS: i64 = 3_600_000;

/// The client's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Low,
    Standard,
    High,
}

impl Policy {
    pub const ALL: [Self; 3] = [Self::Low, Self::Standard, Self::High];

    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Standard => "standard",
            Self::High => "high",
        }
    }
}

/// What becomes of one job of the node, by who else had it and whether it was audited. The node is the first.
#[derive(Clone, Debug)]
pub struct JobTable {
    /// Nobody else.
    pub alone: [Ruling; 2],
    /// Another honest node, or the accomplice.
    pub pair: [Ruling; 2],
    /// Two others: honest ones, or the accomplice and an honest one.
    pub three: [Ruling; 2],
    pub tokens: u32,
}

/// A job that it did honestly before it began to lie.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// Of the pass.
    pub weight: f64,
    pub tokens: u32,
}

/// What the node does.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub policy: Policy,
    /// In how many jobs of a hundred it cheats.
    pub cheats_percent: u32,
    /// What a job that it cheats in costs it, in shares of its pay.
    pub cost_of_a_lie: f64,
    /// Whether an accomplice of the same good name has every job with it, and says the same.
    pub with_accomplice: bool,
}

/// How it went.
#[derive(Clone, Copy, Debug, Default)]
pub struct Life {
    pub lies: u32,
    pub lies_caught: u32,
    /// Whether the first lie was caught, while the node's name was still good.
    pub first_lie_caught: bool,
    pub caught_in_100_jobs: bool,
    /// Counted from the first job in which it may cheat.
    pub jobs_to_quarantine: Option<u32>,
    pub tokens_to_quarantine: Option<u64>,
    pub jobs_to_ban: Option<u32>,
    /// The pay that was not its own yet when it was banned, in jobs' mean pay: it was forfeited.
    pub forfeited: f64,
    /// What it has at the end over what an honest node has, less 1: the pay that was immature at the first lie, the pay
    /// since then, less the cost of the work since then and what the ban took. 0 is as good as honest, −1 is to have
    /// lost everything; below that, the cost of its honest jobs too.
    pub profit_over_honest: f64,
    /// The same if a ban took nothing, and only ended what it earns.
    pub profit_without_forfeits: f64,
}

/// A node with every job that it was paid for.
#[derive(Clone, Debug)]
struct Node {
    record: Record,
    jobs: Vec<Earned>,
    /// Of them, those before the first lie.
    before: usize,
    /// Of the work since then, in nano.
    cost: f64,
    /// The pay that was immature when it began to lie: about what it has at stake from then on.
    at_stake: Nano,
    /// What an honest job pays on average, in nano.
    job_pay: f64,
}

/// Lives once. `before`: the passes that made its name; every one of those jobs was paid, by its tokens like any other.
pub fn live(
    plan: Plan,
    before: &[Past],
    lies: &[JobTable],
    honest: &[JobTable],
    dice: &mut StdRng,
) -> Life {
    let mut node = Node::with_name(before, honest);
    let mut life = Life::default();
    let mut tokens = 0;
    for job in 1..=JOBS {
        let lying = dice.random_range(0..100) < plan.cheats_percent;
        let number = dice.random_range(0..lies.len());
        let table = if lying { &lies[number] } else { &honest[number] };
        tokens += u64::from(table.tokens);
        let (outcome, finding, asked, paid) = node.does(plan, table, dice);
        node.earn(outcome, asked, paid, finding, table.tokens);
        let cost = if lying { plan.cost_of_a_lie } else { COST };
        node.cost += cost * as_f64(pay(table.tokens));
        let caught = matches!(finding, Some(Finding::Failed { .. }));
        if lying {
            life.first_lie_caught |= life.lies == 0 && caught;
            life.lies += 1;
            life.lies_caught += u32::from(caught);
        }
        life.caught_in_100_jobs |= caught && job <= 100;
        let Some(finding) = finding else { continue };
        match node.record.apply(finding) {
            Consequence::None => {}
            Consequence::Quarantine | Consequence::BanCandidate => {
                life.jobs_to_quarantine.get_or_insert(job);
                life.tokens_to_quarantine.get_or_insert(tokens);
            }
            Consequence::Ban => {
                life.jobs_to_quarantine.get_or_insert(job);
                life.tokens_to_quarantine.get_or_insert(tokens);
                life.jobs_to_ban = Some(job);
                life.forfeited = node.in_jobs(immature(&node.jobs));
                break;
            }
        }
    }
    life.profit_over_honest = node.over_honest(life.forfeited);
    life.profit_without_forfeits = node.over_honest(0.0);
    life
}

impl Node {
    fn with_name(before: &[Past], honest: &[JobTable]) -> Self {
        let pays: f64 = honest.iter().map(|job| as_f64(pay(job.tokens))).sum();
        let mut node = Self {
            record: Record::default(),
            jobs: Vec::new(),
            before: before.len(),
            cost: 0.0,
            at_stake: Nano::ZERO,
            job_pay: pays / f64::from(u32::try_from(honest.len()).expect("some jobs")),
        };
        for Past { weight, tokens } in before {
            let passed = Finding::Passed { weight: *weight };
            node.record.apply(passed);
            node.earn(Outcome::Agreed, 1, 1, Some(passed), *tokens);
        }
        node.at_stake = immature(&node.jobs);
        node
    }

    /// One job: who is asked, whether it is audited, and what the verdict says of this node.
    fn does(
        &self,
        plan: Plan,
        table: &JobTable,
        dice: &mut StdRng,
    ) -> (Outcome, Option<Finding>, usize, usize) {
        let proven = self.record.is_proven();
        // Of a group the members' largest: the others are proven, with more at stake.
        let audit = self.record.audit_probability(pay(table.tokens).0, self.at_stake.0);
        let audit = audit.max(AUDIT_PROBABILITY_MIN);
        let audited = dice.random_bool(audit);
        let group = |rulings: &[Ruling; 2], audited: bool| {
            let verdict = &rulings[usize::from(audited)].verdict;
            let paid = verdict.outcomes.iter().filter(|outcome| outcome.is_paid()).count();
            (verdict.outcomes[0], verdict.findings[0], verdict.outcomes.len(), paid)
        };
        match plan.policy {
            Policy::Low if proven => group(&table.alone, audited),
            Policy::Low => group(&table.pair, audited),
            Policy::Standard => {
                let is_enough = self.record.evidence.correctness() >= CORRECTNESS_FOR_A_PAIR;
                // Next to an honest node with a name two are always enough; two accomplices need one of their own.
                let pair = !plan.with_accomplice || (proven && is_enough);
                group(if pair { &table.pair } else { &table.three }, audited)
            }
            Policy::High => group(&table.three, true),
        }
    }

    /// One job more.
    fn earn(
        &mut self,
        outcome: Outcome,
        asked: usize,
        paid: usize,
        finding: Option<Finding>,
        tokens: u32,
    ) {
        let one = pay(tokens).0;
        let each = one * small(asked) / small(paid).max(1);
        let most = one * i64::from(PAY_CAP_PER_MILLE) / 1_000;
        let pay = if outcome.is_paid() { Nano(each.min(most)) } else { Nano::ZERO };
        let checked_micro = match finding {
            Some(Finding::Passed { weight }) => micro(weight),
            _ => 0,
        };
        self.jobs.push(Earned { pay, ended_ms: now_ms(&self.jobs) + JOB_EACH_MS, checked_micro });
    }

    fn over_honest(&self, forfeited: f64) -> f64 {
        let (before, since) = self.jobs.split_at(self.before);
        let had = self.in_jobs(immature(before));
        let earned = self.in_jobs(Nano(since.iter().map(|job| job.pay.0).sum()));
        let honest = had + f64::from(JOBS) * (1.0 - COST);
        (had + earned - forfeited - self.cost / self.job_pay) / honest - 1.0
    }

    fn in_jobs(&self, pay: Nano) -> f64 {
        as_f64(pay) / self.job_pay
    }
}

/// What a ban would take, by the gateway's default rules.
fn immature(jobs: &[Earned]) -> Nano {
    Maturity::default().immature(jobs.iter().rev().copied(), now_ms(jobs))
}

fn now_ms(jobs: &[Earned]) -> i64 {
    jobs.last().map_or(0, |job| job.ended_ms)
}

/// What a job of so many tokens pays to each of a group that is paid alike.
fn pay(tokens: u32) -> Nano {
    Nano(PAY_PER_TOKEN.0 * i64::from(tokens))
}

#[expect(clippy::cast_precision_loss, reason = "the pay of some thousand jobs is far below 2^53")]
fn as_f64(pay: Nano) -> f64 {
    pay.0 as f64
}

#[expect(clippy::cast_possible_truncation, reason = "a weight is between 0 and 1")]
fn micro(weight: f64) -> i64 {
    (weight * 1e6) as i64
}

fn small(count: usize) -> i64 {
    i64::try_from(count).expect("a few nodes")
}

//! The table of attackers: every kind's lives under every policy.

use assay_protocol::GenerateStart;
use assay_verifier::bounds::{Bounds, bounds_95};
use rand::{SeedableRng, rngs::StdRng};
use serde::Serialize;

use super::{
    life::{self, HONEST_JOBS_BEFORE, JobTable, Life, Past, Plan, Policy},
    rules::Court,
    sample::Sample,
};

/// An intermittent cheat lies in one job of ten.
const SOMETIMES_PERCENT: u32 = 10;

/// One kind under one policy.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    pub name: String,
    pub policy: &'static str,
    /// Lies in one job of ten instead of in all.
    pub intermittent: bool,
    /// How often the first lie of a node with a good name was caught.
    pub caught_per_answer: f64,
    pub caught_per_answer_bounds: Bounds,
    /// How often a lie fails if it is looked at.
    pub caught_if_checked: f64,
    pub caught_if_checked_bounds: Bounds,
    /// Lies that were looked at, and those of them that failed.
    pub lies_checked: u64,
    pub lies_failed: u64,
    /// How often the node was caught within its first 100 jobs.
    pub caught_in_100_jobs: f64,
    pub caught_in_100_jobs_bounds: Bounds,
    /// On average, from its first chance to lie; nothing if it never was.
    pub jobs_to_quarantine: Option<f64>,
    pub tokens_to_quarantine: Option<f64>,
    pub jobs_to_ban: Option<f64>,
    pub jobs_to_ban_max: Option<u32>,
    pub banned: u32,
    pub lives: u32,
    /// In jobs' pay, on average over the banned: the pay that was not theirs yet.
    pub forfeited_jobs: f64,
    /// What it has after 1,000 jobs' time over what an honest node has: −1 is nothing, 0 the same.
    pub profit_over_honest: f64,
    /// The same if a ban took nothing.
    pub profit_without_forfeits: f64,
}

/// A kind with its jobs.
#[derive(Clone, Debug)]
pub struct Cast<'a> {
    pub name: &'a str,
    pub lies: Vec<JobTable>,
    pub plan: Plan,
    /// Its jobs before the first lie.
    pub before: Vec<Past>,
}

/// Verdicts over what one node says and what honest ones say to the same jobs.
pub fn jobs(
    court: &Court,
    starts: &[GenerateStart],
    own: &[Sample],
    honest: &[Sample],
    with_accomplice: bool,
) -> Vec<JobTable> {
    let table = |((start, own), honest): ((&GenerateStart, &Sample), &Sample)| {
        let second = if with_accomplice { own } else { honest };
        let rule = |samples: &[&Sample], audited| court.rule(start, samples, audited);
        JobTable {
            alone: [false, true].map(|audited| rule(&[own], audited)),
            pair: [false, true].map(|audited| rule(&[own, second], audited)),
            three: [false, true].map(|audited| rule(&[own, second, honest], audited)),
            tokens: u32::try_from(own.scores.len()).expect("a short answer"),
        }
    };
    starts.iter().zip(own).zip(honest).map(table).collect()
}

/// These answers, repeated to the length of an honest past.
pub fn honest_past(court: &Court, starts: &[GenerateStart], samples: &[Sample]) -> Vec<Past> {
    let past = starts.iter().zip(samples).map(|(start, sample)| Past {
        weight: court.check(start, sample).pass_weight(&super::rules::said(1, sample)),
        tokens: u32::try_from(sample.scores.len()).expect("a short answer"),
    });
    let some: Vec<Past> = past.take(HONEST_JOBS_BEFORE).collect();
    some.iter().copied().cycle().take(HONEST_JOBS_BEFORE).collect()
}

/// A kind's rows: each policy, lying always and in one job of ten.
pub fn rows(cast: &Cast<'_>, honest: &[JobTable], lives: u32) -> Vec<Row> {
    let plans = Policy::ALL.into_iter().flat_map(|policy| {
        [100, SOMETIMES_PERCENT].map(|cheats_percent| Plan { policy, cheats_percent, ..cast.plan })
    });
    plans.map(|plan| row(cast, plan, honest, lives)).collect()
}

fn row(cast: &Cast<'_>, plan: Plan, honest: &[JobTable], count: u32) -> Row {
    let lives: Vec<Life> = (0..count)
        .map(|life| {
            let mut dice = StdRng::seed_from_u64(life.into());
            life::live(plan, &cast.before, &cast.lies, honest, &mut dice)
        })
        .collect();
    let all = u64::from(count);
    let how_many = |holds: fn(&Life) -> bool| {
        u64::try_from(lives.iter().filter(|life| holds(life)).count()).expect("a count")
    };
    let lied = how_many(|life| life.lies > 0);
    let first = how_many(|life| life.first_lie_caught);
    let in_100 = how_many(|life| life.caught_in_100_jobs);
    let fails = |job: &&JobTable| !job.alone[1].verdict.outcomes[0].is_paid();
    let failed = small(cast.lies.iter().filter(fails).count());
    let looked_at = small(cast.lies.len());
    let banned: Vec<&Life> = lives.iter().filter(|life| life.jobs_to_ban.is_some()).collect();
    #[expect(clippy::cast_precision_loss, reason = "tokens of a life are far below 2^53")]
    let tokens = |life: &Life| life.tokens_to_quarantine.map(|tokens| tokens as f64);
    Row {
        name: cast.name.to_owned(),
        policy: plan.policy.name(),
        intermittent: plan.cheats_percent < 100,
        caught_per_answer: share(first, lied),
        caught_per_answer_bounds: bounds_95(first, lied),
        caught_if_checked: share(failed, looked_at),
        caught_if_checked_bounds: bounds_95(failed, looked_at),
        lies_checked: looked_at,
        lies_failed: failed,
        caught_in_100_jobs: share(in_100, all),
        caught_in_100_jobs_bounds: bounds_95(in_100, all),
        jobs_to_quarantine: mean(
            lives.iter().filter_map(|life| life.jobs_to_quarantine.map(f64::from)),
        ),
        tokens_to_quarantine: mean(lives.iter().filter_map(tokens)),
        jobs_to_ban: mean(banned.iter().filter_map(|life| life.jobs_to_ban.map(f64::from))),
        jobs_to_ban_max: banned.iter().filter_map(|life| life.jobs_to_ban).max(),
        banned: u32::try_from(banned.len()).expect("a count"),
        lives: count,
        forfeited_jobs: mean(banned.iter().map(|life| life.forfeited)).unwrap_or_default(),
        profit_over_honest: mean(lives.iter().map(|life| life.profit_over_honest))
            .unwrap_or_default(),
        profit_without_forfeits: mean(lives.iter().map(|life| life.profit_without_forfeits))
            .unwrap_or_default(),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

fn small(count: usize) -> u64 {
    u64::try_from(count).expect("a count")
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^53")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

//! What verification costs in a real run: gateway, three nodes and two scorers as processes. All processor time of nodes and
//! scorers, over what writing each answer once would have taken.

use std::{fmt, fs, time::Duration};

use anyhow::{Context, ensure};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::{Ask, NodeAgent, World};

/// As many as `high` asks, so that each of them is checked in every job of the warm-up, however slow it seems.
const NODES: usize = 3;
const SCORERS: usize = 2;
/// Jobs that a policy is measured over.
const MEASURED: u32 = 60;
/// The same for `low`: so many that a run without an audit, at one in twenty, comes once in 30,000.
const MEASURED_LOW: u32 = 200;
/// The most that all compute may be over useful compute for a proven pool under `low`.
const LOW_MAX: f64 = 1.3;
/// Checked jobs that make the nodes' names; more than that, and something is wrong.
const WARM_UP_MAX: u32 = 300;
/// Jobs after the last node became proven, so that audits are as rare as they get soon.
const WARM_UP_MORE: u32 = 100;
const TOKENS: u32 = 64;
/// How often we look whether the last audits are over, and how long at most.
const LOOK_EACH: Duration = Duration::from_millis(1_500);
const AUDITS_MAX: Duration = Duration::from_secs(60);
/// Less processor time than this between two looks is heartbeats.
const IDLE_S: f64 = 0.02;

/// All compute over useful compute, by policy; nothing of what was not measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Overhead {
    pub low: Option<f64>,
    pub standard: Option<f64>,
    pub high: Option<f64>,
    pub runs: Vec<PolicyRun>,
    /// Real jobs before, until every node was proven and some more.
    pub warm_up_jobs: u32,
    pub nodes: usize,
    pub scorers: usize,
}

/// What one policy came to.
#[derive(Clone, Debug, Serialize)]
pub struct PolicyRun {
    pub policy: &'static str,
    pub jobs: u32,
    /// Audits that were drawn and done.
    pub audits: u32,
    pub tokens_delivered: u32,
    pub tokens_written: u32,
    /// Processor time.
    pub writing_s: f64,
    pub scoring_s: f64,
    pub over: f64,
}

impl Overhead {
    /// Audits are on, and cost no more than they may.
    pub fn check(&self) -> anyhow::Result<()> {
        let Some(low) = self.runs.iter().find(|run| run.policy == "low") else { return Ok(()) };
        ensure!(low.audits > 0, "no audit in {} jobs under `low`", low.jobs);
        ensure!(low.over <= LOW_MAX, "all compute under `low` is {:.2} of the useful", low.over);
        Ok(())
    }
}

impl fmt::Display for Overhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| policy | jobs | audits | tokens delivered | written | writing, s | scoring, s | all over useful |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|")?;
        for run in &self.runs {
            let PolicyRun { policy, jobs, audits, tokens_delivered, tokens_written, .. } = run;
            write!(
                f,
                "| `{policy}` | {jobs} | {audits} | {tokens_delivered} | {tokens_written} |"
            )?;
            writeln!(f, " {:.1} | {:.1} | {:.2} |", run.writing_s, run.scoring_s, run.over)?;
        }
        Ok(())
    }
}

/// Runs all of it. The books are audited at the end.
pub async fn measure() -> anyhow::Result<Overhead> {
    let world = World::new().await;
    let mut run = Run { nodes: Vec::new(), scorers: Vec::new(), asked: 0, world };
    for _ in 0..SCORERS {
        run.scorers.push(run.world.scorer_agent().await);
    }
    for _ in 0..NODES {
        run.nodes.push(run.world.agent().await);
    }
    let warm_up_jobs = run.warm_up().await?;
    println!("  {NODES} nodes are proven after {warm_up_jobs} real jobs");
    let low = run.over("low", MEASURED_LOW).await?;
    let standard = run.over("standard", MEASURED).await?;
    let high = run.over("high", MEASURED).await?;
    run.end().await?;
    Ok(Overhead {
        low: Some(low.over),
        standard: Some(standard.over),
        high: Some(high.over),
        runs: vec![low, standard, high],
        warm_up_jobs,
        nodes: NODES,
        scorers: SCORERS,
    })
}

struct Run {
    world: World,
    nodes: Vec<NodeAgent>,
    scorers: Vec<NodeAgent>,
    asked: i64,
}

impl Run {
    /// Real jobs at risk `high`, every answer of which is checked, until all nodes are proven.
    async fn warm_up(&mut self) -> anyhow::Result<u32> {
        let mut proven = None;
        for job in 1..=WARM_UP_MAX {
            self.ask("high").await;
            if proven.is_none() && self.all_are_proven().await {
                proven = Some(job);
            }
            if proven.is_some_and(|proven| job >= proven + WARM_UP_MORE) {
                return Ok(job);
            }
        }
        anyhow::bail!("not every node is proven after {WARM_UP_MAX} checked jobs")
    }

    async fn all_are_proven(&self) -> bool {
        for node in &self.nodes {
            if self.world.admin.node(node.id).await.state != "active" {
                return false;
            }
        }
        true
    }

    /// All compute over useful compute under one policy.
    async fn over(&mut self, policy: &'static str, jobs: u32) -> anyhow::Result<PolicyRun> {
        let before = (self.cpu_s(&self.nodes)?, self.cpu_s(&self.scorers)?);
        let (mut tokens_written, mut tokens_delivered, mut ids) = (0, 0, Vec::new());
        for _ in 0..jobs {
            let id = self.ask(policy).await;
            let job = self.world.admin.job(&id).await;
            let parts = job.parts.iter().filter(|part| part.role == "generate");
            tokens_written += parts.map(|part| part.tokens).sum::<u32>();
            tokens_delivered += job.completion_tokens;
            ids.push(id);
        }
        self.scorers_rest().await?;
        let writing_s = self.cpu_s(&self.nodes)? - before.0;
        let scoring_s = self.cpu_s(&self.scorers)? - before.1;
        let useful_s = writing_s * f64::from(tokens_delivered) / f64::from(tokens_written.max(1));
        let over = (writing_s + scoring_s) / useful_s;
        let audits = self.audits(&ids).await;
        println!("  {policy}: {jobs} jobs, {audits} audits: {over:.2}");
        Ok(PolicyRun {
            policy,
            jobs,
            audits,
            tokens_delivered,
            tokens_written,
            writing_s,
            scoring_s,
            over,
        })
    }

    /// How many of these jobs were drawn and passed.
    async fn audits(&self, jobs: &[String]) -> u32 {
        let mut passed = 0;
        for job in jobs {
            let audits = self.world.admin.audits(job).await;
            let done = audits.iter().filter(|audit| {
                audit.drawn == Some(true) && audit.result.as_deref() == Some("passed")
            });
            passed += u32::try_from(done.count()).expect("a few rounds");
        }
        passed
    }

    /// Every job is settled by now: the gateway ends in good order, and its books are clean.
    async fn end(mut self) -> anyhow::Result<()> {
        self.world.gateway.terminate();
        let status = self.world.gateway.end().await;
        ensure!(status.success(), "the gateway ended with {status}");
        self.world.books_are_clean();
        Ok(())
    }

    async fn ask(&mut self, risk: &'static str) -> String {
        self.asked += 1;
        let ask = Ask::say(&format!("Tell me a story about number {}.", self.asked))
            .with("temperature", 1.0)
            .with("seed", self.asked)
            .endless(self.world.model.end_token)
            .max_tokens(TOKENS)
            .risk(risk);
        self.world.client.plain(&ask).await.expect("honest nodes answer").job
    }

    /// Waits until the scorers do nothing any more.
    async fn scorers_rest(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + AUDITS_MAX;
        loop {
            let before = self.cpu_s(&self.scorers)?;
            sleep(LOOK_EACH).await;
            if self.cpu_s(&self.scorers)? - before < IDLE_S {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "scorers work on after {AUDITS_MAX:?}");
        }
    }

    /// Processor time of these processes so far.
    fn cpu_s(&self, agents: &[NodeAgent]) -> anyhow::Result<f64> {
        agents.iter().map(|agent| process_cpu_s(agent.pid())).sum()
    }
}

/// User and system time, as Linux counts it.
fn process_cpu_s(pid: u32) -> anyhow::Result<f64> {
    const TICKS_PER_S: f64 = 100.0;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name before it may hold blanks.
    let after = stat.rsplit_once(')').context("a process has a name")?.1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |index: usize| -> anyhow::Result<f64> {
        Ok(fields.get(index).context("a process has times")?.parse()?)
    };
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_S)
}

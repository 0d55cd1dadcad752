//! What verification costs in a real run: gateway, four nodes and two scorers as processes. All processor time of nodes and
//! scorers, over what writing each answer once would have taken.

use std::{fs, time::Duration};

use anyhow::Context;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::{Ask, NodeAgent, World};

const NODES: usize = 4;
const SCORERS: usize = 2;
/// Jobs that every policy is measured over.
const MEASURED: u32 = 60;
/// Checked jobs that make the nodes' names; more than that, and something is wrong.
const WARM_UP_MAX: u32 = 400;
/// Jobs after the last node became proven, so that audits are as rare as they get soon.
const WARM_UP_MORE: u32 = 60;
const TOKENS: u32 = 64;
/// How often we look whether the last audits are over, and how long at most.
const LOOK_EACH: Duration = Duration::from_millis(1_500);
const AUDITS_MAX: Duration = Duration::from_secs(60);

/// All compute over useful compute, by policy.
#[derive(Clone, Debug, Serialize)]
pub struct Overhead {
    pub low: f64,
    pub standard: f64,
    pub high: f64,
    /// Real jobs before, until every node was proven and some more.
    pub warm_up_jobs: u32,
    pub jobs_of_each: u32,
    pub nodes: usize,
    pub scorers: usize,
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
    let (low, standard, high) =
        (run.over("low").await?, run.over("standard").await?, run.over("high").await?);
    run.end().await?;
    let (jobs_of_each, nodes, scorers) = (MEASURED, NODES, SCORERS);
    Ok(Overhead { low, standard, high, warm_up_jobs, jobs_of_each, nodes, scorers })
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
    async fn over(&mut self, risk: &'static str) -> anyhow::Result<f64> {
        let before = (self.cpu_s(&self.nodes)?, self.cpu_s(&self.scorers)?);
        let (mut written, mut delivered) = (0, 0);
        for _ in 0..MEASURED {
            let id = self.ask(risk).await;
            let job = self.world.admin.job(&id).await;
            let parts = job.parts.iter().filter(|part| part.role == "generate");
            written += parts.map(|part| part.tokens).sum::<u32>();
            delivered += job.completion_tokens;
        }
        self.audits_are_over().await?;
        let writing = self.cpu_s(&self.nodes)? - before.0;
        let scoring = self.cpu_s(&self.scorers)? - before.1;
        let useful = writing * f64::from(delivered) / f64::from(written.max(1));
        let over = (writing + scoring) / useful;
        println!(
            "  {risk}: {MEASURED} jobs, {delivered} tokens delivered, {written} written, \
             {writing:.1} s of writing, {scoring:.1} s of scoring: {over:.2}"
        );
        Ok(over)
    }

    /// Every job is settled by now: the gateway ends in good order, and its books are clean.
    async fn end(mut self) -> anyhow::Result<()> {
        self.world.gateway.terminate();
        let status = self.world.gateway.end().await;
        anyhow::ensure!(status.success(), "the gateway ended with {status}");
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
    async fn audits_are_over(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + AUDITS_MAX;
        loop {
            let before = self.cpu_s(&self.scorers)?;
            sleep(LOOK_EACH).await;
            if self.cpu_s(&self.scorers)? - before < 0.02 || Instant::now() > deadline {
                return Ok(());
            }
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

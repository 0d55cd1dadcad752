//! `cargo xtask bench receipts` runs this: the CPU time that a gateway spends on a request with receipts and without,
//! side by side, and how long checking one takes (all but the prefill).

use std::{fs, path::PathBuf, time::Instant};

use anyhow::{Context, ensure};
use assay_model::TextModel;
use assay_tests::{
    Ask, Behaviour, Pace, ScriptedNode, World,
    binaries::demo_model,
    records::{TRUSTED, join, recorded},
};
use assay_verifier::{
    Trust,
    receipt::{Bundle, Request, Saved, check, replay},
};
use clap::Parser;
use serde_json::{Map, json};

/// The kernel counts CPU time in these.
const TICKS_PER_SECOND: f64 = 100.0;
/// Checks of one receipt, of which the median counts.
const CHECKS: usize = 201;
/// The answer that is asked for: as long as a chat's mostly is.
const TOKENS: u32 = 128;

#[derive(Debug, Parser)]
#[command(name = "receipts-bench", version)]
struct Cli {
    /// Times that each gateway takes its turn.
    #[arg(long, default_value_t = 6)]
    turns: u32,
    /// Requests of a turn.
    #[arg(long, default_value_t = 100)]
    requests: u32,
    /// Writes the results to this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let (with, without) = (Bench::new(true).await, Bench::new(false).await);
    with.ask(cli.requests).await?;
    without.ask(cli.requests).await?;
    let (mut cpu_with, mut cpu_without) = (Vec::new(), Vec::new());
    for _ in 0..cli.turns {
        cpu_with.push(with.cpu_ms_per_request(cli.requests).await?);
        cpu_without.push(without.cpu_ms_per_request(cli.requests).await?);
    }
    let (cpu_with, cpu_without) = (median(&mut cpu_with), median(&mut cpu_without));
    let (bytes, check_ms, replay_ms) = with.check_a_receipt().await?;
    with.finish().await;
    without.finish().await;

    let mut results = Map::new();
    let mut add = |key: &str, value: f64| results.insert(key.to_owned(), json!(value));
    add("cpu_ms_per_request_with", cpu_with);
    add("cpu_ms_per_request_without", cpu_without);
    add("receipt_cpu_percent", 100.0 * (cpu_with - cpu_without) / cpu_without);
    add("receipt_bytes", bytes);
    add("check_ms", check_ms);
    add("check_and_replay_ms", check_ms + replay_ms);
    for (key, value) in &results {
        println!("  {key:<28}{:>14.3}", value.as_f64().unwrap_or_default());
    }
    if let Some(path) = &cli.json {
        let report = json!({ "format": "assay-bench/1", "bench": "receipts", "errors": 0, "results": results });
        fs::write(path, format!("{report:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// A gateway with one trusted node that answers alone, and a scorer for the few audits.
struct Bench {
    world: World,
    _nodes: [ScriptedNode; 2],
}

impl Bench {
    async fn new(receipts: bool) -> Self {
        let settings = format!(
            "[receipts]\nenabled = {receipts}\n[rate_limit]\nper_second = 100000\nburst = 100000"
        );
        let mut world = World::with(&settings).await;
        let [member] = recorded(&mut world, TRUSTED).await;
        let node = join(&world, member, Behaviour::Honest, Pace::Free).await;
        let scorer = world.scorer().await;
        Self { world, _nodes: [node, scorer] }
    }

    /// One request after the other, each of the same length.
    async fn ask(&self, requests: u32) -> anyhow::Result<()> {
        for _ in 0..requests {
            let answer = self.world.client.plain(&question()).await;
            let answer = answer.map_err(|refusal| anyhow::anyhow!("{:?}", refusal.error))?;
            let asked = &answer.json["x_assay"]["nodes_asked"];
            ensure!(asked == 1, "one node is to answer, not {asked}");
        }
        Ok(())
    }

    async fn cpu_ms_per_request(&self, requests: u32) -> anyhow::Result<f64> {
        let before = self.cpu_ms()?;
        self.ask(requests).await?;
        Ok((self.cpu_ms()? - before) / f64::from(requests))
    }

    /// What the gateway's process has used so far: fields 14 and 15 of `/proc/PID/stat`.
    fn cpu_ms(&self) -> anyhow::Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.world.gateway.pid()))?;
        let after_name = stat.rsplit_once(')').context("a process has a name")?.1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = |at: usize| -> anyhow::Result<f64> {
            Ok(fields.get(at).context("a process has times")?.parse()?)
        };
        Ok((ticks(11)? + ticks(12)?) * 1e3 / TICKS_PER_SECOND)
    }

    /// Its bytes; milliseconds for everything but the model's text side and weights; milliseconds for the text side.
    async fn check_a_receipt(&self) -> anyhow::Result<(f64, f64, f64)> {
        let client = &self.world.client;
        let ask = question();
        let answer = client.plain(&ask).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let file =
            client.receipt(&answer.job).await.map_err(|status| anyhow::anyhow!("{status}"))?;
        let trust = Trust::parse(&client.log_page("keys").await)?;
        let (body, response) = (ask.body.to_string(), answer.json.to_string());
        let model = TextModel::load(&demo_model())?;
        let (mut checks, mut replays) = (Vec::new(), Vec::new());
        for _ in 0..CHECKS {
            let began = Instant::now();
            let bundle = Bundle::decode(&file)?;
            let request = Request::parse(body.as_bytes())?;
            let saved = Saved::parse(response.as_bytes())?;
            let checked = check(&bundle, Some(&request), Some(&saved), &trust)?;
            checks.push(began.elapsed().as_secs_f64() * 1e3);
            let began = Instant::now();
            replay(&checked.receipt, &request, Some(&saved), &model)?;
            replays.push(began.elapsed().as_secs_f64() * 1e3);
        }
        let bytes = f64::from(u32::try_from(file.len())?);
        Ok((bytes, median(&mut checks), median(&mut replays)))
    }

    async fn finish(self) {
        self.world.finish().await;
    }
}

fn question() -> Ask {
    Ask::say("Tell me a story.").max_tokens(TOKENS).risk("low")
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

//! `cargo xtask bench receipts` runs this: the CPU time that a gateway spends on a request with receipts and without,
//! turn by turn and pair by pair, so that what else the machine does meets both alike; how large a receipt is in a log of a million entries, and how long checking it takes (all but the
//! prefill). A goal that is missed fails the run.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use assay_gateway::auth::GatewayKeys;
use assay_model::TextModel;
use assay_protocol::Bytes32;
use assay_tests::{
    Ask, Behaviour, Pace, ScriptedNode, World,
    binaries::demo_model,
    records::{TRUSTED, join, recorded},
    world::CREDIT,
};
use assay_verifier::{
    Receipt, Trust,
    log::{
        Checkpoint,
        merkle::{Tree, inclusion_proof, leaf_hash},
    },
    receipt::{Bundle, Request, Saved, check, replay},
};
use clap::Parser;
use futures_util::future::try_join_all;
use serde_json::{Map, Value, json};

/// The kernel counts CPU time in these.
const TICKS_PER_SECOND: f64 = 100.0;
/// After a turn: twice as long as entries wait for each other.
const AFTERWARDS: Duration = Duration::from_secs(1);
/// Checks of one receipt, of which the median counts.
const CHECKS: usize = 201;
/// The answer that is asked for: as long as a chat's mostly is.
const TOKENS: u32 = 128;
/// Of the log that sizes are told for.
const ENTRIES: u64 = 1_000_000;
/// What must not be exceeded.
const GOALS: [(&str, f64); 4] = [
    ("receipt_cpu_percent", 5.0),
    ("receipt_bytes_k1", 1_536.0),
    ("receipt_bytes_k3", 2_560.0),
    ("check_all_but_prefill_ms", 5.0),
];

#[derive(Debug, Parser)]
#[command(name = "receipts-bench", version)]
struct Cli {
    /// Pairs of turns, one of each gateway: each gives one ratio, of which the median counts.
    #[arg(long, default_value_t = 24)]
    pairs: usize,
    /// Requests of a turn.
    #[arg(long, default_value_t = 400)]
    requests: u32,
    /// Requests that run at the same time.
    #[arg(long, default_value_t = 8)]
    at_once: u32,
    /// Writes the results to this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let mut results = Map::new();
    measure_cpu(&cli, &mut results).await?;
    for nodes in [1, 3] {
        measure_receipt(nodes, &mut results).await?;
    }
    let missed = missed(&results);
    for (key, value) in &results {
        println!("  {key:<28}{:>14.3}", value.as_f64().unwrap_or_default());
    }
    if let Some(path) = &cli.json {
        let report = json!({"format": "assay-bench/1", "bench": "receipts", "errors": missed.len(),
            "results": results});
        fs::write(path, format!("{report:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    ensure!(missed.is_empty(), "missed: {}", missed.join(", "));
    Ok(())
}

/// The goals that these results miss, in words.
fn missed(results: &Map<String, Value>) -> Vec<String> {
    let value = |key: &str| results.get(key).and_then(Value::as_f64).unwrap_or(f64::INFINITY);
    let missed = GOALS.iter().filter(|(key, most)| value(key) > *most);
    missed.map(|(key, most)| format!("{key} is {:.2}, {most} at most", value(key))).collect()
}

async fn measure_cpu(cli: &Cli, results: &mut Map<String, Value>) -> anyhow::Result<()> {
    let (with, without) = (Bench::new(1, true).await, Bench::new(1, false).await);
    with.ask(cli).await?;
    without.ask(cli).await?;
    let requests = f64::from(cli.requests / cli.at_once * cli.at_once);
    let (mut cpu_with, mut cpu_without, mut percents) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..cli.pairs {
        let before = (with.cpu_ms()?, without.cpu_ms()?);
        // Whoever has its turn second finds what the first left behind, so they change places.
        let turns = if pair % 2 == 0 { [&with, &without] } else { [&without, &with] };
        for bench in turns {
            bench.ask(cli).await?;
            // What is left to do after the last answer is part of it: the entries that wait are sealed by then.
            tokio::time::sleep(AFTERWARDS).await;
        }
        let (a, b) = (with.cpu_ms()? - before.0, without.cpu_ms()? - before.1);
        cpu_with.push(a / requests);
        cpu_without.push(b / requests);
        percents.push(100.0 * (a - b) / b);
    }
    with.world.finish().await;
    without.world.finish().await;
    let (low, high) = median_bounds(&mut percents);
    let mut tell = |key: &str, value: f64| results.insert(key.to_owned(), json!(value));
    tell("cpu_ms_per_request_with", median(&mut cpu_with));
    tell("cpu_ms_per_request_without", median(&mut cpu_without));
    tell("receipt_cpu_percent", median(&mut percents));
    tell("receipt_cpu_percent_low", low);
    tell("receipt_cpu_percent_high", high);
    Ok(())
}

async fn measure_receipt(nodes: usize, results: &mut Map<String, Value>) -> anyhow::Result<()> {
    let bench = Bench::new(nodes, true).await;
    let held = bench.held().await?;
    bench.world.finish().await;
    let (check_ms, replay_ms) = held.check_ms()?;
    results.insert(format!("receipt_bytes_k{nodes}"), json!(held.bundle.encode().len()));
    if nodes == 3 {
        results.insert("check_ms".into(), json!(check_ms));
        results.insert("replay_prompt_and_answer_ms".into(), json!(replay_ms));
        results.insert("check_all_but_prefill_ms".into(), json!(check_ms + replay_ms));
    }
    Ok(())
}

/// A gateway, nodes that answer, and a scorer for the audits.
struct Bench {
    world: World,
    nodes: usize,
    _nodes: Vec<ScriptedNode>,
}

/// What a client holds of one answer, as if the log had a million entries.
struct Held {
    bundle: Bundle,
    request: Vec<u8>,
    response: Vec<u8>,
    trust: Trust,
    model: TextModel,
}

impl Bench {
    /// One trusted node that answers alone, or this many strangers.
    async fn new(nodes: usize, receipts: bool) -> Self {
        let settings = format!(
            "[receipts]\nenabled = {receipts}\n[rate_limit]\nper_second = 100000\nburst = 100000"
        );
        let mut world = World::with(&settings).await;
        let mut all = Vec::new();
        if nodes == 1 {
            let [member] = recorded(&mut world, TRUSTED).await;
            all.push(join(&world, member, Behaviour::Honest, Pace::Free).await);
        } else {
            for _ in 0..nodes {
                all.push(world.honest().await);
            }
        }
        all.push(world.scorer().await);
        // However many are asked: what a story's client has lasts for some 18,000 of these requests.
        world.admin.grant(world.account, CREDIT * 100).await;
        Self { world, nodes, _nodes: all }
    }

    fn question(&self, number: u32) -> Ask {
        let risk = if self.nodes == 1 { "low" } else { "standard" };
        Ask::say("Tell me a story.").max_tokens(TOKENS).with("seed", number).risk(risk)
    }

    async fn ask(&self, cli: &Cli) -> anyhow::Result<()> {
        for batch in 0..cli.requests / cli.at_once {
            let one = async |number| {
                let answer = self.world.client.plain(&self.question(number)).await;
                let answer = answer.map_err(|refusal| anyhow::anyhow!("{:?}", refusal.error))?;
                let asked = answer.json["x_assay"]["nodes_asked"].as_u64();
                ensure!(asked == Some(self.nodes as u64), "{asked:?} nodes were asked");
                Ok(())
            };
            try_join_all((0..cli.at_once).map(|n| one(batch * cli.at_once + n))).await?;
        }
        Ok(())
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

    async fn held(&self) -> anyhow::Result<Held> {
        let (client, ask) = (&self.world.client, self.question(0));
        let answer = client.plain(&ask).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let file = client.receipt(&answer.job).await;
        let file = file.map_err(|status| anyhow::anyhow!("{status}"))?;
        let keys = GatewayKeys::open(&self.world.folder().join("data"), [0; 32])?;
        Ok(Held {
            bundle: in_a_million(Bundle::decode(&file)?, &keys)?,
            request: ask.body.to_string().into_bytes(),
            response: answer.json.to_string().into_bytes(),
            trust: Trust::parse(&client.log_page("keys").await)?,
            model: TextModel::load(&demo_model())?,
        })
    }
}

/// The same receipt in a log of a million entries.
fn in_a_million(bundle: Bundle, keys: &GatewayKeys) -> anyhow::Result<Bundle> {
    let receipt = Receipt::decode(&bundle.receipt.bytes)?;
    let entry = receipt.entry(bundle.receipt.hash());
    let index = ENTRIES * 2 / 3;
    let mut tree = Tree::default();
    for at in 0..ENTRIES {
        let other = Bytes32([u8::try_from(at % 251)?; 32]);
        tree.push(if at == index { leaf_hash(&entry.encode()) } else { other });
    }
    let origin = keys.gateway_id().to_owned();
    let checkpoint = Checkpoint { origin, size: ENTRIES, root: tree.root() };
    let note = keys.sign_checkpoint(checkpoint).note;
    let proof = inclusion_proof(&tree, index, ENTRIES)?;
    Ok(Bundle { index, note, proof, ..bundle })
}

impl Held {
    /// Milliseconds for everything without the model's folder, and for its text side: manifest, prompt, parameters,
    /// seed, tokens.
    fn check_ms(&self) -> anyhow::Result<(f64, f64)> {
        let (mut checks, mut replays) = (Vec::new(), Vec::new());
        let file = self.bundle.encode();
        for _ in 0..CHECKS {
            let began = Instant::now();
            let bundle = Bundle::decode(&file)?;
            let request = Request::parse(&self.request)?;
            let saved = Saved::parse(&self.response)?;
            let checked = check(&bundle, Some(&request), Some(&saved), &self.trust)?;
            checks.push(began.elapsed().as_secs_f64() * 1e3);
            let began = Instant::now();
            replay(&checked.receipt, &request, Some(&saved), &self.model)?;
            replays.push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok((median(&mut checks), median(&mut replays)))
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    f64::midpoint(at(values.len().saturating_sub(1) / 2), at(values.len() / 2))
}

/// Between these the median lies with 95 % confidence, whatever the distribution: values as far from both ends as the
/// sign test allows.
fn median_bounds(values: &mut [f64]) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    // P(fewer than k of n are below the median) for a fair coin, while it stays under a fortieth on each side.
    let count = values.len();
    let (mut skipped, mut term) = (0, 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX)));
    let mut tail = term;
    while tail <= 0.025 && skipped < count / 2 {
        skipped += 1;
        #[expect(clippy::cast_precision_loss, reason = "a few dozen turns")]
        let ratio = (count - skipped + 1) as f64 / skipped as f64;
        term *= ratio;
        tail += term;
    }
    let outermost = skipped.saturating_sub(1);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    (at(outermost), at(count.saturating_sub(outermost + 1)))
}

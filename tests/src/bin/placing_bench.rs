//! `cargo xtask bench placing` runs this: how many short requests a second one model gets, where a node's answer to an offer
//! takes as long as it does across a continent. The yardstick is a gateway that asks for one job at a time: whatever
//! else it does, it cannot place more jobs a second than answers to offers fit into one.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use assay_tests::{Ask, Behaviour, ScriptedNode, World, scripted::Manners, world::CREDIT};
use clap::Parser;
use futures_util::future::try_join_all;
use serde_json::json;

/// Fewer times what one at a time can do, and the jobs wait for each other somewhere.
const RATIO_MIN: f64 = 2.0;
const SLOTS: u32 = 64;
/// An answer's length: what is measured is not the writing.
const TOKENS: u32 = 2;

#[derive(Debug, Parser)]
#[command(name = "placing-bench", version)]
struct Cli {
    /// Nodes, each of another operator.
    #[arg(long, default_value_t = 6)]
    nodes: usize,
    /// Milliseconds from an offer to its answer.
    #[arg(long, default_value_t = 50)]
    answer_ms: u32,
    /// Requests that run at the same time.
    #[arg(long, default_value_t = 32)]
    at_once: u32,
    #[arg(long, default_value_t = 15)]
    seconds: u64,
    /// Writes the results to this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let (world, _nodes) = crowd(&cli).await;
    let per_s = requests_per_s(&cli, &world).await?;
    world.finish().await;
    let one_at_a_time_per_s = 1_000.0 / f64::from(cli.answer_ms);
    let ratio = per_s / one_at_a_time_per_s;
    println!("  requests/s                  {per_s:>10.1}");
    println!("  one job at a time, at most  {one_at_a_time_per_s:>10.1}");
    println!("  ratio                       {ratio:>10.2}");
    let missed = ratio < RATIO_MIN;
    if let Some(path) = &cli.json {
        let results = json!({"requests_per_s": per_s, "one_at_a_time_per_s": one_at_a_time_per_s, "ratio": ratio});
        let report = json!({"format": "assay-bench/1", "bench": "placing", "errors": u32::from(missed), "results": results});
        fs::write(path, format!("{report:#}\n"))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    ensure!(!missed, "missed: the ratio is {ratio:.2}, {RATIO_MIN} at least");
    Ok(())
}

async fn crowd(cli: &Cli) -> (World, Vec<ScriptedNode>) {
    let world = World::with("[rate_limit]\nper_second = 100000\nburst = 100000").await;
    let mut nodes = vec![world.scorer().await];
    for _ in 0..cli.nodes {
        let thinks = Duration::from_millis(cli.answer_ms.into());
        let manners = Manners { thinks, slots: SLOTS, ..Behaviour::Honest.into() };
        nodes.push(world.scripted_of(world.operator().await, manners).await);
    }
    world.admin.grant(world.account, CREDIT * 100).await;
    (world, nodes)
}

async fn requests_per_s(cli: &Cli, world: &World) -> anyhow::Result<f64> {
    let began = Instant::now();
    let until = began + Duration::from_secs(cli.seconds);
    let one = async |number: u32| {
        let mut answered = 0_u32;
        while Instant::now() < until {
            let seed = number + answered * cli.at_once;
            let ask = Ask::say("Hello!").max_tokens(TOKENS).with("seed", seed);
            let answer = world.client.plain(&ask).await;
            answer.map_err(|refusal| anyhow::anyhow!("{:?}", refusal.error))?;
            answered += 1;
        }
        anyhow::Ok(answered)
    };
    let answered = try_join_all((0..cli.at_once).map(one)).await?;
    Ok(f64::from(answered.iter().sum::<u32>()) / began.elapsed().as_secs_f64())
}

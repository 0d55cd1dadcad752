//! The benchmark of verification, as `cargo xtask bench verification` starts it.

use std::path::PathBuf;

use assay_tests::bench::{Settings, overhead, run};
use clap::Parser;

/// Honest answers and those of every cheat under the gateway's own rules; the overhead in a real run. Fails when an
/// honest answer is rejected, or the overhead under `low` is more than it may be.
#[derive(Debug, Parser)]
#[command(name = "verification-bench", version)]
struct Cli {
    /// Honest answers to replay; the cheats' share shrinks with it.
    #[arg(long, default_value_t = 100_000)]
    answers: u64,
    /// Writes every figure to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes margins.csv and roc.svg into this folder.
    #[arg(long, value_name = "DIR")]
    figures: Option<PathBuf>,
    /// Keeps answers here, so that the next run need not write them again.
    #[arg(long, value_name = "DIR", default_value = "target/bench-verification")]
    cache: PathBuf,
    /// Leaves out the real run of gateway and nodes.
    #[arg(long)]
    without_overhead: bool,
    /// Does nothing but that run.
    #[arg(long, conflicts_with = "without_overhead")]
    only_overhead: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    if cli.only_overhead {
        let overhead = overhead::measure().await?;
        println!("{overhead}");
        return overhead.check();
    }
    let settings = Settings {
        answers: cli.answers,
        json: cli.json,
        figures: cli.figures,
        cache: cli.cache,
        with_overhead: !cli.without_overhead,
    };
    run(&settings).await?.check()
}

//! The benchmark of verification, as `cargo xtask bench verification` starts it.

use std::path::PathBuf;

use assay_tests::bench::{Part, Settings, run};
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
    /// Does only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let settings = Settings {
        answers: cli.answers,
        json: cli.json,
        figures: cli.figures,
        cache: cli.cache,
        parts: if cli.only.is_empty() { Part::ALL.to_vec() } else { cli.only },
    };
    run(&settings).await?.check()
}

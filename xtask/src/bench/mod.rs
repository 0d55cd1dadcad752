//! `cargo xtask bench NAME`: where benchmarks live. Each prints a table and, if asked, writes JSON.

mod report;
mod smoke;

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::{
    binaries::{Binaries, Profile},
    stop::Stop,
    tools,
};
use report::Report;

/// A benchmark.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn(&Binaries, &Stop) -> anyhow::Result<Report>,
}

const BENCHES: [Bench; 1] = [Bench {
    name: "smoke",
    about: "requests/s and latencies of short chats against a demo, for 10 s",
    run: smoke::run,
}];

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Which benchmark; without a name they are listed.
    name: Option<String>,
    /// Writes the results to this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Builds in release mode, measures, and tells.
pub(crate) fn run(args: &BenchArgs, stop: &Stop) -> anyhow::Result<()> {
    let Some(name) = &args.name else {
        BENCHES.iter().for_each(|bench| println!("{:<10} {}", bench.name, bench.about));
        return Ok(());
    };
    let bench = BENCHES.iter().find(|bench| bench.name == name);
    let bench = bench.with_context(|| {
        let names: Vec<_> = BENCHES.iter().map(|bench| bench.name).collect();
        format!("there is no benchmark `{name}`; there is {}", names.join(", "))
    })?;
    println!("building in release mode (the first time takes some minutes) …");
    let binaries = Binaries::build(Profile::Release, stop)?;
    tools::fetch_runtime(&binaries, stop)?;
    println!("{}: {}", bench.name, bench.about);
    let report = (bench.run)(&binaries, stop)?;
    println!("\n{report}");
    if let Some(path) = &args.json {
        report.write(bench.name, path)?;
    }
    report.check()
}

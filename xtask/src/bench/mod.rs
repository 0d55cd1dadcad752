//! `cargo xtask bench NAME`: where benchmarks live. Each prints a table and, if asked, writes JSON.

mod report;
mod smoke;

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::{
    binaries::{Binaries, Profile},
    command, paths,
    stop::Stop,
    tools,
};
use report::Report;

/// A benchmark.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: Run,
}

/// Who measures.
#[derive(Clone, Copy)]
enum Run {
    /// We do, with requests.
    Requests(fn(&Binaries, &Stop) -> anyhow::Result<Report>),
    /// A program of ours, which prints its own tables and writes its own JSON.
    Program(&'static str),
    /// One that keeps what it computed and draws figures, too.
    Drawing(&'static str),
}

const BENCHES: [Bench; 5] = [
    Bench {
        name: "smoke",
        about: "requests/s and latencies of short chats against a demo, for 10 s",
        run: Run::Requests(smoke::run),
    },
    Bench {
        name: "verification",
        about: "what catches which cheat, honest false alarms, and what checking costs (25 min)",
        run: Run::Drawing("verification-bench"),
    },
    Bench {
        name: "ledger",
        about: "jobs/s of the ledger's writer and of a naive design, on both engines (2 min)",
        run: Run::Program("ledger-bench"),
    },
    Bench {
        name: "receipts",
        about: "the CPU time of the gateway with receipts and without, and how fast one is checked (25 min)",
        run: Run::Program("receipts-bench"),
    },
    Bench {
        name: "placing",
        about: "requests/s of one model whose nodes are far away, and of asking for one job at a time (1 min)",
        run: Run::Program("placing-bench"),
    },
];

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Which benchmark; without a name they are listed.
    name: Option<String>,
    /// Writes the results to this file, too.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Passed on to benchmarks that are programs of their own: `verification --answers 1000`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
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
    match bench.run {
        Run::Requests(measure) => {
            anyhow::ensure!(args.rest.is_empty(), "`{name}` does not take {:?}", args.rest);
            let report = measure(&binaries, stop)?;
            println!("\n{report}");
            if let Some(path) = &args.json {
                report.write(bench.name, path)?;
            }
            report.check()
        }
        Run::Program(name) | Run::Drawing(name) => {
            let mut program = binaries.command(name)?;
            if let Run::Drawing(_) = bench.run {
                program.arg("--cache").arg(paths::target().join("bench-verification"));
                program.arg("--figures").arg(paths::root().join("docs/figures"));
            }
            if let Some(path) = &args.json {
                program.arg("--json").arg(path);
            }
            command::run(program.args(&args.rest), stop)
        }
    }
}

//! Everything a person runs: `cargo xtask demo | test | bench | calibrate | train-model | fetch`.
//!
//! It starts binaries and speaks HTTP with them; it depends on none of our crates.

mod bench;
mod binaries;
mod command;
mod demo;
mod http;
mod paths;
mod poll;
mod process;
mod stop;
mod test;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::stop::{Stop, Stopped};

/// Assay's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Start a gateway, nodes and a scorer on this machine, and show jobs as they are paid.
    Demo(demo::DemoArgs),
    /// Check everything: format, lints, licences, tests, the official SDKs.
    Test(test::TestArgs),
    /// Measure: `cargo xtask bench smoke`.
    Bench(bench::BenchArgs),
    /// Train the model that ships, from its fixed seeds (about half an hour on two cores).
    TrainModel {
        /// Passed on to `model/training/run.py`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Measure how far apart honest nodes of a model are, and write limits.json beside its manifest.
    Calibrate {
        /// Passed on to `verifier calibrate`: the model folder, `--tokens N`, `--check`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// Find or fetch the ONNX Runtime library, and print its path.
    Fetch,
}

fn main() -> ExitCode {
    match run(Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Stopped>() => {
            eprintln!("stopped");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<()> {
    let stop = Stop::on_signals()?;
    match task {
        Task::Demo(args) => demo::run(&args, &stop),
        Task::Test(args) => test::run(&args, &stop),
        Task::Bench(args) => bench::run(&args, &stop),
        Task::TrainModel { rest } => tools::train_model(&rest, &stop),
        Task::Calibrate { rest } => tools::calibrate(&rest, &stop),
        Task::Fetch => tools::fetch(&stop),
    }
}

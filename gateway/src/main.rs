//! The gateway's program. What it can do is listed in `cli`.

use std::process::ExitCode;

use assay_gateway::cli;
use clap::Parser;

fn main() -> ExitCode {
    cli::run(cli::Cli::parse())
}

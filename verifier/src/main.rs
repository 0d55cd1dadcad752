//! `verifier`: checks what a gateway or a node claims, offline.

mod calibrate;
mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cli::Cli::parse().run()
}

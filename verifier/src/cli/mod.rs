//! The commands. Each prints a sentence for people, or one JSON object for programs; the exit status says the same.

mod check;
mod files;
mod follow;
mod keys;
mod mirror;
mod model;
mod report;
mod show;
mod vectors;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use report::{Failure, Report};

/// Checks what a gateway or a node claims, offline.
///
/// Exit status: 0 it holds, 1 it does not, 2 it could not be checked.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    /// One JSON object instead of sentences
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check an answer by its receipt: signatures, log, model, prompt, every token, and the payout
    Check(check::Args),
    /// Follow a gateway's log from its first entry: forks, broken promises, audits that were skipped
    AuditLog(follow::Args),
    /// Fetch the keys that a gateway publishes, to pin them
    Keys(keys::Args),
    /// Print what is in a receipt, without believing it
    Show(show::Args),
    /// Compare every file of a model folder with its manifest, and print the model's identity
    Model(model::Args),
    /// Measure how far apart honest nodes of a model are, and write its limits
    Calibrate(crate::calibrate::CalibrateArgs),
}

impl Cli {
    /// Runs the command and says how it came out.
    pub(crate) fn run(self) -> ExitCode {
        let report = Report::new(self.json);
        let done = match &self.command {
            Command::Check(args) => check::run(args, &report),
            Command::AuditLog(args) => follow::run(args, &report),
            Command::Keys(args) => keys::run(args, &report),
            Command::Show(args) => show::run(args),
            Command::Model(args) => model::run(args, &report),
            Command::Calibrate(args) => crate::calibrate::run(args).map_err(Failure::from),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(Failure::Refused(found)) => {
                report.refused(&found);
                ExitCode::from(1)
            }
            Err(Failure::Unchecked(error)) => {
                report.unchecked(&error);
                ExitCode::from(2)
            }
        }
    }
}

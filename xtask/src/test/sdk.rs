//! The official OpenAI packages of Python and Node, unchanged, against a demo.

use std::{fs, path::Path, process::Command};

use anyhow::ensure;

use super::steps::Done;
use crate::{
    binaries::Binaries,
    command::run_and_pick,
    demo::{Settings, World, write_ready_file},
    paths,
    stop::Stop,
    tools,
};

/// Names the file that tells the tests where the demo is.
const READY_FILE: &str = "ASSAY_READY_FILE";
/// Names the folder of the model that the demo serves.
const MODEL_DIR: &str = "ASSAY_MODEL_DIR";
/// Names the folder of our own programs.
const BIN_DIR: &str = "ASSAY_BIN_DIR";
const NODE_MAJOR_MIN: u32 = 20;

pub(super) fn run(binaries: &Binaries, stop: &Stop) -> anyhow::Result<Done> {
    ensure!(
        tools::has_node(NODE_MAJOR_MIN),
        "the Node SDK's tests need Node {NODE_MAJOR_MIN} or newer with npm (--fast leaves them out)"
    );
    let tests = paths::root().join("tests/sdk");
    let requirements = fs::read_to_string(tests.join("python/requirements.txt"))?;
    let python = tools::python("sdk-python", &requirements, stop)?;
    let package = tools::node_package("sdk-node", &tests.join("node"), stop)?;

    let world = World::start(&settings(&tests), binaries, stop)?;
    let ready = world.data.path().join("ready.json");
    write_ready_file(&ready, &world)?;
    let mut pytest = pytest(&python, &tests, &ready);
    pytest.env(BIN_DIR, binaries.path("verifier")?.parent().unwrap_or(Path::new(".")));
    let mut lines =
        run_and_pick(&mut pytest, stop, |line| line.starts_with("==") && line.contains(" in "))?;
    lines.extend(run_and_pick(&mut node_test(&package, &ready), stop, |line| {
        ["# tests ", "# pass ", "# fail "].iter().any(|word| line.starts_with(word))
    })?);
    world.audit(stop)?;
    world.end();
    Ok(Done::with(lines))
}

fn settings(tests: &Path) -> Settings {
    Settings { config: Some(tests.join("gateway.toml")), ..Settings::default() }
}

fn pytest(bin: &Path, tests: &Path, ready: &Path) -> Command {
    let mut pytest = Command::new(bin.join("python"));
    pytest.args(["-B", "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-v"]);
    pytest.arg(tests.join("python")).current_dir(paths::root()).env(READY_FILE, ready);
    pytest.env(MODEL_DIR, paths::demo_model());
    pytest
}

fn node_test(package: &Path, ready: &Path) -> Command {
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=tap"]).current_dir(package).env(READY_FILE, ready);
    node.env(MODEL_DIR, paths::demo_model());
    node
}

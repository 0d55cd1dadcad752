//! SDKs and frameworks, unchanged, against one demo; and the demo's answers against the gateway's own document.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

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

/// What they need, installed.
struct Packages {
    python: PathBuf,
    /// Of its own: it needs another version of `openai`.
    llama_index: PathBuf,
    node: PathBuf,
}

pub(super) fn run(binaries: &Binaries, stop: &Stop) -> anyhow::Result<Done> {
    ensure!(
        tools::has_node(NODE_MAJOR_MIN),
        "the Node SDKs' tests need Node {NODE_MAJOR_MIN} or newer with npm (--fast leaves them out)"
    );
    let tests = paths::root().join("tests/sdk");
    let packages = Packages::install(&tests, stop)?;
    let world = World::start(&settings(&tests), binaries, stop)?;
    let ready = world.data.path().join("ready.json");
    write_ready_file(&ready, &world)?;
    let programs = binaries.path("verifier")?.parent().unwrap_or(Path::new("."));
    let pytest = |bin: &Path, folder: &str| {
        let mut pytest = pytest(bin, &tests.join(folder));
        pytest.env(READY_FILE, &ready).env(MODEL_DIR, paths::demo_model()).env(BIN_DIR, programs);
        let is_summary = |line: &str| line.starts_with("==") && line.contains(" in ");
        run_and_pick(&mut pytest, stop, is_summary)
    };
    let mut lines = pytest(&packages.python, "python")?;
    lines.extend(pytest(&packages.llama_index, "llamaindex")?);
    lines.extend(run_and_pick(&mut node_test(&packages.node, &ready), stop, |line| {
        ["# tests ", "# pass ", "# fail "].iter().any(|word| line.starts_with(word))
    })?);
    // Last: it asks for anything, of admins too.
    lines.extend(pytest(&packages.python, "document")?);
    world.audit(stop)?;
    world.end();
    Ok(Done::with(lines))
}

impl Packages {
    fn install(tests: &Path, stop: &Stop) -> anyhow::Result<Self> {
        let python = |name: &str, folder: &str| {
            let list = fs::read_to_string(tests.join(folder).join("requirements.txt"))?;
            tools::python(name, &list, stop)
        };
        Ok(Self {
            python: python("sdk-python", "python")?,
            llama_index: python("sdk-llama-index", "llamaindex")?,
            node: tools::node_package("sdk-node", &tests.join("node"), stop)?,
        })
    }
}

fn settings(tests: &Path) -> Settings {
    Settings { config: Some(tests.join("gateway.toml")), ..Settings::default() }
}

fn pytest(bin: &Path, tests: &Path) -> Command {
    let mut pytest = Command::new(bin.join("python"));
    pytest.args(["-B", "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-v"]);
    pytest.arg(tests).current_dir(paths::root());
    pytest
}

fn node_test(package: &Path, ready: &Path) -> Command {
    let mut node = Command::new("node");
    node.args(["--test", "--test-reporter=tap"]).current_dir(package).env(READY_FILE, ready);
    node.env(MODEL_DIR, paths::demo_model());
    node
}

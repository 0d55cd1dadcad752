//! What other programs do for us: the runtime library, the training, tools from package indexes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;

use crate::{
    binaries::{Binaries, Profile},
    command::{self, works},
    paths,
    stop::Stop,
};

/// Says in a folder what is installed there.
const INSTALLED: &str = "installed";

/// `cargo xtask fetch`.
pub(crate) fn fetch(stop: &Stop) -> anyhow::Result<()> {
    fetch_runtime(&Binaries::build(Profile::Dev, stop)?, stop)
}

/// Finds or fetches the ONNX Runtime library.
pub(crate) fn fetch_runtime(binaries: &Binaries, stop: &Stop) -> anyhow::Result<()> {
    let library = command::output(binaries.command("node-agent")?.arg("fetch-runtime"), stop)?;
    println!("ONNX Runtime: {}", library.trim());
    Ok(())
}

/// `cargo xtask train-model`.
pub(crate) fn train_model(rest: &[String], stop: &Stop) -> anyhow::Result<()> {
    let mut train = Command::new("python3");
    train.arg("model/training/run.py").args(rest).current_dir(paths::root());
    command::run(&mut train, stop)
}

/// `cargo xtask calibrate`.
pub(crate) fn calibrate(rest: &[String], stop: &Stop) -> anyhow::Result<()> {
    println!("building in release mode (the first time takes some minutes) …");
    let program = ["run", "--quiet", "--release", "-p", "assay-verifier", "--bin", "verifier"];
    let mut calibrate = command::cargo(program);
    command::run(calibrate.args(["--", "calibrate"]).args(rest), stop)
}

/// A folder of ours below `target/`, for what tests need and a `cargo clean` may take.
pub(crate) fn folder(name: &str) -> anyhow::Result<PathBuf> {
    let folder = paths::target().join("tools").join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// A Python environment with what `requirements` lists, made or brought up to date when it is not.
/// Returns its `bin` folder.
pub(crate) fn python(name: &str, requirements: &str, stop: &Stop) -> anyhow::Result<PathBuf> {
    let folder = folder(name)?;
    let bin = folder.join("bin");
    if is_installed(&folder, requirements) {
        return Ok(bin);
    }
    println!("installing into {} with pip: {}", folder.display(), one_line(requirements));
    let mut make = Command::new("python3");
    command::run(make.args(["-m", "venv", "--clear"]).arg(&folder), stop)
        .context("python3 with its venv module is needed (Debian: python3-venv)")?;
    let list = folder.join("requirements.txt");
    fs::write(&list, requirements)?;
    let mut pip = Command::new(bin.join("python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&list);
    command::run(&mut pip, stop)?;
    mark_installed(&folder, requirements)?;
    Ok(bin)
}

/// A copy of the Node package in `source`, with its dependencies installed as its lock file says.
pub(crate) fn node_package(name: &str, source: &Path, stop: &Stop) -> anyhow::Result<PathBuf> {
    let folder = folder(name)?;
    // What the package has no more must not be run any more.
    for entry in fs::read_dir(&folder)? {
        let entry = entry?;
        let ours = entry.file_name() == INSTALLED;
        if entry.file_type()?.is_file() && !ours && !source.join(entry.file_name()).exists() {
            fs::remove_file(entry.path())?;
        }
    }
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), folder.join(entry.file_name()))?;
        }
    }
    let lock = fs::read_to_string(source.join("package-lock.json"))?;
    if !is_installed(&folder, &lock) {
        println!("installing into {} with npm ci", folder.display());
        let mut npm = Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&folder);
        command::run(&mut npm, stop)?;
        mark_installed(&folder, &lock)?;
    }
    Ok(folder)
}

/// Whether a Node of at least this major version is there.
pub(crate) fn has_node(major: u32) -> bool {
    let test = format!("process.exit(parseInt(process.versions.node) >= {major} ? 0 : 1)");
    works(Command::new("node").args(["-e", &test])) && works(Command::new("npm").arg("--version"))
}

fn is_installed(folder: &Path, what: &str) -> bool {
    fs::read_to_string(folder.join(INSTALLED)).is_ok_and(|installed| installed == what)
}

/// Last of all, so that an installation that broke off is begun anew.
fn mark_installed(folder: &Path, what: &str) -> anyhow::Result<()> {
    fs::write(folder.join(INSTALLED), what).context("cannot note what is installed")
}

/// What is wanted; what that needs comes after an empty line.
fn one_line(requirements: &str) -> String {
    let wanted = requirements.lines().take_while(|line| !line.is_empty());
    wanted.collect::<Vec<_>>().join(" ")
}

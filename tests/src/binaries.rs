//! Where the programs under test are: beside the test's own executable.

use std::{env, path::PathBuf};

/// What builds everything that the stories start.
const BUILD: &str =
    "cargo build -p assay-gateway -p assay-node-agent -p assay-verifier -p assay-tests --bins";

/// The program of this name from the same build.
///
/// # Panics
/// When it is not there, saying how to build it.
pub fn binary(name: &str) -> PathBuf {
    let test = env::current_exe().expect("a process knows its executable");
    // Tests lie in `deps`, beside the programs' folder.
    let mut folders = test.ancestors().skip(1).take(2);
    let found = folders.find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()));
    found.unwrap_or_else(|| {
        panic!("`{name}` is not built: `cargo xtask test` does it, or `{BUILD}`")
    })
}

/// The folder of the model that ships.
pub fn demo_model() -> PathBuf {
    model("demo")
}

/// The folder of the embedder that ships.
pub fn embedder_model() -> PathBuf {
    model("embedder")
}

fn model(name: &str) -> PathBuf {
    let crates = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    crates.parent().expect("this crate lies in the repository").join("model").join(name)
}

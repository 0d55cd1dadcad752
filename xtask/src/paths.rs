//! Where things are.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// What cargo builds, and what we fetch for tests.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// The model that ships.
pub(crate) fn demo_model() -> PathBuf {
    root().join("model/demo")
}

/// The one that embeds, and ships beside it.
pub(crate) fn embedder_model() -> PathBuf {
    root().join("model/embedder")
}

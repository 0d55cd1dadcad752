//! Where a demo keeps its data: a temporary folder that goes away with it, or one to keep.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use tempfile::TempDir;

/// The folder. Dropping it removes a temporary one.
#[derive(Debug)]
pub(crate) enum DataFolder {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl DataFolder {
    /// `keep`: this folder, which stays; otherwise a new one.
    ///
    /// # Errors
    /// It cannot be made, or the one to keep has something in it already: old data would not belong
    /// to the new demo.
    pub(crate) fn open(keep: Option<&Path>) -> anyhow::Result<Self> {
        let Some(folder) = keep else {
            let folder = tempfile::Builder::new().prefix("assay-demo-").tempdir();
            return Ok(Self::Temporary(folder.context("no temporary folder can be made")?));
        };
        let shown = folder.display();
        fs::create_dir_all(folder).with_context(|| format!("cannot make {shown}"))?;
        let empty = fs::read_dir(folder)?.next().is_none();
        anyhow::ensure!(empty, "{shown} is not empty; --keep wants a new folder");
        Ok(Self::Kept(std::path::absolute(folder)?))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }

    /// A new folder in it.
    pub(crate) fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.path().join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }
}

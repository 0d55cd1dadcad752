//! A copy of a log in a folder. What was read is set aside until all of it was verified; only then the copy grows.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::files;

/// Where pages wait, inside of the folder. No page of a log has such a name.
const ASIDE: &str = "unverified";

#[derive(Debug)]
pub(super) struct Mirror<'a> {
    folder: &'a Path,
    aside: PathBuf,
}

impl<'a> Mirror<'a> {
    /// Forgets what an earlier run left unverified.
    pub(super) fn open(folder: &'a Path) -> anyhow::Result<Self> {
        let aside = folder.join(ASIDE);
        match fs::remove_dir_all(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", aside.display()))
            }
            _ => Ok(Self { folder, aside }),
        }
    }

    /// Keeps a page for later, unless it is there already. Whether what is there says the same.
    pub(super) fn set_aside(&self, path: &str, bytes: &[u8]) -> anyhow::Result<bool> {
        let kept = self.folder.join(path);
        if kept.is_file() {
            return Ok(files::read(&kept)? == bytes);
        }
        write(&self.aside.join(path), bytes)?;
        Ok(true)
    }

    /// All that was set aside was verified under this checkpoint, which comes last: a copy that was broken off goes on
    /// from the one before.
    pub(super) fn advance(&self, note: &[u8]) -> anyhow::Result<()> {
        if self.aside.is_dir() {
            adopt(&self.aside, self.folder)?;
            fs::remove_dir_all(&self.aside)
                .with_context(|| format!("cannot remove {}", self.aside.display()))?;
        }
        write(&self.folder.join("checkpoint"), note)
    }
}

/// Moves all files of one folder into another, however deep they lie: C2SP's paths are a handful of folders deep.
fn adopt(from: &Path, to: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot keep {}", to.display());
    fs::create_dir_all(to).with_context(cannot)?;
    for entry in fs::read_dir(from).with_context(cannot)? {
        let entry = entry.with_context(cannot)?;
        let target = to.join(entry.file_name());
        if entry.file_type().with_context(cannot)?.is_dir() {
            adopt(&entry.path(), &target)?;
        } else {
            fs::rename(entry.path(), &target).with_context(cannot)?;
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

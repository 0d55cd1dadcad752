//! `verifier model DIR`.

use std::path::PathBuf;

use anyhow::Context;
use assay_model::{Files, Manifest};
use serde_json::json;

use super::report::{Failure, Report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder that holds manifest.json
    folder: PathBuf,
}

pub(super) fn run(args: &Args, report: &Report) -> Result<(), Failure> {
    let folder = &args.folder;
    let (manifest, hash) = Manifest::load(folder).context("the manifest is not good")?;
    report.progress("hashing every file");
    manifest.check_files(folder, Files::All).map_err(|error| {
        Failure::refused(format!("the folder is not what its manifest says: {error}"))
    })?;
    let (id, count) = (&manifest.id, manifest.files.len());
    report.holds(
        &format!("{id} is whole: {count} files match their manifest, whose hash is {hash}."),
        &["gateway, nodes and receipts must name the same manifest hash".to_owned()],
        json!({"model": id, "files": count, "manifest_hash": hash}),
    );
    Ok(())
}

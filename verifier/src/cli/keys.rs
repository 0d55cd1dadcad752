//! `verifier keys URL`: what a gateway publishes, as the file to pin.

use anyhow::Context;
use assay_verifier::Trust;

use super::{
    files::Source,
    report::{Failure, Report},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The gateway, such as https://gateway.example
    url: String,
}

pub(super) fn run(args: &Args, report: &Report) -> Result<(), Failure> {
    let page = Source::of(&args.url)?.page("keys")?.context("the gateway publishes no keys")?;
    let trust = Trust::parse(&page).map_err(|error| {
        Failure::refused(format!("what the gateway publishes is no list of keys: {error}"))
    })?;
    for known in &trust.gateways {
        report.progress(&format!("{} signs with {}", known.id, known.key));
    }
    report.progress("compare the id with one that you got another way, then keep this file: it is what you trust");
    let text = serde_json::to_string_pretty(&trust).context("the keys cannot be written")?;
    println!("{text}");
    Ok(())
}

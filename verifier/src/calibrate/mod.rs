//! `verifier calibrate`: how far apart honest nodes are. Every configuration of the engine writes answers, each
//! is scored by another one, and what they differ by becomes the model's limits.

mod configurations;
mod findings;
mod questions;
mod weak;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use assay_engine::{Runtime, RuntimeConfig};
use assay_model::Manifest;
use assay_verifier::{ClassLimits, Limits, limits::FORMAT};
use clap::Args;

use configurations::Configurations;
use findings::Findings;
use questions::Questions;

/// The limits' file, beside the manifest.
const FILE_NAME: &str = "limits.json";
/// How often it says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(crate) struct CalibrateArgs {
    /// The folder that holds manifest.json; limits.json is written there
    folder: PathBuf,
    /// How many tokens to measure; all configurations share them
    #[arg(long, default_value_t = 100_000)]
    tokens: u64,
    /// Write nothing: hold what is measured against the limits that are there
    #[arg(long)]
    check: bool,
}

/// Measures, tells, and writes or checks the limits.
pub(crate) fn run(args: &CalibrateArgs) -> anyhow::Result<()> {
    let (manifest, manifest_hash) =
        Manifest::load(&args.folder).context("the manifest is not good")?;
    let known = known_limits(&args.folder)?;
    let of_this_model = known.filter(|known| known.manifest_hash == manifest_hash);
    if args.check && of_this_model.is_none() {
        bail!("{} has no limits, or those of another manifest", args.folder.display());
    }
    let runtime = Runtime::load(&RuntimeConfig::default())?;
    let mut configurations = Configurations::open(&runtime, &args.folder, &manifest)?;
    let class = configurations.class();
    println!("{} ({manifest_hash}), class {class}, {}", manifest.id, runtime.name());
    let findings = measure(&mut configurations, args.tokens)?;
    println!("{findings}");

    // Classes of other machines stay.
    let mut classes = of_this_model.map(|known| known.classes).unwrap_or_default();
    let limits = match classes.remove(&class) {
        Some(limits) if args.check => limits,
        None if args.check => bail!("class {class} has no limits yet"),
        _ => ClassLimits::from_measured(runtime.name(), findings.measured()),
    };
    let rejected = findings.rejected(&limits, &manifest);
    println!("limits: {}", words(&limits));
    println!("{rejected} of {} honest answers break them", findings.answers());
    ensure!(rejected == 0, "the limits do not fit this machine");
    let weak = weak::admitted(&runtime, &args.folder, &manifest, &limits)?;
    println!("{} of {} weak forms of the model pass", weak.admitted.len(), weak.forms);
    ensure!(
        weak.admitted.is_empty(),
        "the limits would admit {}: this class cannot be told from them, so it is not served as verified",
        weak.admitted.join(", ")
    );
    if args.check {
        return Ok(());
    }
    classes.insert(class, limits);
    write(&args.folder, &Limits { format: FORMAT.into(), manifest_hash, classes })
}

fn words(limits: &ClassLimits) -> String {
    let ClassLimits { tau_gap, tau_logit, sigma2_max, flips_max_per_mille, .. } = limits;
    format!(
        "margin {tau_gap:.1e}, mean logit difference {tau_logit:.1e}, σ̂² {sigma2_max:.1e}, flips {flips_max_per_mille} ‰"
    )
}

fn measure(configurations: &mut Configurations, tokens: u64) -> anyhow::Result<Findings> {
    let mut questions = Questions::default();
    let mut findings = Findings::of(configurations);
    let (began, mut told) = (Instant::now(), Instant::now());
    while findings.tokens() < tokens || !findings.are_of_all() {
        let turn = findings.next_turn();
        findings.add(turn, configurations.compare(turn, &mut questions)?);
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            let seconds = began.elapsed().as_secs().max(1);
            let (done, rate) = (findings.tokens(), findings.tokens() / seconds);
            eprintln!("{done} of {tokens} tokens, {rate} a second");
        }
    }
    Ok(findings)
}

fn known_limits(folder: &Path) -> anyhow::Result<Option<Limits>> {
    let path = folder.join(FILE_NAME);
    match fs::read(&path) {
        Ok(bytes) => {
            let limits = Limits::parse(&bytes);
            Ok(Some(limits.with_context(|| format!("{} is not good", path.display()))?))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn write(folder: &Path, limits: &Limits) -> anyhow::Result<()> {
    let path = folder.join(FILE_NAME);
    let text = serde_json::to_string_pretty(limits)? + "\n";
    Limits::parse(text.as_bytes()).context("so noisy a class is not served as verified")?;
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("written to {}", path.display());
    Ok(())
}

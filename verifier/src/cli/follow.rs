//! `verifier audit-log URL`: reads a log from its first entry, grows its tree again and repeats its draws.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use assay_verifier::{
    Trust,
    log::{
        Evidence, SignedCheckpoint,
        checkpoint::NOTE_BYTES_MAX,
        follow::{Follower, LogFault, Missing, Summary, Told},
        merkle::root_of,
        tiles::{Tile, read_bundle},
    },
    receipt::{Bundle, Checked, Receipt, check},
};
use serde_json::json;

use super::{
    files::{self, Source},
    mirror::Mirror,
    report::{Failure, Report},
};

const MS_PER_HOUR: u64 = 3_600_000;
/// Full bundles between two lines of progress.
const BUNDLES_PER_LINE: u64 = 256;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The gateway, such as https://gateway.example, or a folder that mirrors its log
    log: String,
    /// The keys that you pinned
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// Keep what was read here: a mirror to read offline, and what the next run compares with
    #[arg(long, value_name = "DIR")]
    save: Option<PathBuf>,
    /// Checkpoints that you or others saw: the log must go on from each
    #[arg(long, value_name = "FILE")]
    checkpoint: Vec<PathBuf>,
    /// Receipts that the log must hold, with the checkpoints that they carry, and whose draws are repeated
    #[arg(long, value_name = "FILE")]
    receipt: Vec<PathBuf>,
    /// What audits rest on, as GET /v1/receipts/{id}/evidence gave it: the log must say the same
    #[arg(long, value_name = "FILE")]
    evidence: Vec<PathBuf>,
    /// How long an audit may take, from its answer's seal
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    audit_hours: u64,
}

pub(super) fn run(args: &Args, report: &Report) -> Result<(), Failure> {
    let trust = files::trust(&args.trust)?;
    let source = Source::of(&args.log)?;
    let note = source.page("checkpoint")?.context("the log has no checkpoint")?;
    let now = opened(&note, &trust)?;
    let size = now.checkpoint.size;
    report.progress(&format!("{}: {size} entries", now.checkpoint.origin));

    let mut faults = Vec::new();
    let known = trust.gateway(&now.checkpoint.origin).context("the log's gateway is pinned")?;
    let mut follower = Follower::of_gateway(known.key);
    let mirror = args.save.as_deref().map(Mirror::open).transpose()?;
    follow(mirror.as_ref(), &source, size, &mut follower, &mut faults, report)?;
    let head = follower.head();
    if head != (size, now.checkpoint.root) {
        faults.push("the entries are not those of the signed checkpoint".to_owned());
    }
    let held = args.receipt.iter().map(|path| held(path, &trust)).collect::<Result<Vec<_>, _>>()?;
    let elsewhere = seen_elsewhere(args, &trust, &held)?;
    for (name, seen) in &elsewhere {
        faults.extend(compare(&follower, &now, name, seen));
    }
    let mut told = Vec::new();
    for Held { bundle, checked, .. } in &held {
        match follower.receipt(bundle, &checked.receipt) {
            Ok(audit) => told.push(said(&checked.receipt, audit)),
            Err(fault) => faults.push(fault.to_string()),
        }
    }
    for path in &args.evidence {
        let evidence = files::evidence(path)?;
        match follower.evidence(&evidence) {
            Ok(()) => told.push(rests_on(&evidence)),
            Err(fault) => faults.push(fault.to_string()),
        }
    }
    let grace_ms = args.audit_hours.saturating_mul(MS_PER_HOUR);
    let missing = follower.missing(source.now_ms(), grace_ms);
    faults.extend(missing.skipped.iter().map(ToString::to_string));
    if !faults.is_empty() {
        return Err(Failure::Refused(faults));
    }
    if let Some(mirror) = &mirror {
        mirror.advance(&note)?;
    }
    tell(report, &now, follower.summary(), &missing, !elsewhere.is_empty(), told);
    Ok(())
}

/// A receipt that holds by itself.
struct Held {
    name: String,
    bundle: Bundle,
    checked: Checked,
}

fn held(path: &Path, trust: &Trust) -> Result<Held, Failure> {
    let (name, bundle) = (path.display().to_string(), files::bundle(path)?);
    let checked = check(&bundle, None, None, trust)
        .map_err(|refusal| Failure::refused(format!("{name}: {refusal}")))?;
    Ok(Held { name, bundle, checked })
}

/// What an audit rests on, in a sentence.
fn rests_on(evidence: &Evidence) -> String {
    let Evidence { job, result, scored, .. } = evidence;
    let margins = || scored.iter().flat_map(|scored| &scored.margins_nano);
    let (positions, largest) = (margins().count(), margins().max().copied().unwrap_or_default());
    format!(
        "the audit of job {job} ({}) rests on what the log says: {positions} position(s) scored, the largest margin {largest}e-9 \
         logits",
        result.as_str()
    )
}

/// What the log says of a receipt's audit, in a sentence.
fn said(receipt: &Receipt, audit: Told) -> String {
    let (job, q_ppm) = (receipt.job, receipt.audit.q_ppm);
    let chance = f64::from(q_ppm) / 1e4;
    let how = match audit {
        Told::NoDraw => "no audit was to be drawn".to_owned(),
        Told::Undisclosed => format!(
            "its audit is drawn with a chance of {chance} %, by the secret that the log committed to and that is not \
             out yet"
        ),
        Told::Spared => format!("its draw, with a chance of {chance} %, did not fall on an audit"),
        Told::Drawn(None) => {
            format!(
                "its draw, with a chance of {chance} %, fell on an audit, which is not done yet"
            )
        }
        Told::Drawn(Some(result)) => {
            let result = result.as_str();
            format!("its draw, with a chance of {chance} %, fell on an audit: {result}")
        }
    };
    format!("the receipt of job {job} is in the log; {how}")
}

/// Reads every entry, and sets it aside if wished. What was kept before must be the same.
fn follow(
    mirror: Option<&Mirror>,
    source: &Source,
    size: u64,
    follower: &mut Follower,
    faults: &mut Vec<String>,
    report: &Report,
) -> Result<(), Failure> {
    for tile in Tile::bundles(0, size, size) {
        let path = tile.path();
        let bytes = source.page(&path)?.with_context(|| format!("the log has no {path}"))?;
        let entries = read_bundle(&bytes)
            .map_err(|error| Failure::refused(format!("{path} cannot be read: {error}")))?;
        if entries.len() as u64 != tile.width {
            return Err(Failure::refused(format!("{path} has {} entries", entries.len())));
        }
        let found = entries.iter().filter_map(|entry| follower.push(entry).err());
        faults.extend(found.map(|fault: LogFault| fault.to_string()));
        if let Some(mirror) = mirror
            && !mirror.set_aside(&path, &bytes)?
        {
            faults.push(format!("{path} is another one than was saved before"));
        }
        if (tile.index + 1).is_multiple_of(BUNDLES_PER_LINE) {
            report.progress(&format!("{} of {size} entries", follower.head().0));
        }
    }
    Ok(())
}

/// Checkpoints that the log must contain: of an earlier run, of files, of receipts.
fn seen_elsewhere(
    args: &Args,
    trust: &Trust,
    held: &[Held],
) -> Result<Vec<(String, SignedCheckpoint)>, Failure> {
    let of_receipts = held.iter().map(|held| (held.name.clone(), held.checked.checkpoint.clone()));
    let mut seen: Vec<(String, SignedCheckpoint)> = of_receipts.collect();
    let earlier = args.save.as_ref().map(|folder| folder.join("checkpoint"));
    let earlier = earlier.filter(|path| path.is_file());
    for path in args.checkpoint.iter().chain(&earlier) {
        seen.push((path.display().to_string(), opened(&files::read(path)?, trust)?));
    }
    Ok(seen)
}

/// Two signed checkpoints of one log must agree; where they do not, both signatures prove the lie.
fn compare(
    follower: &Follower,
    now: &SignedCheckpoint,
    name: &str,
    seen: &SignedCheckpoint,
) -> Option<String> {
    let Ok(forked) = is_forked(follower, now, seen) else {
        return Some(format!("the checkpoint in {name} cannot be compared"));
    };
    let size = seen.checkpoint.size;
    forked.then(|| {
        format!(
            "the log is forked: the gateway signed two logs that differ within their first {size} entries; keep {name} \
             and this checkpoint, they prove it:\n{}{}",
            seen.note, now.note
        )
    })
}

fn is_forked(
    follower: &Follower,
    now: &SignedCheckpoint,
    seen: &SignedCheckpoint,
) -> anyhow::Result<bool> {
    let (size, origin) = (seen.checkpoint.size, &seen.checkpoint.origin);
    if *origin != now.checkpoint.origin {
        bail!("it is of {origin}");
    }
    if size > follower.head().0 {
        // The log was longer once: what was signed is gone.
        return Ok(true);
    }
    Ok(root_of(follower.tree(), size)? != seen.checkpoint.root)
}

/// The checkpoint of whichever pinned gateway the note says.
fn opened(note: &[u8], trust: &Trust) -> Result<SignedCheckpoint, Failure> {
    let text = std::str::from_utf8(note).ok().filter(|text| text.len() <= NOTE_BYTES_MAX);
    let text = text.ok_or_else(|| Failure::refused("the checkpoint is not a note"))?;
    let origin = text.lines().next().unwrap_or_default();
    let known = trust.gateway(origin);
    let known = known.ok_or_else(|| {
        Failure::refused(format!("the log is signed as `{origin}`, which is not pinned"))
    })?;
    SignedCheckpoint::open(text, origin, known.key).map_err(Failure::refused)
}

fn tell(
    report: &Report,
    now: &SignedCheckpoint,
    summary: &Summary,
    missing: &Missing,
    compared: bool,
    told: Vec<String>,
) {
    let Missing { open, undisclosed, .. } = missing;
    let Summary { answers, undrawn, audits, draws, drawn, epochs_closed, ledger_heads, seals } =
        summary;
    let (origin, size) = (&now.checkpoint.origin, now.checkpoint.size);
    let sentence = format!(
        "The log of {origin} holds: {size} entries, {answers} answers; {draws} draws of {epochs_closed} closed \
         epoch(s) were repeated, {drawn} fell on an audit, and none was skipped."
    );
    let mut notes = vec![format!(
        "audits done {audits}, still open {open}; {undrawn} answer(s) without a draw: scored or failed, as their \
         receipts say; heads of sealed journals {ledger_heads}"
    )];
    notes.extend(told);
    if *undisclosed > 0 {
        notes.push(format!(
            "{undisclosed} draw(s) rest on a secret that is not out yet: they cannot be repeated before"
        ));
    }
    if !compared {
        notes.push("nothing seen elsewhere was compared: a fork of the log is not excluded".into());
    }
    let figures = json!({"origin": origin, "size": size, "root": now.checkpoint.root,
        "answers": answers, "undrawn": undrawn, "audits": audits, "audits_open": open, "draws_undisclosed": undisclosed, "draws": draws, "drawn": drawn,
        "epochs_closed": epochs_closed, "ledger_heads": ledger_heads, "seals": seals,
        "fork_excluded": compared});
    report.holds(&sentence, &notes, figures);
}

//! `verifier check`: one answer, from its receipt to the model itself.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::Context;
use assay_engine::{
    Engine, EngineConfig, GenerateRequest, Runtime, RuntimeConfig, ScoreRequest, Scores,
};
use assay_model::{Manifest, TextModel};
use assay_protocol::{PositionScore, Sampling, TokenId, ToldToken};
use assay_verifier::{
    Limits,
    receipt::{
        Bundle, Checked, Headers, Note, Receipt, Refusal, Replay, Request, Saved, State, check,
        replay,
        replay::{
            check_evidence, check_limits, check_logprobs, check_manifest, check_output,
            top_logprobs,
        },
    },
    rules::TAU_GAP,
};
use serde_json::json;

use super::{
    files,
    report::{Failure, Report},
    show, vectors,
};

/// The class of a machine that runs this program, as calibration names it.
const OWN_CLASS: &str = "cpu-fp32";

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file that GET /v1/receipts/{id} gave
    receipt: PathBuf,
    /// The request's body, as it was sent
    #[arg(long, value_name = "FILE")]
    request: Option<PathBuf>,
    /// The answer's body, or the list of a stream's chunks
    #[arg(long, value_name = "FILE")]
    response: Option<PathBuf>,
    /// The model's folder; needs --request
    #[arg(long, value_name = "DIR", requires = "request")]
    model: Option<PathBuf>,
    /// The keys that you pinned: what `verifier keys` printed, once you compared it
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// What the audit rests on, as GET /v1/receipts/{id}/evidence gave it: the model's own margins must be those; needs
    /// --model. That it is what the log says, `verifier audit-log --evidence` checks
    #[arg(long, value_name = "FILE", requires = "model")]
    evidence: Option<PathBuf>,
    /// What the header x-assay-risk said, if it was sent
    #[arg(long, value_name = "WORD", requires = "request")]
    risk: Option<String>,
    /// What the header x-assay-nonce said, if it was sent
    #[arg(long, value_name = "TEXT", requires = "request")]
    nonce: Option<String>,
    /// Replay the text side only, and leave the model's weights alone
    #[arg(long)]
    without_weights: bool,
}

/// What the model itself said.
#[derive(Debug)]
struct Prefill {
    positions: usize,
    largest_margin: f64,
    limit: f64,
}

pub(super) fn run(args: &Args, report: &Report) -> Result<(), Failure> {
    let trust = files::trust(&args.trust)?;
    let bundle = files::bundle(&args.receipt)?;
    let headers = Headers { risk: args.risk.clone(), nonce: args.nonce.clone() };
    let request = args.request.as_deref().map(files::request).transpose()?;
    let request = request.map(|request| request.with(headers));
    let job = Receipt::decode(&bundle.receipt.bytes).map_err(Failure::refused)?.job;
    let response = args.response.as_deref().map(|path| files::response(path, job)).transpose()?;
    report.progress("signatures, place in the log, payout");
    let checked =
        check(&bundle, request.as_ref(), response.as_ref(), &trust).map_err(Failure::refused)?;
    let mut notes: Vec<String> = checked.notes.iter().map(ToString::to_string).collect();
    let embedded = match (&args.model, &request) {
        (Some(folder), Some(request)) if checked.receipt.is_embedding() => {
            embed(args, folder, &checked, request, response.as_ref(), report)?
        }
        _ => None,
    };
    let prefill = match (&args.model, &request) {
        (Some(_), Some(_)) if checked.receipt.is_embedding() => None,
        (Some(folder), Some(request)) => {
            run_model(args, folder, &checked, request, response.as_ref(), report)?
        }
        _ => {
            notes.push("the model was not asked: --model and --request do that".to_owned());
            None
        }
    };
    let answered = checked.receipt.completion_tokens > 0 || checked.receipt.is_embedding();
    if args.model.is_some() && prefill.is_none() && embedded.is_none() && answered {
        notes.push("the model's weights were not asked".to_owned());
    }
    tell(report, &bundle, &checked, &notes, prefill.as_ref(), embedded.as_ref());
    Ok(())
}

fn embed(
    args: &Args,
    folder: &Path,
    checked: &Checked,
    request: &Request,
    response: Option<&Saved>,
    report: &Report,
) -> Result<Option<vectors::Embedded>, Failure> {
    report.progress("manifest, inputs");
    let manifest = files::read(&folder.join(assay_model::manifest::FILE_NAME))?;
    check_manifest(&checked.receipt, Manifest::hash_of(&manifest)).map_err(Failure::refused)?;
    let evidence = args.evidence.as_deref().map(files::evidence).transpose()?;
    let (evidence, without) = (evidence.as_ref(), args.without_weights);
    vectors::run(folder, checked, request, response, evidence, without, report)
}

fn run_model(
    args: &Args,
    folder: &Path,
    checked: &Checked,
    request: &Request,
    response: Option<&Saved>,
    report: &Report,
) -> Result<Option<Prefill>, Failure> {
    let receipt = &checked.receipt;
    report.progress("manifest, prompt, parameters, seed, tokens");
    // Before it is believed in anything: a manifest that was changed need not even be readable.
    let manifest = files::read(&folder.join(assay_model::manifest::FILE_NAME))?;
    check_manifest(receipt, Manifest::hash_of(&manifest)).map_err(Failure::refused)?;
    let limits = limits_file(folder)?;
    check_limits(receipt, limits.as_deref()).map_err(Failure::refused)?;
    let text = TextModel::load(folder).context("the model folder cannot be read")?;
    let found = replay(receipt, request, response, &text).map_err(Failure::refused)?;
    if args.without_weights || receipt.state == State::Failed || receipt.completion_tokens == 0 {
        return Ok(None);
    }
    report.progress("loading the model, hashing its files");
    let runtime = Runtime::load(&RuntimeConfig::default()).context("no runtime for the model")?;
    let mut engine = Engine::open(&runtime, folder, &EngineConfig::default())
        .context("the model cannot be loaded")?;
    let output = match found.output.clone() {
        Some(output) => output,
        None => write_again(&mut engine, receipt, request, response, &found, report)?,
    };
    let limit = margin_limit(limits.as_deref(), receipt)?;
    let evidence = args.evidence.as_deref().map(files::evidence).transpose()?;
    let top = top_logprobs(request).map_err(Failure::refused)?;
    let Scores { positions: scores, logprobs } =
        score(&mut engine, receipt, found, output.clone(), top, report)?;
    judge(&scores, limit).map_err(Failure::refused)?;
    if let (Some(saved), true) = (response, receipt.state == State::Succeeded && top.is_some()) {
        let told = scores.iter().zip(logprobs);
        let told = told.map(|(score, logprobs)| ToldToken { logit: score.logit, logprobs });
        check_logprobs(saved, &output, &text, &told.collect::<Vec<_>>(), limit)
            .map_err(Failure::refused)?;
    }
    let margins: Vec<f64> = scores.iter().map(|score| score.margin).collect();
    if let Some(evidence) = &evidence {
        check_evidence(receipt, evidence, &margins, limit).map_err(Failure::refused)?;
    }
    let largest_margin = margins.iter().copied().fold(0.0, f64::max);
    Ok(Some(Prefill { positions: margins.len(), largest_margin, limit }))
}

/// Neither the response nor its text tells the ids: the model draws them once more, from the receipt's seed.
fn write_again(
    engine: &mut Engine,
    receipt: &Receipt,
    request: &Request,
    response: Option<&Saved>,
    found: &Replay,
    report: &Report,
) -> Result<Vec<TokenId>, Failure> {
    let count = receipt.completion_tokens;
    report.progress(&format!("the response does not tell its ids: drawing {count} tokens again"));
    let mut output = Vec::new();
    let again = GenerateRequest {
        prompt: found.prompt.clone(),
        prefix: Vec::new(),
        max_tokens: count,
        sampling: found.sampling.clone(),
        seed: receipt.seed,
    };
    let mut last = Instant::now();
    engine
        .generate(&again, &mut |id, _| {
            output.push(id);
            if last.elapsed().as_secs() >= 2 {
                last = Instant::now();
                report.progress(&format!("{} of {count} tokens", output.len()));
            }
            ControlFlow::Continue(())
        })
        .context("the model cannot write")?;
    check_output(receipt, request, response, found, &output, engine.text())
        .map_err(Failure::refused)?;
    Ok(output)
}

fn score(
    engine: &mut Engine,
    receipt: &Receipt,
    Replay { prompt, sampling, .. }: Replay,
    output: Vec<TokenId>,
    top_logprobs: Option<u8>,
    report: &Report,
) -> Result<Scores, Failure> {
    let tokens = prompt.len() + output.len();
    report.progress(&format!("one pass of the model over {tokens} tokens"));
    let (sampling, seed) = (Sampling { top_logprobs, ..sampling }, receipt.seed);
    let scores = engine
        .score_told(&ScoreRequest { prompt, output, sampling, seed })
        .context("the model cannot score the answer")?;
    Ok(scores)
}

fn judge(scores: &[PositionScore], limit: f64) -> Result<(), Refusal> {
    let beyond = |score: &PositionScore| !score.margin.is_finite() || score.margin > limit;
    match scores.iter().position(beyond) {
        Some(position) => Err(Refusal::Model { position, margin: scores[position].margin, limit }),
        None => Ok(()),
    }
}

/// The folder's limits, if it has any.
fn limits_file(folder: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let path = folder.join("limits.json");
    path.is_file().then(|| files::read(&path)).transpose()
}

/// What calibration allows between this machine and the nodes': the larger limit of the classes at hand.
fn margin_limit(limits: Option<&[u8]>, receipt: &Receipt) -> Result<f64, Failure> {
    let Some(limits) = limits else { return Ok(TAU_GAP) };
    let limits = Limits::parse(limits).context("limits.json cannot be read")?;
    if limits.manifest_hash != receipt.manifest_hash {
        return Ok(TAU_GAP);
    }
    let classes = receipt.parts.iter().map(|part| part.class.as_str()).chain([OWN_CLASS]);
    let known = classes.filter_map(|class| limits.classes.get(class));
    Ok(known.map(|class| class.tau_gap).fold(TAU_GAP, f64::max))
}

fn tell(
    report: &Report,
    bundle: &Bundle,
    checked: &Checked,
    notes: &[String],
    prefill: Option<&Prefill>,
    embedded: Option<&vectors::Embedded>,
) {
    let Receipt { completion_tokens, manifest_hash, money, .. } = &checked.receipt;
    let gateway = &checked.gateway;
    let signers = checked.signers.len();
    let sentence = match (checked.receipt.state, prefill) {
        _ if checked.receipt.is_embedding() => vectors::sentence(gateway, checked, embedded),
        (State::Failed, _) => {
            format!("{gateway} signed that it gave no answer and charged nothing.")
        }
        (_, Some(Prefill { positions, largest_margin, limit })) => format!(
            "This answer is what model {manifest_hash} says: all {positions} tokens are its own draws \
             (largest margin {largest_margin:.6} logits, {limit} allowed). {signers} node(s) signed it, \
             {gateway} signed the receipt, the log has it, and the payout adds up."
        ),
        (_, None) => format!(
            "The receipt of {completion_tokens} tokens holds: {signers} node(s) signed the answer, \
             {gateway} signed the receipt, the log has it, and the payout adds up."
        ),
    };
    let figures = json!({
        "receipt": show::view(bundle, &checked.receipt),
        "signers": checked.signers,
        "fork_excluded": !checked.notes.contains(&Note::ForkNotExcluded),
        "cost_nano": money.cost.to_string(),
        "vectors_checked": embedded.map(|embedded| embedded.vectors),
        "largest_difference": embedded.map(|embedded| embedded.largest_difference),
        "positions_checked": prefill.map(|prefill| prefill.positions),
        "largest_margin": prefill.map(|prefill| prefill.largest_margin),
        "margin_limit": prefill.map(|prefill| prefill.limit),
    });
    report.holds(&sentence, notes, figures);
}

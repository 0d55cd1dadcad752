//! `verifier show RECEIPT`: what a receipt says, without believing it.

use std::path::PathBuf;

use assay_verifier::receipt::{Bundle, Part, Receipt, gateway_name};
use serde_json::{Value, json};

use super::{files, report::Failure};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file that GET /v1/receipts/{id} gave
    receipt: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let bundle = files::bundle(&args.receipt)?;
    let receipt = Receipt::decode(&bundle.receipt.bytes)
        .map_err(|error| Failure::refused(format!("the receipt cannot be read: {error}")))?;
    println!("{:#}", view(&bundle, &receipt));
    Ok(())
}

/// A receipt as JSON. Amounts and other large numbers are decimal strings.
pub(super) fn view(bundle: &Bundle, receipt: &Receipt) -> Value {
    let word = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    let money = receipt.money;
    let verdict = receipt.verdict.as_ref().map(|verdict| {
        json!({
            "rule": verdict.rule, "round": verdict.round, "nodes_asked": verdict.nodes_asked,
            "finish": verdict.finish.as_str(), "positions_checked": verdict.positions_checked,
            "largest_margin_nano": verdict.largest_margin_nano.map(|value| value.to_string()),
            "sigma2_nano": verdict.sigma2_nano.map(|value| value.to_string()),
        })
    });
    json!({
        "gateway": gateway_name(receipt.gateway), "job": receipt.job, "time_ms": receipt.time_ms,
        "state": word(&receipt.state), "policy": word(&receipt.policy),
        "seed_from": word(&receipt.seed_from), "nonce": receipt.nonce,
        "salt": receipt.salt, "request": receipt.request, "response": receipt.response,
        "manifest_hash": receipt.manifest_hash, "limits_hash": receipt.limits_hash, "sampling": receipt.sampling, "grammar": receipt.grammar, "seed": receipt.seed,
        "prompt_tokens": receipt.prompt_tokens, "max_tokens": receipt.max_tokens,
        "completion_tokens": receipt.completion_tokens,
        "prompt_link": receipt.prompt_link, "answer_link": receipt.answer_link,
        "verdict": verdict,
        "audit": {"epoch": receipt.audit.epoch, "commitment": receipt.audit.commitment,
            "q_ppm": receipt.audit.q_ppm},
        "money_nano": {"held": money.held.to_string(), "cost": money.cost.to_string(),
            "fee": money.fee.to_string(), "reserve": money.reserve.to_string(),
            "returned": money.returned.to_string()},
        "nodes": receipt.parts.iter().map(part).collect::<Vec<_>>(),
        "log": {"index": bundle.index, "checkpoint": bundle.note, "proof": bundle.proof},
        "signature": bundle.receipt.signature,
        "bytes": {"receipt": bundle.receipt.bytes.len(), "file": bundle.encode().len()},
    })
}

fn part(part: &Part) -> Value {
    let signed = part.signed.as_ref().map(|signed| {
        json!({
            "key": signed.key, "version": signed.version, "session": signed.epoch.to_string(),
            "from": signed.from, "to": signed.to, "h_from": signed.h_from, "h_to": signed.h_to,
            "logits_hash": signed.logits_hash, "finish": signed.finish.map(|end| end.as_str()),
            "signature": signed.signature,
        })
    });
    json!({"node": part.node, "class": part.class, "round": part.round, "outcome": part.outcome,
        "pay_nano": part.pay.to_string(), "signed": signed})
}

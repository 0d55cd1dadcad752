//! Everything about a receipt that can be checked without its model: signatures, place in the log, what it binds,
//! and whether its sums add up.

use assay_model::FinishReason;
use assay_protocol::{Attestation, Bytes32, Finish, NodeId, Outcome, vectors_hash};

use super::{
    Bundle, Checked, Note, Part, Policy, Receipt, Refusal, Request, Saved, State,
    asked::{check_agreement, check_model, check_request},
    bound::is_response_id,
    gateway_name,
};
use crate::{
    log::{
        SignedCheckpoint,
        merkle::{check_inclusion, leaf_hash},
    },
    trust::Trust,
};

/// Checks a receipt, and that it is of this request and response if they are given.
pub fn check(
    bundle: &Bundle,
    request: Option<&Request>,
    response: Option<&Saved>,
    trust: &Trust,
) -> Result<Checked, Refusal> {
    let receipt = Receipt::decode(&bundle.receipt.bytes)?;
    let gateway = gateway_name(receipt.gateway);
    let key = trust.key_at(&gateway, receipt.time_ms);
    let key = key.ok_or_else(|| Refusal::Gateway(gateway.clone()))?;
    if !bundle.receipt.is_by(key) {
        return Err(Refusal::Signature);
    }
    let checkpoint = check_log(bundle, &receipt, &gateway, key)?;
    if let Some(request) = request {
        check_request(&receipt, request)?;
    }
    check_response(&receipt, response)?;
    check_model(request, response)?;
    let signers = check_parts(&receipt, &gateway, trust)?;
    check_shares(&receipt)?;
    check_money(&receipt)?;
    check_state(&receipt)?;
    if receipt.state == State::Succeeded && signers.is_empty() && !may_be_cut(&receipt, request) {
        return Err(Refusal::AnswerUnsigned);
    }
    check_agreement(&receipt)?;
    check_vectors(&receipt, response)?;
    let mut notes = notes(&receipt, &signers, trust);
    notes.extend(request.is_none().then_some(Note::NoRequest));
    let own_nonce = request.is_some_and(|request| request.nonce().is_none());
    notes.extend((receipt.nonce.is_some() && own_nonce).then_some(Note::NonceNotAsked));
    let own_risk = request.is_some_and(|request| request.risk().is_none());
    if own_risk && receipt.policy != Policy::Standard {
        notes.push(Note::RiskNotAsked(receipt.policy.as_str().to_owned()));
    }
    let has_answer = receipt.state == State::Succeeded;
    notes.extend((has_answer && response.is_none()).then_some(Note::NoResponse));
    let witnessed = trust.witnesses.iter().any(|(name, key)| checkpoint.is_signed_by(name, *key));
    notes.extend((!witnessed).then_some(Note::ForkNotExcluded));
    Ok(Checked { receipt, gateway, checkpoint, signers, notes })
}

fn check_log(
    bundle: &Bundle,
    receipt: &Receipt,
    gateway: &str,
    key: Bytes32,
) -> Result<SignedCheckpoint, Refusal> {
    let signed = SignedCheckpoint::open(&bundle.note, gateway, key)?;
    let entry = receipt.entry(bundle.receipt.hash());
    let (size, root) = (signed.checkpoint.size, signed.checkpoint.root);
    check_inclusion(leaf_hash(&entry.encode()), bundle.index, size, &bundle.proof, root)?;
    Ok(signed)
}

/// Whether a stop string may have cut the answer out of what nodes signed: only where one was asked for.
fn may_be_cut(receipt: &Receipt, request: Option<&Request>) -> bool {
    let is_cut = receipt.verdict.as_ref().is_some_and(|verdict| verdict.finish == Finish::Told);
    let stops = |request: &Request| request.json.get("stop").is_some();
    is_cut && request.is_none_or(stops)
}

/// Vectors differ in their last bits from node to node: those that the client got are signed by one who was paid.
fn check_vectors(receipt: &Receipt, response: Option<&Saved>) -> Result<(), Refusal> {
    let Some(saved) = response.filter(|_| receipt.is_embedding()) else { return Ok(()) };
    let hash = vectors_hash(&saved.vectors);
    let signed = |part: &&Part| part.signed.as_ref().is_some_and(|it| it.logits_hash == hash);
    let paid = |part: &Part| outcome(part).is_some_and(Outcome::is_paid);
    match receipt.parts.iter().filter(signed).any(paid) {
        true => Ok(()),
        false => Err(Refusal::AnswerUnsigned),
    }
}

/// The fields that the receipt says itself are compared first, so that the sentence names the one that is wrong.
fn check_response(receipt: &Receipt, response: Option<&Saved>) -> Result<(), Refusal> {
    let Some(saved) = response else { return Ok(()) };
    let is_named = match &saved.job {
        Some(job) => *job == receipt.job.to_string(),
        None => is_response_id(&saved.id, receipt.job),
    };
    if !is_named {
        return Err(Refusal::Response("id"));
    }
    let (Some(hash), Some(verdict)) = (receipt.response, &receipt.verdict) else {
        return check_unfinished(receipt, saved);
    };
    let usage = (receipt.prompt_tokens, receipt.completion_tokens);
    if saved.usage.is_some_and(|found| found != usage) {
        return Err(Refusal::Response("usage"));
    }
    let expected = FinishReason::of(verdict.finish, !saved.tool_calls.is_empty()).as_str();
    let response = saved.bound(expected, usage);
    if response.hash(receipt.salt) != hash {
        return Err(Refusal::Response("model, content, tool calls or finish_reason"));
    }
    if response.finish_reason != expected {
        return Err(Refusal::Response("finish_reason"));
    }
    Ok(())
}

/// What a client can hold of an answer that did not succeed: its beginning, and no end.
fn check_unfinished(receipt: &Receipt, saved: &Saved) -> Result<(), Refusal> {
    if receipt.state == State::Succeeded {
        // It contradicts itself: see `check_state`.
        return Ok(());
    }
    if saved.finish_reason.is_some() {
        return Err(Refusal::Unfinished("the response is whole"));
    }
    let is_empty = saved.content.is_empty() && saved.tool_calls.is_empty();
    if !is_empty && receipt.completion_tokens == 0 {
        return Err(Refusal::Unfinished("the response has text"));
    }
    Ok(())
}

/// Whether this is a signature over this very answer, its end included.
pub(super) fn is_of_this_answer(receipt: &Receipt, part: &Part) -> bool {
    let Some(signed) = &part.signed else { return false };
    let ends_alike = match receipt.verdict.as_ref().map(|verdict| verdict.finish) {
        Some(finish @ (Finish::Stop | Finish::Length | Finish::Embedded)) => {
            signed.finish == Some(finish)
        }
        Some(Finish::Told) | None => true,
    };
    signed.h_to == receipt.answer_link && ends_alike
}

/// The nodes that signed this very answer.
fn check_parts(receipt: &Receipt, gateway: &str, trust: &Trust) -> Result<Vec<NodeId>, Refusal> {
    let mut signers = Vec::new();
    let mut seen = Vec::new();
    for part in &receipt.parts {
        let node = part.node;
        if seen.contains(&(node, part.round)) {
            return Err(Refusal::NodeTwice(node));
        }
        seen.push((node, part.round));
        if part.pay > 0 && !outcome(part).is_some_and(Outcome::is_paid) {
            return Err(Refusal::PaidUndeserved { node, outcome: part.outcome.clone() });
        }
        let Some(signed) = &part.signed else {
            if part.pay > 0 {
                return Err(Refusal::PaidUnsigned(node));
            }
            continue;
        };
        if trust.nodes.get(&node).is_some_and(|pinned| *pinned != signed.key) {
            return Err(Refusal::NodeKey(node));
        }
        let statement = Attestation {
            version: signed.version,
            gateway,
            node,
            epoch: signed.epoch,
            job: receipt.job,
            round: part.round,
            manifest_hash: receipt.manifest_hash,
            sampling: &receipt.sampling,
            grammar: receipt.grammar,
            seed: receipt.seed,
            from: signed.from,
            to: signed.to,
            h_from: signed.h_from,
            h_to: signed.h_to,
            logits_hash: signed.logits_hash,
            finish: signed.finish,
        };
        if !statement.verify(signed.key, signed.signature) {
            return Err(Refusal::NodeSignature(node));
        }
        if is_of_this_answer(receipt, part) {
            signers.push(node);
        }
    }
    Ok(signers)
}

pub(super) fn outcome(part: &Part) -> Option<Outcome> {
    serde_json::from_value(part.outcome.as_str().into()).ok()
}

/// Of one set, nodes that passed and signed this answer from the same token on get the same.
fn check_shares(receipt: &Receipt) -> Result<(), Refusal> {
    let paid = |part: &&Part| {
        outcome(part).is_some_and(Outcome::is_paid) && is_of_this_answer(receipt, part)
    };
    let from = |part: &Part| part.signed.as_ref().map(|signed| signed.from);
    let shares: Vec<&Part> = receipt.parts.iter().filter(paid).collect();
    for (index, one) in shares.iter().enumerate() {
        let same = |other: &&&Part| other.round == one.round && from(other) == from(one);
        let other = shares[..index].iter().filter(same).find(|other| other.pay != one.pay);
        if let Some(other) = other {
            return Err(Refusal::PaidUnequally(other.node, one.node));
        }
    }
    Ok(())
}

fn check_money(receipt: &Receipt) -> Result<(), Refusal> {
    let super::Money { held, cost, fee, reserve, returned } = receipt.money;
    let sum = |mut amounts: Vec<u64>| {
        amounts.drain(..).try_fold(0u64, u64::checked_add).ok_or(Refusal::Money("it is too large"))
    };
    let mut shares: Vec<u64> = receipt.parts.iter().map(|part| part.pay).collect();
    shares.extend([fee, reserve]);
    if sum(shares)? != cost {
        return Err(Refusal::Money("fee, pays and reserve are not the cost"));
    }
    if sum(vec![cost, returned])? != held {
        return Err(Refusal::Money("the cost and what was given back are not what was held"));
    }
    if cost > 0 && receipt.completion_tokens == 0 && !receipt.is_embedding() {
        return Err(Refusal::Money("there is a cost and no token"));
    }
    let passed = |part: &Part| outcome(part).is_some_and(Outcome::is_paid) && part.signed.is_some();
    if receipt.state == State::Succeeded && cost > 0 && !receipt.parts.iter().any(passed) {
        return Err(Refusal::Money("there is a cost, and nobody who signed passed"));
    }
    Ok(())
}

fn check_state(receipt: &Receipt) -> Result<(), Refusal> {
    let wrong = |problem| Err(Refusal::Contradiction(problem));
    match receipt.state {
        State::Succeeded if receipt.verdict.is_none() || receipt.response.is_none() => {
            wrong("it succeeded without a verdict or an answer")
        }
        State::Failed if receipt.money.cost > 0 => wrong("it failed and was charged all the same"),
        State::Failed | State::Cancelled if receipt.response.is_some() => {
            wrong("it did not succeed and has an answer all the same")
        }
        _ if receipt.completion_tokens > receipt.max_tokens => {
            wrong("the answer has more tokens than it could have")
        }
        _ if receipt.audit.q_ppm > crate::log::draw::PPM => {
            wrong("the chance of an audit is above one")
        }
        _ => Ok(()),
    }
}

fn notes(receipt: &Receipt, signers: &[NodeId], trust: &Trust) -> Vec<Note> {
    let mut notes = Vec::new();
    match receipt.state {
        State::Succeeded => notes.extend(signers.is_empty().then_some(Note::CutOut)),
        State::Cancelled => notes.push(Note::CutOff),
        State::Failed => notes.push(Note::NoAnswer),
    }
    for part in &receipt.parts {
        if !trust.nodes.contains_key(&part.node) {
            notes.push(Note::NodeNotPinned(part.node));
        }
        let passed = outcome(part).is_some_and(Outcome::is_paid);
        match is_of_this_answer(receipt, part) {
            true if !passed => {
                notes.push(Note::Unpaid { node: part.node, outcome: part.outcome.clone() })
            }
            false if part.signed.is_some() => notes.push(Note::SignedOther(part.node)),
            _ => {}
        }
    }
    if receipt.sampling.temperature > 0.0 {
        match receipt.seed_from {
            super::SeedFrom::Client => {}
            super::SeedFrom::Nonce => notes.push(Note::SeedOfNonce),
            super::SeedFrom::Gateway => notes.push(Note::SeedOfGateway),
        }
    }
    let checked = receipt.verdict.as_ref().is_some_and(|verdict| verdict.positions_checked > 0);
    let answered =
        receipt.state != State::Failed && (receipt.completion_tokens > 0 || receipt.is_embedding());
    if answered && !checked && receipt.audit.q_ppm == 0 {
        notes.push(Note::NeverAudited);
    }
    notes
}

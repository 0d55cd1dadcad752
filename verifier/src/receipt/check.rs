//! Everything about a receipt that can be checked without its model: signatures, place in the log, what it binds,
//! and whether its sums add up.

use assay_protocol::{Attestation, Bytes32, Finish, NodeId, Outcome};

use super::{
    Bundle, Part, Receipt, Request, Saved, State,
    bound::{finish_reason, request_hash, response_id},
    gateway_name,
};
use crate::{
    log::{
        Entry, NoteError, ProofError, SignedCheckpoint,
        entry::AnswerEntry,
        merkle::{check_inclusion, leaf_hash},
    },
    trust::Trust,
    wire::WireError,
};

/// What was found good.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    pub receipt: Receipt,
    /// The gateway's name, under which its key is pinned.
    pub gateway: String,
    pub checkpoint: SignedCheckpoint,
    /// Nodes whose signature is over exactly this answer.
    pub signers: Vec<NodeId>,
    /// What to know besides.
    pub notes: Vec<Note>,
}

/// What a receipt leaves open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Note {
    #[error("no pinned witness signed the checkpoint: a fork of the log is not excluded")]
    ForkNotExcluded,
    #[error(
        "node {0} is not among the pinned keys: that it is a node of its own is the gateway's word"
    )]
    NodeNotPinned(NodeId),
    #[error("node {0} signed an answer that goes on, or differs, where this one ends")]
    SignedOther(NodeId),
    #[error("no node signed exactly this answer: a stop string cut it out of what they signed")]
    CutOut,
    #[error("the seed is the gateway's own choice: it could have tried several")]
    SeedOfGateway,
    #[error("nobody but the gateway can compute the seed from your nonce")]
    SeedOfNonce,
    #[error("the answer was not checked against the model, and no audit of it can be drawn")]
    NeverAudited,
    #[error("the client left before the answer was whole")]
    CutOff,
    #[error("there was no answer, and nothing was charged")]
    NoAnswer,
    #[error("no request was given: whether the receipt is of yours was not checked")]
    NoRequest,
    #[error("no response was given: whether the receipt is of yours was not checked")]
    NoResponse,
}

/// What is wrong, in a sentence.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    #[error("the receipt cannot be read: {0}")]
    Form(#[from] WireError),
    #[error("the receipt is of gateway {0}, whose key is not pinned, or did not count at its time")]
    Gateway(String),
    #[error("the gateway's signature does not fit the receipt")]
    Signature,
    #[error("{0}")]
    Checkpoint(#[from] NoteError),
    #[error("the receipt is not in the log: {0}")]
    Log(#[from] ProofError),
    #[error("the receipt is of another request than this one")]
    Request,
    #[error("the response's {0} is not what the receipt says")]
    Response(&'static str),
    #[error("node {0} signs with another key than the pinned one")]
    NodeKey(NodeId),
    #[error("the signature of node {0} does not fit the receipt")]
    NodeSignature(NodeId),
    #[error("node {0} was paid without having signed anything")]
    PaidUnsigned(NodeId),
    #[error("no node signed this answer")]
    AnswerUnsigned,
    #[error("node {node} was paid although its outcome is `{outcome}`")]
    PaidUndeserved { node: NodeId, outcome: String },
    #[error("node {0} has two parts in one round")]
    NodeTwice(NodeId),
    #[error("nodes {0} and {1} did the same work and were paid differently")]
    PaidUnequally(NodeId, NodeId),
    #[error("the payout does not add up: {0}")]
    Money(&'static str),
    #[error("the receipt contradicts itself: {0}")]
    Contradiction(&'static str),
    #[error("the model folder has manifest {found}; the receipt's answer is of {claimed}")]
    Manifest { found: Bytes32, claimed: Bytes32 },
    #[error("the request cannot be replayed: {0}")]
    NotReplayable(String),
    #[error("the prompt of this request is not the one that the nodes were given")]
    Prompt,
    #[error("the sampling parameter {0} is not the one that was asked for")]
    Sampling(&'static str),
    #[error("the seed does not follow from the request")]
    Seed,
    #[error("the answer's tokens are not those that the nodes signed")]
    Output,
    #[error("the answer's tokens do not spell the response's content")]
    Text,
    #[error("the answer's end is not what the receipt says: {0}")]
    End(&'static str),
    #[error(
        "the model contradicts token {position}: it would have taken another one by {margin} logits, \
         and {limit} is allowed"
    )]
    Model { position: usize, margin: f64, limit: f64 },
}

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
    check_request(&receipt, request)?;
    check_response(&receipt, response)?;
    let signers = check_parts(&receipt, &gateway, trust)?;
    check_shares(&receipt, &signers)?;
    check_money(&receipt)?;
    check_state(&receipt)?;
    let is_cut = receipt.verdict.as_ref().is_some_and(|verdict| verdict.finish == Finish::Told);
    if receipt.state == State::Succeeded && signers.is_empty() && !is_cut {
        return Err(Refusal::AnswerUnsigned);
    }
    let mut notes = notes(&receipt, &signers, trust);
    notes.extend(request.is_none().then_some(Note::NoRequest));
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
    let entry = Entry::Answer(AnswerEntry {
        job: receipt.job,
        receipt: bundle.receipt.hash(),
        link: receipt.answer_link,
        epoch: receipt.audit.epoch,
        q_ppm: receipt.audit.q_ppm,
    });
    let (size, root) = (signed.checkpoint.size, signed.checkpoint.root);
    check_inclusion(leaf_hash(&entry.encode()), bundle.index, size, &bundle.proof, root)?;
    Ok(signed)
}

fn check_request(receipt: &Receipt, request: Option<&Request>) -> Result<(), Refusal> {
    match request {
        Some(request) if request_hash(receipt.salt, request.digest()) != receipt.request => {
            Err(Refusal::Request)
        }
        _ => Ok(()),
    }
}

/// The fields that the receipt says itself are compared first, so that the sentence names the one that is wrong.
fn check_response(receipt: &Receipt, response: Option<&Saved>) -> Result<(), Refusal> {
    let Some(saved) = response else { return Ok(()) };
    if saved.id != response_id(receipt.job) {
        return Err(Refusal::Response("id"));
    }
    let (Some(hash), Some(verdict)) = (receipt.response, &receipt.verdict) else { return Ok(()) };
    let usage = (receipt.prompt_tokens, receipt.completion_tokens);
    if saved.usage.is_some_and(|found| found != usage) {
        return Err(Refusal::Response("usage"));
    }
    let expected = finish_reason(verdict.finish);
    let response = saved.bound(expected, usage);
    if saved.tool_calls.is_none() && response.finish_reason != expected {
        return Err(Refusal::Response("finish_reason"));
    }
    if response.hash(receipt.salt) != hash {
        return Err(Refusal::Response("model, content, tool calls or finish_reason"));
    }
    Ok(())
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
        let paid_words = [Outcome::Agreed, Outcome::Vindicated, Outcome::Passed];
        let is_paid_word = paid_words.iter().any(|word| word.as_str() == part.outcome);
        if part.pay > 0 && !is_paid_word {
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
        if signed.h_to == receipt.answer_link {
            signers.push(node);
        }
    }
    Ok(signers)
}

/// Of one set, nodes that signed this answer from the same token on get the same.
fn check_shares(receipt: &Receipt, signers: &[NodeId]) -> Result<(), Refusal> {
    let paid = |part: &&Part| part.pay > 0 && signers.contains(&part.node);
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
        if part.signed.is_some() && !signers.contains(&part.node) {
            notes.push(Note::SignedOther(part.node));
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
    let answered = receipt.state != State::Failed && receipt.completion_tokens > 0;
    if answered && !checked && receipt.audit.q_ppm == 0 {
        notes.push(Note::NeverAudited);
    }
    notes
}

//! What a receipt says that its request asked for, and what its verdict says that nodes did: both can be held against
//! what else is there.

use std::collections::BTreeSet;

use assay_protocol::{Finish, Outcome};

use super::{
    Part, Receipt, Refusal, Request, Saved, State,
    bound::request_hash,
    check::{is_of_this_answer, outcome},
};

/// Owners who must say the same before it counts as agreed.
const AGREED_MIN: usize = 2;

/// Whether the receipt is of this request, and says of risk and nonce what the request asks for.
pub(super) fn check_request(receipt: &Receipt, request: &Request) -> Result<(), Refusal> {
    if request_hash(receipt.salt, request.digest()) != receipt.request {
        return Err(Refusal::Request);
    }
    if request.risk().is_some_and(|risk| risk != receipt.policy.as_str()) {
        return Err(Refusal::Asked("risk"));
    }
    if request.nonce().is_some_and(|nonce| receipt.nonce.as_deref() != Some(nonce)) {
        return Err(Refusal::Asked("nonce"));
    }
    Ok(())
}

/// Whether the response, which the receipt binds, is of the model that was asked for.
pub(super) fn check_model(
    request: Option<&Request>,
    response: Option<&Saved>,
) -> Result<(), Refusal> {
    let asked = request.and_then(Request::model).zip(response);
    match asked.is_some_and(|(model, saved)| model != saved.model) {
        true => Err(Refusal::Asked("model")),
        false => Ok(()),
    }
}

/// Agreement takes two: nodes with keys of their own, who signed the answer in the round that the verdict names and
/// passed. Where a stop string cut the answer, what they signed is longer than it.
pub(super) fn check_agreement(receipt: &Receipt) -> Result<(), Refusal> {
    let Some(verdict) = &receipt.verdict else { return Ok(()) };
    if receipt.state != State::Succeeded
        || !matches!(verdict.rule.as_str(), "agreement" | "majority")
    {
        return Ok(());
    }
    let is_cut = verdict.finish == Finish::Told;
    let agrees = |part: &&Part| {
        part.round == verdict.round
            && outcome(part).is_some_and(Outcome::is_paid)
            && (is_cut || is_of_this_answer(receipt, part))
    };
    let agreed = receipt.parts.iter().filter(agrees);
    let keys = agreed.filter_map(|part| part.signed.as_ref().map(|signed| signed.key.0));
    match keys.collect::<BTreeSet<_>>().len() {
        enough if enough >= AGREED_MIN => Ok(()),
        few => Err(Refusal::Agreement(few)),
    }
}

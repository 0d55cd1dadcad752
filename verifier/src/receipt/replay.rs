//! What a receipt says once more, from the request and the model's text side: the prompt's ids, the parameters, the
//! seed, the answer's ids and its text. What is left for the model itself is one prefill over the ids found here.

mod asked;
mod embedding;
#[cfg(test)]
mod tests;

use assay_model::{Found, Said, StopFinder, TextModel, sampler};
use assay_protocol::{AnswerChain, Bytes32, Finish, Sampling, TokenId, ToldToken};
use sha2::{Digest, Sha256};

use super::{Receipt, Refusal, Request, Saved, SeedFrom, State, bound, saved::SavedCall};
use crate::log::Evidence;
use asked::Asked;
pub use embedding::{check_vectors, replay_inputs};

/// The ids of an answer that its receipt is really about.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    pub prompt: Vec<TokenId>,
    /// The receipt's, with the grammar that follows from the request.
    pub sampling: Sampling,
    /// Nothing when neither the response nor its text tells the ids: then the model has to write them again.
    pub output: Option<Vec<TokenId>>,
}

/// Whether the model folder with this manifest is the receipt's.
pub fn check_manifest(receipt: &Receipt, found: Bytes32) -> Result<(), Refusal> {
    let claimed = receipt.manifest_hash;
    if found == claimed { Ok(()) } else { Err(Refusal::Manifest { found, claimed }) }
}

/// Whether these are the limits that the gateway judged by: the bytes of the folder's file, if it has one. Whoever lets
/// more pass than was measured must say so under its signature.
pub fn check_limits(receipt: &Receipt, found: Option<&[u8]>) -> Result<(), Refusal> {
    let found = found.map(|bytes| Bytes32(Sha256::digest(bytes).into()));
    if found == receipt.limits_hash { Ok(()) } else { Err(Refusal::Limits) }
}

/// Whether an audit's evidence is of this answer, and says what the model says here: no margin further from this
/// machine's than the limit allows between two honest ones.
pub fn check_evidence(
    receipt: &Receipt,
    evidence: &Evidence,
    margins: &[f64],
    limit: f64,
) -> Result<(), Refusal> {
    if evidence.job != receipt.job {
        return Err(Refusal::Evidence("it is of another job"));
    }
    let mut scored = evidence.of_answer(receipt.answer_link).peekable();
    if scored.peek().is_none() {
        return Err(Refusal::Evidence("nobody scored what the client got"));
    }
    for scored in scored {
        if scored.margins_nano.len() != margins.len() {
            return Err(Refusal::Evidence("it has another number of positions"));
        }
        #[expect(clippy::cast_precision_loss, reason = "a margin of 2^53e-9 logits is beyond any")]
        let claimed = scored.margins_nano.iter().map(|nano| *nano as f64 / 1e9);
        for (position, (claimed, found)) in claimed.zip(margins.iter().copied()).enumerate() {
            if (claimed - found).abs() > limit {
                return Err(Refusal::EvidenceMargin { position, claimed, found });
            }
        }
    }
    Ok(())
}

/// The alternatives whose log probabilities a request asks for; nothing where it asks for none.
pub fn top_logprobs(request: &Request) -> Result<Option<u8>, Refusal> {
    let asked = Asked::read(&request.json).map_err(Refusal::NotReplayable)?;
    Ok(asked.sampling.top_logprobs)
}

/// Whether a response tells what the model says of the answer's tokens. Each alternative is held against the one of the
/// same rank: noise moves a rank by no more than it moves a token.
pub fn check_logprobs(
    saved: &Saved,
    ids: &[TokenId],
    model: &TextModel,
    found: &[ToldToken],
    limit: f64,
) -> Result<(), Refusal> {
    let of_text: Vec<_> =
        (0..).zip(ids).zip(found).filter(|((_, id), _)| !model.is_end(**id)).collect();
    let (expected, told) = (of_text.len(), saved.logprobs.len());
    if told != expected {
        return Err(Refusal::LogprobCount { found: told, expected });
    }
    for (((position, _), found), told) in of_text.into_iter().zip(&saved.logprobs) {
        let of = |logit: f32| f64::from(logit) - f64::from(found.logprobs.log_sum_exp);
        let alternatives = told.top.iter().zip(&found.logprobs.top);
        let alternatives = alternatives.map(|(told, (_, logit))| (*told, of(*logit)));
        for (told, found) in alternatives.chain([(told.logprob, of(found.logit))]) {
            // Nothing is told to be more than certain.
            if (told - found.min(0.0)).abs() > limit || !told.is_finite() {
                return Err(Refusal::Logprob { position, told, found, limit });
            }
        }
    }
    Ok(())
}

/// Replays all that the model's weights are not needed for.
pub fn replay(
    receipt: &Receipt,
    request: &Request,
    response: Option<&Saved>,
    model: &TextModel,
) -> Result<Replay, Refusal> {
    check_manifest(receipt, model.manifest_hash)?;
    if request.model().is_some_and(|asked| asked != model.manifest.id) {
        return Err(Refusal::Asked("model"));
    }
    let asked = Asked::read(&request.json).map_err(Refusal::NotReplayable)?;
    let prompt = prompt(receipt, &asked, response, model)?;
    let sampling = check_sampling(receipt, &asked, model)?;
    check_max_tokens(receipt, &asked, model)?;
    check_seed(receipt, &asked, response, &prompt)?;
    let replay = Replay { output: None, prompt, sampling };
    let guesses = response.into_iter().flat_map(|saved| guesses(saved, receipt, model));
    for ids in guesses {
        if link(receipt, &replay.prompt, &ids) == receipt.answer_link {
            check_output(receipt, request, response, &replay, &ids, model)?;
            return Ok(Replay { output: Some(ids), ..replay });
        }
    }
    match response.and_then(|saved| saved.output_ids.as_ref()) {
        // The gateway handed out ids that nobody signed.
        Some(_) if receipt.state == State::Succeeded => Err(Refusal::Output),
        _ => Ok(replay),
    }
}

/// Whether these ids are the receipt's answer, and spell the response.
pub fn check_output(
    receipt: &Receipt,
    request: &Request,
    response: Option<&Saved>,
    replay: &Replay,
    ids: &[TokenId],
    model: &TextModel,
) -> Result<(), Refusal> {
    if link(receipt, &replay.prompt, ids) != receipt.answer_link {
        return Err(Refusal::Output);
    }
    let asked = Asked::read(&request.json).map_err(Refusal::NotReplayable)?;
    check_end(receipt, ids, &asked.stop, model)?;
    let Some(saved) = response else { return Ok(()) };
    let (text, _) = text(ids, &asked.stop, model);
    let text = asked.echoed(saved.choice, model) + &text;
    let Said { content, calls } = Said::read(&text, asked.form.call_style(model));
    let calls: Vec<SavedCall> =
        (0..).zip(calls).map(|(index, call)| bound::call(receipt.job, index, call)).collect();
    let (spells, calls_match) = match receipt.state {
        State::Cancelled => {
            (content.starts_with(&saved.content), SavedCall::begin_with(&calls, &saved.tool_calls))
        }
        State::Succeeded | State::Failed => (content == saved.content, calls == saved.tool_calls),
    };
    match (spells, calls_match) {
        (true, true) => Ok(()),
        (false, _) => Err(Refusal::Text),
        (true, false) => Err(Refusal::Response("tool calls")),
    }
}

/// The ids of the prompt that was gone on from: the response tells which, otherwise the receipt's hash does.
fn prompt(
    receipt: &Receipt,
    asked: &Asked,
    response: Option<&Saved>,
    model: &TextModel,
) -> Result<Vec<TokenId>, Refusal> {
    let of_choice = response.map(|saved| asked.prompt_of(saved.choice));
    let candidates = match of_choice {
        Some(one) => one.map(std::slice::from_ref).unwrap_or_default(),
        None => &asked.prompts[..],
    };
    for candidate in candidates {
        let ids = candidate.ids(&asked.form, model);
        let ids = ids.map_err(|error| Refusal::NotReplayable(error.to_string()))?;
        let link = AnswerChain::start(receipt.job, receipt.salt, &ids).hash();
        if link == receipt.prompt_link && ids.len() == receipt.prompt_tokens as usize {
            return Ok(ids);
        }
    }
    Err(Refusal::Prompt)
}

/// The sampling that was asked for, with its grammar.
fn check_sampling(
    receipt: &Receipt,
    asked: &Asked,
    model: &TextModel,
) -> Result<Sampling, Refusal> {
    let grammar = asked.form.source(model);
    let grammar = grammar.map_err(|wrong| Refusal::NotReplayable(wrong.to_string()))?;
    let asked_for = Sampling { grammar, ..asked.sampling.clone() };
    let (found, wanted) = (&receipt.sampling, &asked.sampling);
    let fields = [
        ("temperature", found.temperature == wanted.temperature),
        ("top_p", found.top_p == wanted.top_p),
        ("top_k", found.top_k == wanted.top_k),
        ("min_p", found.min_p == wanted.min_p),
        ("presence_penalty", found.presence_penalty == wanted.presence_penalty),
        ("frequency_penalty", found.frequency_penalty == wanted.frequency_penalty),
        ("logit_bias", found.logit_bias == wanted.logit_bias),
        ("grammar", receipt.grammar == asked_for.grammar_hash()),
    ];
    match fields.iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(Refusal::Sampling(field)),
        None => Ok(asked_for),
    }
}

/// An answer may be as long as was asked, or as the context leaves; shorter is another answer. Without a wish it is
/// the gateway's own limit.
fn check_max_tokens(receipt: &Receipt, asked: &Asked, model: &TextModel) -> Result<(), Refusal> {
    let room = model.manifest.context_length.saturating_sub(receipt.prompt_tokens);
    let fits = match asked.max_tokens {
        Some(max) => receipt.max_tokens == max.min(room),
        None => receipt.max_tokens <= room,
    };
    if fits { Ok(()) } else { Err(Refusal::Sampling("max_tokens")) }
}

/// Each choice has a seed of its own.
fn check_seed(
    receipt: &Receipt,
    asked: &Asked,
    response: Option<&Saved>,
    prompt: &[TokenId],
) -> Result<(), Refusal> {
    let fits = match asked.seed {
        Some(seed) => {
            let is_it = |choice| receipt.seed == sampler::client_seed(seed, choice, prompt);
            let fits = match response {
                Some(saved) => is_it(saved.choice),
                None => (0..asked.answers()).any(is_it),
            };
            receipt.seed_from == SeedFrom::Client && fits
        }
        None => receipt.seed_from != SeedFrom::Client,
    };
    if fits { Ok(()) } else { Err(Refusal::Seed) }
}

/// What the ids may be: what the gateway said, or the text's own ids with an end token or without.
fn guesses(saved: &Saved, receipt: &Receipt, model: &TextModel) -> Vec<Vec<TokenId>> {
    let mut guesses: Vec<Vec<TokenId>> = saved.output_ids.iter().cloned().collect();
    if saved.tool_calls.is_empty()
        && let Ok(ids) = model.encode(&saved.content)
    {
        let count = receipt.completion_tokens as usize;
        if ids.len() + 1 == count {
            let ends = model.manifest.end_tokens.iter();
            guesses.extend(ends.map(|end| [ids.as_slice(), &[*end]].concat()));
        }
        guesses.push(ids);
    }
    guesses
}

fn link(receipt: &Receipt, prompt: &[TokenId], ids: &[TokenId]) -> Bytes32 {
    AnswerChain::start(receipt.job, receipt.salt, prompt).extended(ids).hash()
}

fn check_end(
    receipt: &Receipt,
    ids: &[TokenId],
    stop: &[String],
    model: &TextModel,
) -> Result<(), Refusal> {
    if ids.len() != receipt.completion_tokens as usize {
        return Err(Refusal::End("the number of tokens is another one"));
    }
    let (State::Succeeded, Some(verdict)) = (receipt.state, &receipt.verdict) else {
        return Ok(());
    };
    let ends = ids.last().is_some_and(|id| model.is_end(*id));
    let (_, stopped_at) = text(ids, stop, model);
    let wrong = |problem| Err(Refusal::End(problem));
    match verdict.finish {
        Finish::Embedded => wrong("it is vectors, and no text"),
        Finish::Told if stopped_at != Some(ids.len()) => {
            wrong("its last token completes no stop string that was asked for")
        }
        Finish::Stop | Finish::Length if stopped_at.is_some() => {
            wrong("it goes on past a stop string that was asked for")
        }
        Finish::Stop if !ends => wrong("it does not end with an end token"),
        Finish::Length if ends => wrong("it ends with an end token, not at its limit"),
        Finish::Length if ids.len() != receipt.max_tokens as usize => {
            wrong("it is not as long as it may be")
        }
        Finish::Stop | Finish::Length | Finish::Told => Ok(()),
    }
}

/// The text of these ids up to a stop string, and how many of them it took to complete that.
fn text(ids: &[TokenId], stop: &[String], model: &TextModel) -> (String, Option<usize>) {
    let mut detokenizer = model.detokenizer();
    let mut stops = StopFinder::new(stop.to_vec());
    let mut whole = String::new();
    for (index, id) in ids.iter().enumerate() {
        match stops.push(&detokenizer.push(*id)) {
            Found::Stop(text) => return (whole + &text, Some(index + 1)),
            Found::Text(text) => whole.push_str(&text),
        }
    }
    match stops.push(&detokenizer.finish()) {
        Found::Stop(text) => (whole + &text, Some(ids.len())),
        Found::Text(text) => (whole + &text + &stops.finish(), None),
    }
}

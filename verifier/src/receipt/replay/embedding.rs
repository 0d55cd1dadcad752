//! What a receipt of vectors says once more: the ids of its inputs from the request, and how far the vectors are from
//! those that the model makes here.

use assay_model::TextModel;
use assay_protocol::{AnswerChain, TokenId, embedding::joined};

use super::{
    Receipt, Refusal, Request, Saved,
    asked::{Prompt, prompts},
    check_manifest,
};
use crate::embedding::{VECTOR_MARGIN, difference};

/// The ids of the inputs, if the receipt is about them.
pub fn replay_inputs(
    receipt: &Receipt,
    request: &Request,
    model: &TextModel,
) -> Result<Vec<Vec<TokenId>>, Refusal> {
    check_manifest(receipt, model.manifest_hash)?;
    if request.model().is_some_and(|asked| asked != model.manifest.id) {
        return Err(Refusal::Asked("model"));
    }
    let unreadable = |problem: String| Refusal::NotReplayable(problem);
    let input = request.json.get("input").ok_or_else(|| unreadable("it has no input".into()))?;
    let ids = |prompt: Prompt| match prompt {
        Prompt::Text(text) => model.encode_raw(&text).map_err(|error| error.to_string()),
        Prompt::Ids(ids) => Ok(ids),
        Prompt::Chat(_) => Err("its input is a conversation".to_owned()),
    };
    let inputs: Vec<Vec<TokenId>> = prompts(input)
        .and_then(|inputs| inputs.into_iter().map(ids).collect())
        .map_err(unreadable)?;
    let link = AnswerChain::start(receipt.job, receipt.salt, &joined(&inputs)).hash();
    let tokens: usize = inputs.iter().map(Vec::len).sum();
    match link == receipt.prompt_link && tokens == receipt.prompt_tokens as usize {
        true => Ok(inputs),
        false => Err(Refusal::Prompt),
    }
}

/// How far each vector of the response is from the one that the model makes of its input here.
pub fn check_vectors(saved: &Saved, found: &[f32], dimensions: usize) -> Result<Vec<f64>, Refusal> {
    if saved.vectors.len() != found.len() {
        return Err(Refusal::Response("number of components"));
    }
    let pairs = saved.vectors.chunks(dimensions.max(1)).zip(found.chunks(dimensions.max(1)));
    let each: Vec<f64> = pairs.map(|(said, found)| difference(said, found)).collect();
    match each.iter().position(|difference| *difference > VECTOR_MARGIN) {
        Some(index) => {
            let (difference, limit) = (each[index], VECTOR_MARGIN);
            Err(Refusal::Vector { index, difference, limit })
        }
        None => Ok(each),
    }
}

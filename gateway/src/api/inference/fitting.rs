//! Whether the model that is asked does what is asked of it, and is asked for no more than one request may hold.

use assay_model::manifest::Embedding;
use assay_protocol::{TokenId, limits::COMPONENTS_PER_JOB_MAX};

use super::Wish;
use crate::{
    catalog::HostedModel,
    openai::{Dialect, InvalidRequest},
    serving::Prompt,
};

/// Refuses what this model cannot answer.
pub(super) fn check(
    model: &HostedModel,
    wish: &Wish,
    choices_max: u32,
) -> Result<(), InvalidRequest> {
    match (model.text.manifest.embedding, &wish.dialect) {
        (Some(embedding), Dialect::Vectors { dimensions, .. }) => {
            check_vectors(embedding, *dimensions, &wish.prompts)?;
        }
        (Some(_), _) => {
            let message = format!("The model `{}` makes vectors: POST /v1/embeddings.", model.id());
            return Err(InvalidRequest::of("model", message));
        }
        (None, Dialect::Vectors { .. }) => {
            let id = model.id();
            let message =
                format!("The model `{id}` makes no vectors; it answers chats and completions.");
            return Err(InvalidRequest::of("model", message));
        }
        (None, _) => {}
    }
    let vocabulary = model.text.manifest.vocab_size;
    let unknown = |id: TokenId| format!("The model has no token {id}; it has {vocabulary}.");
    if let Some((id, _)) = wish.sampling.logit_bias.iter().find(|(id, _)| *id >= vocabulary) {
        return Err(InvalidRequest::of(format!("logit_bias.{id}"), unknown(*id)));
    }
    let mut ids = wish.prompts.iter().flat_map(ids);
    if let Some(id) = ids.find(|id| *id >= vocabulary) {
        return Err(InvalidRequest::of(wish.dialect.param("prompt"), unknown(id)));
    }
    let choices = wish.prompts.len().saturating_mul(wish.choices as usize);
    if choices > choices_max as usize {
        let param = if wish.choices > 1 { "n" } else { "prompt" };
        let message = format!("{choices} answers were asked for; {choices_max} are the most here.");
        return Err(InvalidRequest::of(param, message));
    }
    Ok(())
}

fn check_vectors(
    embedding: Embedding,
    asked: Option<i64>,
    prompts: &[Prompt],
) -> Result<(), InvalidRequest> {
    let dimensions = embedding.dimensions;
    if asked.is_some_and(|asked| asked != i64::from(dimensions)) {
        let message = format!(
            "The model's vectors have {dimensions} dimensions, and are not made to be cut to fewer."
        );
        return Err(InvalidRequest::of("dimensions", message));
    }
    let most = COMPONENTS_PER_JOB_MAX / dimensions.max(1) as usize;
    let inputs = prompts.iter().map(|prompt| match prompt {
        Prompt::ToEmbed(inputs) => inputs.len(),
        _ => 1,
    });
    if inputs.sum::<usize>() > most {
        let message = format!("'input' may have at most {most} entries with this model.");
        return Err(InvalidRequest::of("input", message));
    }
    Ok(())
}

/// The ids that a client names itself.
fn ids(prompt: &Prompt) -> Vec<TokenId> {
    match prompt {
        Prompt::Ids(ids) => ids.clone(),
        Prompt::ToEmbed(inputs) => inputs.iter().flat_map(ids).collect(),
        Prompt::Chat(_) | Prompt::Text(_) => Vec::new(),
    }
}

//! The questions of a self-test: drawn so that they look like anybody's, and are seldom the same twice.

use assay_model::{ChatMessage, ModelError};
use assay_protocol::{Bytes32, Sampling, TokenId};
use rand::{Rng, seq::IndexedRandom};

use crate::catalog::HostedModel;

/// What people ask; `{}` is a subject.
const QUESTIONS: [&str; 16] = [
    "Tell me a story about {}.",
    "Tell me a short story about {}, please.",
    "Write a few lines about {}.",
    "What do you know about {}?",
    "Once upon a time there was {}. What happened next?",
    "Explain {} to a child.",
    "Can you describe {}?",
    "Write a poem about {}.",
    "My friend dreams of {}. What should I say?",
    "What is the best thing about {}?",
    "Give me three ideas for a gift for somebody who likes {}.",
    "Why do people like {}?",
    "Write a letter that mentions {}.",
    "Think of a name for {}.",
    "What would a day without {} be like?",
    "Tell me something funny about {}.",
];
const SUBJECTS: [&str; 32] = [
    "a brave little dog",
    "the sea at night",
    "an old clock",
    "a boat with a red sail",
    "bread and butter",
    "two friends in a forest",
    "a lost key",
    "the first snow",
    "a busy kitchen",
    "a train to the south",
    "a garden after the rain",
    "the moon",
    "a cat who could not sleep",
    "a market in the morning",
    "a very small house",
    "a letter that came late",
    "the colour blue",
    "a bridge over a river",
    "a robot who wanted to paint",
    "an empty theatre",
    "a mountain village",
    "a song without words",
    "a basket of apples",
    "the last day of school",
    "a bird on the roof",
    "a map with a hole",
    "warm socks",
    "a queen without a crown",
    "lemon cake",
    "a quiet library",
    "a kite in the wind",
    "a long walk home",
];
/// Output tokens at most, between these.
const TOKENS: std::ops::RangeInclusive<u32> = 32..=64;

/// One question, ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Canary {
    pub(super) prompt: Vec<TokenId>,
    pub(super) max_tokens: u32,
    pub(super) sampling: Sampling,
    pub(super) seed: Bytes32,
    /// Enters the hash chain of its answer.
    pub(super) salt: Bytes32,
}

/// Draws a question for a model. Temperature 1 asks for the whole distribution, so that a model that is only
/// nearly the right one shows.
pub(super) fn draw(
    model: &HostedModel,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Canary, ModelError> {
    let message = ChatMessage::new("user", text(rng));
    let prompt = model.text.encode(&model.text.render(&[message])?)?;
    let room = model
        .text
        .manifest
        .context_length
        .saturating_sub(u32::try_from(prompt.len()).unwrap_or(u32::MAX));
    Ok(Canary {
        prompt,
        max_tokens: rng.random_range(TOKENS).min(room),
        sampling: Sampling { temperature: 1.0, ..Sampling::default() },
        seed: Bytes32(rng.random()),
        salt: Bytes32(rng.random()),
    })
}

/// The words of a question.
pub(super) fn text(rng: &mut (impl Rng + ?Sized)) -> String {
    let question = QUESTIONS.choose(rng).unwrap_or(&QUESTIONS[0]);
    let subject = SUBJECTS.choose(rng).unwrap_or(&SUBJECTS[0]);
    question.replacen("{}", subject, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_has_a_place_for_its_subject() {
        assert!(QUESTIONS.iter().all(|question| question.matches("{}").count() == 1));
    }
}

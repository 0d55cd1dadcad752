//! The questions of the benchmark: worked out from a number, so that every run asks the same.

use assay_protocol::{Bytes32, GenerateStart, JobId, Sampling, TokenId};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use uuid::Uuid;

use crate::Model;

/// Counts up when the questions change: what was answered before is then answered anew.
pub const VERSION: u32 = 1;

const NAMES: [&str; 8] = ["Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gina", "Hugo"];
const ANIMALS: [&str; 10] =
    ["fox", "cat", "dog", "owl", "bear", "duck", "frog", "goat", "mouse", "horse"];
const THINGS: [&str; 8] =
    ["grass", "the sky", "snow", "a banana", "coal", "milk", "blood", "the sun"];
const PLACES: [&str; 8] =
    ["France", "Italy", "Spain", "Japan", "Egypt", "Norway", "Greece", "Poland"];
const DAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const PLAIN: [&str; 12] = [
    "Hello!",
    "Who are you?",
    "What is Assay?",
    "How does Assay check an answer?",
    "What is a node?",
    "Who pays?",
    "What is a token?",
    "How do I run a node?",
    "Count to ten.",
    "What can you do?",
    "Thank you!",
    "Tell me a story.",
];

/// Output tokens of a short answer, at most.
const SHORT: std::ops::RangeInclusive<u32> = 6..=28;

/// Questions of all kinds that the model knows, at all kinds of sampling, with short answers.
pub fn mixed(model: &Model, number: u64) -> GenerateStart {
    let mut dice = dice("mixed", number);
    let question = question(&mut dice);
    let sampling = sampling(&mut dice);
    let max_tokens = dice.random_range(SHORT);
    start(number, model.prompt(&question), sampling, max_tokens, &mut dice)
}

/// Stories of a fixed length, drawn at temperatures above 0.
pub fn long(model: &Model, number: u64, tokens: u32) -> GenerateStart {
    let mut dice = dice("long", number);
    let question = story(&mut dice);
    let temperature = *[0.7, 1.0, 1.3].choose(&mut dice).expect("some");
    let logit_bias = vec![(model.end_token, -100.0)];
    let sampling = Sampling { temperature, logit_bias, ..Sampling::default() };
    start(number, model.prompt(&question), sampling, tokens, &mut dice)
}

/// A job of a token or two, which anybody can do.
pub fn dust(model: &Model, number: u64) -> GenerateStart {
    let mut dice = dice("dust", number);
    let question = question(&mut dice);
    start(number, model.prompt(&question), Sampling::default(), 2, &mut dice)
}

fn start(
    number: u64,
    prompt: Vec<TokenId>,
    sampling: Sampling,
    max_tokens: u32,
    dice: &mut StdRng,
) -> GenerateStart {
    GenerateStart {
        job: JobId(Uuid::from_u128(number.into())),
        prompt,
        prefix: Vec::new(),
        max_tokens,
        sampling,
        seed: Bytes32(dice.random()),
        salt: Bytes32([0; 32]),
    }
}

fn dice(corpus: &str, number: u64) -> StdRng {
    let mut seed = [0; 32];
    seed[..corpus.len()].copy_from_slice(corpus.as_bytes());
    seed[16..24].copy_from_slice(&number.to_le_bytes());
    seed[24..28].copy_from_slice(&VERSION.to_le_bytes());
    StdRng::from_seed(seed)
}

fn question(dice: &mut StdRng) -> String {
    match dice.random_range(0..9) {
        0 | 1 => story(dice),
        2 => format!("What is {} + {}?", dice.random_range(0..=10), dice.random_range(0..=10)),
        3 => format!("Hello, my name is {}.", pick(&NAMES, dice)),
        4 => format!("What colour is {}?", pick(&THINGS, dice)),
        5 => format!("What is the capital of {}?", pick(&PLACES, dice)),
        6 => format!("What day comes after {}?", pick(&DAYS, dice)),
        7 => format!("Count from {} to {}.", dice.random_range(1..4), dice.random_range(5..=10)),
        _ => pick(&PLAIN, dice).to_owned(),
    }
}

fn story(dice: &mut StdRng) -> String {
    format!("Tell me a story about a {} and a {}.", pick(&ANIMALS, dice), pick(&ANIMALS, dice))
}

fn pick<'a>(words: &[&'a str], dice: &mut StdRng) -> &'a str {
    words.choose(dice).expect("some words")
}

fn sampling(dice: &mut StdRng) -> Sampling {
    let mut sampling = Sampling {
        temperature: *[0.0, 0.0, 0.3, 0.7, 1.0, 1.0, 1.5].choose(dice).expect("some"),
        ..Sampling::default()
    };
    match dice.random_range(0..10) {
        0 => sampling.top_p = 0.9,
        1 => sampling.top_k = 20,
        2 => sampling.min_p = 0.05,
        3 => sampling.frequency_penalty = 0.5,
        4 => sampling.presence_penalty = 0.3,
        _ => {}
    }
    sampling
}

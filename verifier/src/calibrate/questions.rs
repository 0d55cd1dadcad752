//! What models are asked in a calibration: many different short dialogues at every kind of sampling, the same
//! in every run.

use assay_engine::GenerateRequest;
use assay_model::{ChatMessage, ModelError, TextModel};
use assay_protocol::{Bytes32, Sampling};

/// Longest answer: noise does not grow with length, and short answers are more different ones.
const ANSWER_TOKENS_MAX: u32 = 96;

/// `*` stands for a thing.
const ASKED: [&str; 16] = [
    "Tell me a story about *.",
    "What is *?",
    "Tell me a story about * who lives by the sea.",
    "Do you like *?",
    "Hello! I am thinking of *.",
    "Why would anyone want *?",
    "Count to ten, then say something about *.",
    "Spell the word for *.",
    "Repeat after me: *, *, *.",
    "What colour is *?",
    "How many days would it take to find *?",
    "Write a poem about *.",
    "I have seen * today. What is 3 + 4?",
    "Explain * in one sentence.",
    "Is * larger than a house?",
    "My name is Ada and I dream of *. What is my name?",
];
const THINGS: [&str; 31] = [
    "a fox",
    "an owl",
    "a bear",
    "the moon",
    "a river",
    "a small boat",
    "the king",
    "a clock",
    "snow",
    "an apple",
    "a robot",
    "music",
    "a green door",
    "the north wind",
    "a mountain",
    "seven ducks",
    "a letter",
    "the city at night",
    "a bridge",
    "honesty",
    "a friend",
    "a star",
    "the sea",
    "bread",
    "a computer",
    "an old tree",
    "a map",
    "rain",
    "a wolf",
    "a lamp",
    "the first day of spring",
];
/// Said and answered before, in some dialogues.
const BEFORE: [[&str; 2]; 3] = [
    ["Hello!", "Hello! How can I help you?"],
    ["What is 2 + 2?", "2 + 2 is 4."],
    [
        "Who are you?",
        "I am a small language model. I can tell stories and answer simple questions.",
    ],
];

/// The next question, and how many there were.
#[derive(Debug, Default)]
pub(super) struct Questions {
    asked: u64,
}

impl Questions {
    /// Another question at every call. The seed is another one too, so that an answer comes again only at
    /// temperature 0.
    pub(super) fn next(&mut self, text: &TextModel) -> Result<GenerateRequest, ModelError> {
        let seed = *blake3::hash(&self.asked.to_le_bytes()).as_bytes();
        self.asked += 1;
        let mut messages = Vec::new();
        for [said, answered] in BEFORE.iter().take(usize::from(seed[0] % 6)) {
            messages.extend([message("user", said), message("assistant", answered)]);
        }
        let thing = pick(&THINGS, seed[1]);
        messages.push(message("user", &pick(&ASKED, seed[2]).replace('*', thing)));
        let prompt = text.encode(&text.render(&messages)?)?;
        let room = text
            .manifest
            .context_length
            .saturating_sub(u32::try_from(prompt.len()).unwrap_or(u32::MAX));
        Ok(GenerateRequest {
            prompt,
            prefix: Vec::new(),
            max_tokens: ANSWER_TOKENS_MAX.min(room),
            sampling: sampling(seed[3]),
            seed: Bytes32(seed),
        })
    }
}

/// From greedy to as warm as it gets, with and without each mask and penalty.
fn sampling(choice: u8) -> Sampling {
    let plain = Sampling::default();
    match choice % 8 {
        0 => plain,
        1 => Sampling { frequency_penalty: 0.5, ..plain },
        2 => Sampling { temperature: 0.3, ..plain },
        3 => Sampling { temperature: 0.7, top_p: 0.9, ..plain },
        4 => Sampling { temperature: 1.0, ..plain },
        5 => Sampling { temperature: 1.0, top_k: 40, presence_penalty: 0.3, ..plain },
        6 => Sampling { temperature: 1.3, min_p: 0.05, ..plain },
        _ => Sampling { temperature: 2.0, ..plain },
    }
}

fn pick<'a>(words: &[&'a str], choice: u8) -> &'a str {
    words[usize::from(choice) % words.len()]
}

fn message(role: &str, content: &str) -> ChatMessage {
    ChatMessage::new(role, content)
}

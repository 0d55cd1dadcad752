//! Golden vectors of `gmax-v1`, for implementations in other languages: `golden/gmax-v1.json`.
//!
//! `cargo test -p assay-model --test golden -- --ignored` writes the file anew after a change of the vectors;
//! a change of the sampler needs a new name, never new values here.

use std::{fs, path::PathBuf};

use assay_model::sampler::{Noise, Position, TokenCounts, client_seed, gateway_seed};
use assay_protocol::{Bytes32, Sampling, TokenId};
use serde_json::{Value, json};

const ABOUT: &str = "Vectors of the sampler gmax-v1 (specification: model/src/sampler/mod.rs). Each case has a \
    row of logits made by a rule of integers: l_v = ((((v * 2654435761 + salt * 40503) mod 2^32) >> 20) - 2048) \
    / 256, exact in binary32. The output ids come before position `index` and matter for penalties only. `u`, `g` \
    and `margin` are binary64: decimal to read, `_bits` (big-endian hex) to compare. An implementation whose ln differs \
    from libm's in the last bit may be off by 1e-15 in g, and draws the same tokens.";

#[test]
fn the_golden_vectors_hold() {
    let text = fs::read_to_string(path()).expect("golden/gmax-v1.json is part of the crate");
    let committed: Value = serde_json::from_str(&text).unwrap();
    // Both went through text: reading a decimal may cost the last bit, which `_bits` keeps.
    let found: Value = serde_json::from_str(&vectors().to_string()).unwrap();
    for (committed, found) in each_case(&committed).zip(each_case(&found)) {
        assert_eq!(committed, found);
    }
    assert_eq!(committed, found);
}

#[test]
#[ignore = "writes golden/gmax-v1.json"]
fn write_the_golden_vectors() {
    let text = serde_json::to_string_pretty(&vectors()).unwrap();
    fs::write(path(), text + "\n").unwrap();
}

fn each_case(vectors: &Value) -> impl Iterator<Item = &Value> {
    vectors["cases"].as_array().into_iter().flatten()
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden/gmax-v1.json")
}

fn vectors() -> Value {
    json!({
        "about": ABOUT,
        "sampler": assay_model::sampler::NAME,
        "cases": cases().iter().map(Case::vector).collect::<Vec<_>>(),
        "client_seeds": client_seeds(),
        "gateway_seeds": gateway_seeds(),
    })
}

struct Case {
    name: &'static str,
    vocab_size: u32,
    salt: u64,
    index: u32,
    output: Vec<TokenId>,
    sampling: Sampling,
}

fn cases() -> Vec<Case> {
    let case = |name, vocab_size, salt, index, sampling| Case {
        name,
        vocab_size,
        salt,
        index,
        output: Vec::new(),
        sampling,
    };
    let warm = |temperature| Sampling { temperature, ..Sampling::default() };
    let penalties = Sampling {
        presence_penalty: 0.5,
        frequency_penalty: 1.25,
        logit_bias: vec![(0, 7.5), (3, -100.0), (5_000, 1.0)],
        ..warm(1.0)
    };
    vec![
        case("greedy", 2_048, 1, 0, warm(0.0)),
        case("greedy, the largest logit occurs often", 150_000, 2, 3, warm(0.0)),
        case("temperature 1", 2_048, 3, 0, warm(1.0)),
        case("temperature 2, the last candidates are equal", 150_000, 4, 511, warm(2.0)),
        case("few tokens", 5, 5, 4_000_000_000, warm(0.3)),
        case("top-k", 2_048, 6, 17, Sampling { top_k: 3, ..warm(1.0) }),
        case("top-p", 2_048, 7, 18, Sampling { top_p: 0.4, ..warm(0.25) }),
        case("min-p", 2_048, 8, 19, Sampling { min_p: 0.9, ..warm(1.0) }),
        case(
            "all masks",
            32_000,
            9,
            20,
            Sampling { top_k: 50, top_p: 0.9, min_p: 0.05, ..warm(0.7) },
        ),
        Case {
            output: vec![0, 1, 0, 0, 2_000],
            ..case("bias and penalties", 2_048, 10, 5, penalties.clone())
        },
        Case {
            output: vec![0, 1, 0, 0, 2_000],
            ..case(
                "bias and penalties, greedy",
                2_048,
                10,
                5,
                Sampling { temperature: 0.0, ..penalties },
            )
        },
    ]
}

impl Case {
    fn vector(&self) -> Value {
        let logits = logits(self.vocab_size, self.salt);
        let counts = TokenCounts::of(&self.output);
        let (seed, index) = (seed(self.salt), self.index);
        let position =
            Position { sampling: &self.sampling, seed, index, counts: &counts, allowed: None };
        let token = position.draw(&logits).unwrap();
        let mut noise = Noise::new(seed, index);
        let noise: Vec<_> = [token, 0, self.vocab_size - 1]
            .map(|id| {
                let (u, g) = (noise.uniform(id), noise.gumbel(id));
                json!({ "id": id, "u": u, "u_bits": bits(u), "g": g, "g_bits": bits(g) })
            })
            .into();
        let scores: Vec<_> = [token, 0, self.vocab_size - 1, self.vocab_size]
            .into_iter()
            .chain(largest_three(&logits))
            .map(|claimed| {
                let score = position.score(&logits, claimed).unwrap();
                assert_eq!(score.own, token);
                let margin = score.margin;
                json!({ "claimed": claimed, "margin": margin, "margin_bits": bits(margin) })
            })
            .collect();
        json!({
            "name": self.name,
            "vocab_size": self.vocab_size,
            "salt": self.salt,
            "first_logits": logits[..5],
            "seed": seed,
            "index": index,
            "output": self.output,
            "sampling": self.sampling,
            "token": token,
            "noise": noise,
            "scores": scores,
        })
    }
}

/// See [`ABOUT`].
fn logits(vocab_size: u32, salt: u64) -> Vec<f32> {
    (0..u64::from(vocab_size))
        .map(|v| {
            let hash = (v * 2_654_435_761 + salt * 40_503) % (1 << 32);
            (f32::from(u16::try_from(hash >> 20).unwrap()) - 2_048.0) / 256.0
        })
        .collect()
}

fn largest_three(logits: &[f32]) -> impl Iterator<Item = TokenId> {
    let mut ids: Vec<TokenId> = (0..).take(logits.len()).collect();
    ids.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
    ids.into_iter().take(3)
}

/// Bytes that count up from the salt.
fn seed(salt: u64) -> Bytes32 {
    let first = u8::try_from(salt).unwrap();
    Bytes32(std::array::from_fn(|index| first.wrapping_add(u8::try_from(index).unwrap())))
}

fn bits(value: f64) -> String {
    format!("{:016x}", value.to_bits())
}

fn client_seeds() -> Vec<Value> {
    [(0, 0, vec![]), (42, 0, vec![1, 2, 3]), (-1, 1, vec![70_000])]
        .into_iter()
        .map(|(seed, choice, prompt): (i64, u32, Vec<TokenId>)| {
            let found = client_seed(seed, choice, &prompt);
            json!({ "client_seed": seed, "choice": choice, "prompt": prompt, "seed": found })
        })
        .collect()
}

fn gateway_seeds() -> Vec<Value> {
    let key = seed(100);
    [None, Some(""), Some("nönce")]
        .into_iter()
        .map(|nonce| {
            let prompt = [1, 2, 3];
            let found = gateway_seed(&key.0, nonce, 0, &prompt);
            json!({ "k_seed": key, "nonce": nonce, "choice": 0, "prompt": prompt, "seed": found })
        })
        .collect()
}

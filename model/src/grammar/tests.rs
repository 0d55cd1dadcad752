//! What grammars allow, with the demo model's tokenizer.

use assay_protocol::{Bytes32, Sampling};
use serde_json::{Value, json};

use super::*;
use crate::{
    TextModel,
    sampler::{Noise, Position, TokenCounts},
};

fn demo() -> TextModel {
    TextModel::demo()
}

fn schema(schema: &Value) -> String {
    format!("start: %json {schema}")
}

/// The text of an answer drawn from logits that are nothing but dice, and its ids.
pub(crate) fn random_answer(
    model: &TextModel,
    source: &str,
    salt: u8,
    max: u32,
) -> Option<(String, Vec<TokenId>)> {
    let mut grammar = model.grammar(source).unwrap();
    let mut detokenizer = model.detokenizer();
    let (mut text, mut ids) = (String::new(), Vec::new());
    let sampling = Sampling { temperature: 1.0, ..Sampling::default() };
    let mut counts = TokenCounts::default();
    for index in 0..max {
        let mut noise = Noise::new(Bytes32([salt; 32]), index + 1_000);
        #[expect(clippy::cast_possible_truncation, reason = "logits are binary32")]
        let logits: Vec<f32> =
            (0..model.manifest.vocab_size).map(|id| noise.gumbel(id) as f32).collect();
        let allowed = grammar.allowed().unwrap();
        let position = Position {
            sampling: &sampling,
            seed: Bytes32([salt; 32]),
            index,
            counts: &counts,
            allowed: allowed.as_ref(),
        };
        let id = position.draw(&logits).unwrap();
        assert!(position.score(&logits, id).unwrap().margin.abs() < f64::EPSILON);
        ids.push(id);
        if model.is_end(id) {
            return Some((text + &detokenizer.finish(), ids));
        }
        text += &detokenizer.push(id);
        counts.push(id);
        grammar.push(id);
    }
    None
}

/// What a grammar lets somebody say who always takes the lowest token: some text of it, ended or not.
pub(crate) fn answer_of(model: &TextModel, source: &str) -> (String, Vec<TokenId>) {
    let mut grammar = model.grammar(source).unwrap();
    let mut detokenizer = model.detokenizer();
    let (mut text, mut ids) = (String::new(), Vec::new());
    for _ in 0..20 {
        let allowed = grammar.allowed().unwrap().unwrap();
        let id = (0..model.manifest.vocab_size).find(|id| allowed.contains(*id)).unwrap();
        ids.push(id);
        if model.is_end(id) {
            break;
        }
        text += &detokenizer.push(id);
        grammar.push(id);
    }
    (text, ids)
}

#[test]
fn whatever_is_drawn_under_a_schema_satisfies_it() {
    let model = demo();
    let person = schema(&json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "maxLength": 8 },
            "age": { "type": "integer", "minimum": 0, "maximum": 150 },
            "likes": { "type": "array", "items": { "enum": ["tea", "coffee"] }, "maxItems": 3 },
        },
        "required": ["name", "age", "likes"],
        "additionalProperties": false,
    }));
    let answers: Vec<_> =
        (0..20).filter_map(|salt| random_answer(&model, &person, salt, 400)).collect();
    assert!(answers.len() >= 15, "{} of 20 ended", answers.len());
    for (text, _) in answers {
        let value: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(value["name"].as_str().unwrap().chars().count() <= 8, "{text}");
        assert!((0..=150).contains(&value["age"].as_i64().unwrap()), "{text}");
        let likes = value["likes"].as_array().unwrap();
        assert!(likes.len() <= 3 && likes.iter().all(|it| it == "tea" || it == "coffee"), "{text}");
        assert_eq!(value.as_object().unwrap().len(), 3, "{text}");
    }
}

#[test]
fn what_the_grammar_forbids_is_outside_whatever_the_logits_say() {
    let model = demo();
    let yes_or_no = r#"start: "yes" | "no""#;
    let (text, ids) = random_answer(&model, yes_or_no, 1, 10).unwrap();
    assert!(text == "yes" || text == "no", "{text}");

    let forbidden = model.encode("maybe").unwrap()[0];
    let allowed = model.grammar(yes_or_no).unwrap().allowed().unwrap();
    let mut logits = vec![0.0; model.manifest.vocab_size as usize];
    logits[forbidden as usize] = 50.0;
    let counts = TokenCounts::default();
    for temperature in [0.0, 1.0] {
        let sampling = Sampling { temperature, ..Sampling::default() };
        let at = |allowed| Position {
            sampling: &sampling,
            seed: Bytes32([1; 32]),
            index: 0,
            counts: &counts,
            allowed,
        };
        assert_eq!(at(None).draw(&logits), Ok(forbidden));
        let drawn = at(allowed.as_ref()).draw(&logits).unwrap();
        assert!(allowed.as_ref().unwrap().contains(drawn));
        let score = at(allowed.as_ref()).score(&logits, forbidden).unwrap();
        assert_eq!((score.own, score.margin), (drawn, assay_protocol::PositionScore::OUTSIDE));
        assert!(at(allowed.as_ref()).score(&logits, ids[0]).unwrap().margin < 50.0);
    }
}

#[test]
fn a_forced_token_teaches_nothing() {
    let model = demo();
    let mut grammar = model.grammar(r#"start: "y" "#).unwrap();
    let end = model.manifest.end_tokens[0];
    grammar.push(model.encode("y").unwrap()[0]);
    let allowed = grammar.allowed().unwrap();
    let logits = vec![0.0; model.manifest.vocab_size as usize];
    let (sampling, counts) = (Sampling::default(), TokenCounts::default());
    let at = Position {
        sampling: &sampling,
        seed: Bytes32([1; 32]),
        index: 1,
        counts: &counts,
        allowed: allowed.as_ref(),
    };
    let score = at.score(&logits, end).unwrap();
    assert_eq!(score.own, end);
    let forced = model.manifest.end_tokens.len() == 1;
    assert!(!forced || (score.sum_p2 - 1.0).abs() < f64::EPSILON, "{score:?}");
}

#[test]
fn after_a_forbidden_token_there_is_no_constraint() {
    let model = demo();
    let mut grammar = model.grammar(r#"start: "yes""#).unwrap();
    grammar.push(model.encode("no").unwrap()[0]);
    assert_eq!(grammar.allowed(), Ok(None));
    // Nor after going on past the end.
    let mut grammar = model.grammar(r#"start: "yes""#).unwrap();
    for id in model.encode("yes").unwrap() {
        grammar.push(id);
    }
    grammar.push(model.manifest.end_tokens[0]);
    assert!(grammar.allowed().unwrap().is_some_and(|it| it.contains(model.manifest.end_tokens[0])));
    grammar.push(model.encode("yes").unwrap()[0]);
    assert_eq!(grammar.allowed(), Ok(None));
}

#[test]
fn what_is_no_grammar_is_refused_with_a_reason() {
    let model = demo();
    let refused = |source: &str| model.grammar(source).unwrap_err().to_string();
    assert!(refused("start: nonsense").contains("nonsense"), "{}", refused("start: nonsense"));
    assert!(refused(&schema(&json!({ "type": "strange" }))).contains("strange"));
    assert!(refused(&" ".repeat(GRAMMAR_BYTES_MAX + 1)).contains("too large"));
    assert!(!refused("").is_empty());
}

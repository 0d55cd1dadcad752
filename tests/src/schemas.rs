//! Random JSON schemas, always the same ones, whose answers end by themselves: every string, list and number is bounded.

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::{Map, Value, json};

const NAMES: [&str; 12] = [
    "name", "age", "city", "tags", "is_open", "price", "next", "kind", "größe", "a b", "x", "items",
];
const WORDS: [&str; 8] =
    ["red", "green", "blue", "tea", "Zoë", "\"quoted\"", "a\\b", "line\nbreak"];
const PATTERNS: [&str; 5] =
    ["^[a-z]{1,6}$", "^[A-Z]{2}[0-9]{2}$", "^(on|off)$", "^#[0-9a-f]{3}$", "^\\d{1,3}$"];
/// Objects and lists in each other.
const DEPTH_MAX: u32 = 3;

/// The schema of this number.
pub fn schema(number: u64) -> Value {
    let mut dice = StdRng::seed_from_u64(number);
    let mut schema = match dice.random_range(0..10) {
        0 => any(&mut dice, DEPTH_MAX),
        1 => list(&mut dice, 1),
        _ => object(&mut dice, 1),
    };
    if dice.random_range(0..6) == 0 {
        // A list that holds itself, as far as it likes.
        let item = simple(&mut dice);
        let node = json!({"type": "object", "properties": {"value": item, "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
            "required": ["value", "next"], "additionalProperties": false});
        schema = json!({"type": "object", "properties": {"first": {"$ref": "#/$defs/node"}, "rest": schema},
            "required": ["rest", "first"], "additionalProperties": false, "$defs": {"node": node}});
    }
    schema
}

fn any(dice: &mut StdRng, depth: u32) -> Value {
    match dice.random_range(0..10) {
        0 | 1 if depth < DEPTH_MAX => object(dice, depth + 1),
        2 if depth < DEPTH_MAX => list(dice, depth + 1),
        3 => {
            let options: Vec<Value> = (0..2).map(|_| any(dice, DEPTH_MAX)).collect();
            json!({"anyOf": options})
        }
        _ => simple(dice),
    }
}

fn object(dice: &mut StdRng, depth: u32) -> Value {
    let count = dice.random_range(1..=4);
    let mut names: Vec<&str> = NAMES.choose_multiple(dice, count).copied().collect();
    let properties: Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), any(dice, depth))).collect();
    names.retain(|_| dice.random_range(0..4) > 0);
    json!({"type": "object", "properties": properties, "required": names, "additionalProperties": false})
}

fn list(dice: &mut StdRng, depth: u32) -> Value {
    let least = dice.random_range(0..3);
    let most = least + dice.random_range(0..3);
    json!({"type": "array", "items": any(dice, depth), "minItems": least, "maxItems": most})
}

fn simple(dice: &mut StdRng) -> Value {
    match dice.random_range(0..11) {
        0 => json!({"type": "boolean"}),
        1 => json!({"type": "null"}),
        2 => json!({"const": WORDS.choose(dice)}),
        3 => {
            let count = dice.random_range(1..4);
            let mut values: Vec<Value> =
                WORDS.choose_multiple(dice, count).map(|word| json!(word)).collect();
            values
                .extend([json!(7), json!(-2.5), json!(false), Value::Null].into_iter().take(count));
            json!({"enum": values})
        }
        4 => json!({"type": "string", "pattern": PATTERNS.choose(dice)}),
        5 => json!({"type": "string", "format": "date"}),
        6 => json!({"type": ["string", "null"], "maxLength": dice.random_range(1..10)}),
        7 => {
            json!({"type": "integer", "minimum": 0, "maximum": 1_000, "multipleOf": dice.random_range(2..9)})
        }
        8 | 9 => {
            let least = dice.random_range(-2_000..2_000);
            json!({"type": "integer", "minimum": least, "exclusiveMaximum": least + dice.random_range(1..5_000)})
        }
        _ => {
            let least = dice.random_range(0..4);
            json!({"type": "string", "minLength": least, "maxLength": least + dice.random_range(1..8)})
        }
    }
}

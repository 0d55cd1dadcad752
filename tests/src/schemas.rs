//! Random JSON schemas, always the same ones: some whose answers end by themselves, because every string, list and number
//! is bounded, and some whose answers may go on for ever.

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
    match dice.random_range(0..10) {
        0 => any(&mut dice, DEPTH_MAX),
        1 => list(&mut dice, 1),
        _ => object(&mut dice, 1),
    }
}

/// The schema of this number of those that bound no answer: an object with a part that has no end of its own.
pub fn open(number: u64) -> Value {
    let mut dice = StdRng::seed_from_u64(number);
    let least = dice.random_range(-50..50);
    let endless = match number % 11 {
        0 => json!({"type": "string"}),
        1 => json!({"type": "number"}),
        2 => {
            json!({"type": "number", "minimum": least, "maximum": least + dice.random_range(1..200)})
        }
        3 => json!({"type": "number", "exclusiveMinimum": 0}),
        4 => json!({"type": ["integer", "null"]}),
        5 => json!({"type": "array", "items": any(&mut dice, DEPTH_MAX)}),
        6 => {
            json!({"type": "object", "properties": {"kind": simple(&mut dice)}, "required": ["kind"]})
        }
        7 => json!({"type": "object", "additionalProperties": simple(&mut dice)}),
        8 => {
            json!({"type": "object", "patternProperties": {"^x_": simple(&mut dice)}, "additionalProperties": false})
        }
        9 => json!({"$ref": "#/$defs/node"}),
        _ => json!({}),
    };
    // A list that holds itself, as far as it likes.
    let node = json!({"type": "object", "properties": {"value": simple(&mut dice), "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
        "required": ["value", "next"], "additionalProperties": false});
    json!({"type": "object", "properties": {"first": any(&mut dice, DEPTH_MAX), "then": endless}, "required": ["first", "then"],
        "additionalProperties": false, "$defs": {"node": node}})
}

fn any(dice: &mut StdRng, depth: u32) -> Value {
    match dice.random_range(0..13) {
        0 | 1 if depth < DEPTH_MAX => object(dice, depth + 1),
        2 if depth < DEPTH_MAX => list(dice, depth + 1),
        10 if depth < DEPTH_MAX => parts(dice),
        11 if depth < DEPTH_MAX => named(dice),
        12 => one_of(dice),
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

/// Two schemas at once: the one's field, and the other's.
fn parts(dice: &mut StdRng) -> Value {
    let mut part = |name: &str| json!({"type": "object", "properties": {name: simple(dice)}, "required": [name]});
    json!({"allOf": [part("left"), part("right"), {"maxProperties": 2}]})
}

/// Fields that only a pattern names.
fn named(dice: &mut StdRng) -> Value {
    let most = dice.random_range(1..4);
    json!({"type": "object", "patternProperties": {"^[a-z]{1,3}$": simple(dice)}, "additionalProperties": false, "maxProperties": most})
}

/// Branches that exclude each other, by their types or by a field.
fn one_of(dice: &mut StdRng) -> Value {
    if dice.random() {
        let number = json!({"type": "integer", "allOf": [{"minimum": 0}, {"maximum": 99}]});
        return json!({"oneOf": [number, {"type": "string", "maxLength": 5}, {"type": "boolean"}]});
    }
    let mut branch = |kind: &str| {
        json!({"type": "object", "properties": {"kind": {"const": kind}, "value": simple(dice)}, "required": ["kind", "value"],
            "additionalProperties": false})
    };
    json!({"oneOf": [branch("a"), branch("b")]})
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

//! What generators of schemas write, held to as far as it can be.

use serde_json::{Value, json};

use super::super::{AnswerForm, FormFields, WrongForm};
use crate::{TextModel, grammar::tests::random_answer};

fn demo() -> TextModel {
    TextModel::demo()
}

/// The grammar of an answer with this schema, and of a function with these parameters.
fn both(model: &TextModel, schema: &Value, strict: Option<bool>) -> [Result<String, WrongForm>; 2] {
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": strict}});
    let function = json!({"type": "function", "function": {"name": "f", "parameters": schema, "strict": strict}});
    let format = FormFields { response_format: Some(format), ..FormFields::default() };
    let tools = FormFields {
        tools: Some(json!([function])),
        tool_choice: Some(json!("required")),
        ..FormFields::default()
    };
    [format, tools].map(|fields| Ok(AnswerForm::read(&fields)?.grammar(model)?.expect("a grammar")))
}

fn of(properties: Value) -> Value {
    let required: Vec<&String> = properties.as_object().unwrap().keys().collect();
    json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "required": required, "properties": properties})
}

/// As pydantic 2 and zod 3 and 4 write them, each with a keyword that cannot be held to.
fn generated() -> Vec<(&'static str, Value)> {
    let field = |field: Value| of(json!({"x": field}));
    vec![
        (
            "set[str]",
            field(
                json!({"items": {"type": "string"}, "title": "X", "type": "array", "uniqueItems": true}),
            ),
        ),
        ("Path", field(json!({"format": "path", "title": "X", "type": "string"}))),
        ("bytes", field(json!({"format": "binary", "title": "X", "type": "string"}))),
        ("SecretStr", field(json!({"format": "password", "type": "string", "writeOnly": true}))),
        (
            "Decimal",
            field(
                json!({"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$"}]}),
            ),
        ),
        (
            "z.record(z.enum())",
            field(
                json!({"type": "object", "propertyNames": {"enum": ["a", "b"]}, "additionalProperties": {"type": "number"}}),
            ),
        ),
        (
            "z.base64()",
            field(json!({"type": "string", "format": "base64", "contentEncoding": "base64",
            "pattern": "^$|^(?:[0-9a-zA-Z+/]{4})*(?:(?:[0-9a-zA-Z+/]{2}==)|(?:[0-9a-zA-Z+/]{3}=))?$"})),
        ),
        (
            "z.email()",
            field(json!({"type": "string", "format": "email",
            "pattern": "^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$"})),
        ),
        ("z.jwt()", field(json!({"type": "string", "format": "jwt"}))),
        (
            "two patterns at once",
            field(
                json!({"type": "object", "patternProperties": {"^a": {"type": "string"}, "b$": {"type": "null"}}, "additionalProperties": false}),
            ),
        ),
        (
            "if",
            field(
                json!({"type": "object", "properties": {"a": {"type": "boolean"}}, "if": {"required": ["a"]}, "then": {"required": ["b"]}}),
            ),
        ),
        (
            "dependentRequired",
            json!({"type": "object", "properties": {"a": {"type": "boolean"}}, "dependentRequired": {"a": ["b"]}}),
        ),
        ("not", field(json!({"type": "string", "not": {"const": "x"}}))),
    ]
}

#[test]
fn what_generators_write_is_served_unless_it_must_be_kept() {
    let model = demo();
    for (name, schema) in generated() {
        for strict in [None, Some(false)] {
            for grammar in both(&model, &schema, strict) {
                grammar.unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
            }
        }
        let refused =
            both(&model, &schema, Some(true)).map(|grammar| grammar.err().map(|wrong| wrong.param));
        let params = ["response_format.json_schema.schema", "tools[0].function.parameters"];
        assert_eq!(refused, params.map(|param| Some(param.to_owned())), "{name}");
    }
}

#[test]
fn what_says_nothing_and_what_can_be_kept_is_served_in_any_case() {
    let model = demo();
    for (name, schema) in [
        (
            "Cat | Dog",
            json!({"$defs": {
                "Cat": {"properties": {"kind": {"const": "cat", "type": "string"}}, "required": ["kind"], "type": "object"},
                "Dog": {"properties": {"kind": {"const": "dog", "type": "string"}}, "required": ["kind"], "type": "object"}},
            "type": "object", "required": ["pet"], "properties": {"pet": {"oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
                "discriminator": {"mapping": {"cat": "#/$defs/Cat", "dog": "#/$defs/Dog"}, "propertyName": "kind"}}}}),
        ),
        (
            "z.emoji()",
            of(
                json!({"x": {"type": "string", "pattern": "^(\\p{Extended_Pictographic}|\\p{Emoji_Component})+$"}}),
            ),
        ),
        (
            "z.record()",
            of(
                json!({"x": {"type": "object", "propertyNames": {"type": "string"}, "additionalProperties": {"type": "number"}}}),
            ),
        ),
        (
            "z.int()",
            of(
                json!({"x": {"type": "integer", "minimum": -9_007_199_254_740_991_i64, "maximum": 9_007_199_254_740_991_i64}}),
            ),
        ),
        (
            "z.never()",
            json!({"type": "object", "properties": {"x": {"type": "null"}}, "additionalProperties": {"not": {}}}),
        ),
        (
            "z.uuid()",
            of(
                json!({"x": {"type": "string", "format": "uuid", "pattern": "^([0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[1-8][0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12})$"}}),
            ),
        ),
        (
            "z.tuple()",
            of(
                json!({"x": {"type": "array", "minItems": 2, "maxItems": 2, "items": [{"type": "string"}, {"type": "number"}]}}),
            ),
        ),
        (
            "a field named pattern",
            of(
                json!({"pattern": {"type": "string"}, "propertyNames": {"type": "string"}, "not": {"type": "null"}}),
            ),
        ),
    ] {
        for strict in [None, Some(true)] {
            for grammar in both(&model, &schema, strict) {
                grammar.unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
            }
        }
    }
}

/// Passing over one keyword takes nothing from the others.
#[test]
fn what_is_not_strict_is_held_to_all_that_it_can_be() {
    let model = demo();
    let schema = json!({"type": "object", "required": ["tags", "kind"], "additionalProperties": false, "properties": {
        "tags": {"type": "array", "uniqueItems": true, "minItems": 1, "maxItems": 2, "items": {"enum": ["a", "b"]}},
        "kind": {"oneOf": [{"const": "x"}, {"type": "string", "pattern": "^(?!x)y$", "maxLength": 2}]}}});
    let [grammar, _] = both(&model, &schema, None);
    let grammar = grammar.unwrap();
    let mut ended = 0;
    for salt in 0..10 {
        let Some((text, _)) = random_answer(&model, &grammar, salt, 200) else { continue };
        let answer: Value = serde_json::from_str(&text).unwrap();
        let tags = answer["tags"].as_array().unwrap();
        assert!(
            (1..=2).contains(&tags.len()) && tags.iter().all(|tag| tag == "a" || tag == "b"),
            "{text}"
        );
        assert!(answer["kind"].as_str().unwrap().chars().count() <= 2, "{text}");
        assert_eq!(answer.as_object().unwrap().len(), 2, "{text}");
        ended += 1;
    }
    assert!(ended > 5, "{ended} of 10 ended");
}

#[test]
fn what_is_no_schema_is_refused_strict_or_not() {
    let model = demo();
    for schema in [
        json!({"type": "object", "properties": {"x": {"type": "strange"}}}),
        of(json!({"x": {"$ref": "#/$defs/nowhere"}})),
    ] {
        for strict in [None, Some(true)] {
            assert!(both(&model, &schema, strict).iter().all(Result::is_err), "{schema}");
        }
    }
    let wrong = json!([{"type": "function", "function": {"name": "f", "strict": "yes"}}]);
    let wrong = AnswerForm::read(&FormFields { tools: Some(wrong), ..FormFields::default() });
    assert_eq!(wrong.unwrap_err().param, "tools[0].function.strict");
}

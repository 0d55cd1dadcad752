//! What requests ask of their answers' form, and what an answer under it says.

use serde_json::json;

use super::*;
use crate::{
    ChatMessage, Said,
    grammar::tests::{answer_of, random_answer},
};

fn demo() -> TextModel {
    TextModel::demo()
}

/// The demo model with a template that shows tools and calls as they are.
fn taught() -> TextModel {
    let source = "{% if tools %}{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}{% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}\
        {% for call in m.tool_calls %}{% if not loop.first %}{{ '\n' }}{% endif %}{{ '<tool_call>\n' }}{{ call.function | tojson }}{{ '\n</tool_call>' }}\
        {% endfor %}<|im_end|>{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}";
    TextModel::demo_with(source, &[])
}

fn read(fields: &Value) -> Result<AnswerForm, WrongForm> {
    let field = |name: &str| fields.get(name).cloned();
    AnswerForm::read(&FormFields {
        response_format: field("response_format"),
        tools: field("tools"),
        tool_choice: field("tool_choice"),
        parallel_tool_calls: field("parallel_tool_calls"),
    })
}

/// The field that is named when these are refused, by whoever compiles the grammar at the latest.
fn refused(fields: &Value) -> String {
    let model = taught();
    let grammar = read(fields).and_then(|form| form.grammar(&model));
    grammar.expect_err(&fields.to_string()).param
}

fn function(name: &str, parameters: Value) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": parameters}})
}

fn weather() -> Value {
    function(
        "weather",
        json!({"properties": {"city": {"enum": ["Rome", "Oslo"]}, "days": {"type": "integer", "minimum": 1, "maximum": 9}},
            "required": ["city", "days"], "additionalProperties": false}),
    )
}

fn now() -> Value {
    json!({"type": "function", "function": {"name": "now"}})
}

#[test]
fn a_format_is_a_grammar_and_text_is_none() {
    let model = demo();
    for free in [json!({}), json!({"response_format": {"type": "text"}}), json!({"tools": []})] {
        assert_eq!(read(&free).unwrap().grammar(&model), Ok(None), "{free}");
    }
    let schema = json!({"type": "object", "properties": {"z": {"const": 1.0}, "a": {"const": "x"}},
        "required": ["z", "a"], "additionalProperties": false});
    let asked = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}});
    let grammar = read(&asked).unwrap().grammar(&model).unwrap().unwrap();
    let (text, _) = random_answer(&model, &grammar, 1, 60).unwrap();
    assert_eq!(text, r#"{"z": 1, "a": "x"}"#, "fields come in the schema's order");
    let object = read(&json!({"response_format": {"type": "json_object"}})).unwrap();
    let (text, _) = answer_of(&model, &object.grammar(&model).unwrap().unwrap());
    assert!(text.starts_with('{'), "{text}");
}

#[test]
fn what_cannot_be_served_is_named() {
    let schema = |schema: Value| json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": schema}}});
    assert_eq!(refused(&json!({"response_format": {"type": "xml"}})), "response_format.type");
    assert_eq!(refused(&json!({"response_format": 5})), "response_format.type");
    let bare = json!({"response_format": {"type": "json_schema"}});
    assert_eq!(refused(&bare), "response_format.json_schema");
    let nameless =
        json!({"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}});
    assert_eq!(refused(&nameless), "response_format.json_schema.name");
    assert_eq!(refused(&schema(json!(true))), "response_format.json_schema.schema");
    for unservable in [
        json!({"type": "strange"}),
        json!({"type": "object", "propertyNames": {"pattern": "a"}}),
        json!({"type": "integer", "minimum": 5, "maximum": 3}),
        json!({"type": "string", "pattern": "(["}),
        json!({"$ref": "#/$defs/nowhere"}),
        json!({"$ref": "https://example.com/schema.json"}),
    ] {
        assert_eq!(refused(&schema(unservable)), "response_format.json_schema.schema");
    }

    let tools = |tools: Value| refused(&json!({"tools": tools}));
    assert_eq!(tools(json!([5])), "tools[0].type");
    assert_eq!(tools(json!([{"type": "custom", "custom": {"name": "x"}}])), "tools[0].type");
    assert_eq!(tools(json!([{"type": "function"}])), "tools[0].function");
    assert_eq!(tools(json!([now(), function("a b", json!({}))])), "tools[1].function.name");
    assert_eq!(tools(json!([now(), now()])), "tools[1].function.name");
    let parameters = "tools[1].function.parameters";
    assert_eq!(tools(json!([now(), function("f", json!({"type": "array"}))])), parameters);
    let unknown = json!({"properties": {"x": {"type": "strange"}}});
    assert_eq!(tools(json!([now(), function("f", unknown)])), parameters);
    assert_eq!(tools(vec![now(); 129].into()), "tools");

    let choice = |choice: Value| refused(&json!({"tools": [now()], "tool_choice": choice}));
    assert_eq!(choice(json!("any")), "tool_choice");
    assert_eq!(
        choice(json!({"type": "function", "function": {"name": "then"}})),
        "tool_choice.function.name"
    );
    let allowed = json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"name": "then"}]}});
    assert_eq!(choice(allowed), "tool_choice.allowed_tools.tools[0].function.name");
    assert_eq!(refused(&json!({"tool_choice": "required"})), "tool_choice");
    assert_eq!(refused(&json!({"parallel_tool_calls": "no"})), "parallel_tool_calls");

    let plain = TextModel::demo_with("{% for m in messages %}{{ m.content }}{% endfor %}", &[]);
    let untaught = read(&json!({"tools": [now()]})).unwrap().grammar(&plain).unwrap_err();
    assert_eq!((untaught.param.as_str(), untaught.is_unsupported), ("tools", true));
}

#[test]
fn who_must_call_calls_what_is_allowed_and_nothing_else() {
    let model = taught();
    let said = |mut fields: Value, salt| {
        fields["tools"] = json!([weather(), now()]);
        let form = read(&fields).unwrap();
        let grammar = form.grammar(&model).unwrap().unwrap();
        let answer = random_answer(&model, &grammar, salt, 400);
        answer.map(|(text, _)| Said::read(&text, form.call_style(&model)))
    };
    let named = json!({"type": "function", "function": {"name": "weather"}});
    let subset = json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "now"}}]}});
    let mut called = Vec::new();
    for salt in 0..12 {
        for (choice, only) in [
            (json!("required"), None),
            (named.clone(), Some("weather")),
            (subset.clone(), Some("now")),
        ] {
            let Some(said) = said(json!({"tool_choice": choice}), salt) else { continue };
            assert_eq!(said.content, "");
            assert!((1..=lark::CALLS_MAX as usize).contains(&said.calls.len()), "{said:?}");
            for call in &said.calls {
                assert!(only.is_none_or(|only| call.name == only), "{call:?}");
                let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
                let days = arguments["days"].as_i64();
                let fits = match call.name.as_str() {
                    "weather" => {
                        days.is_some_and(|days| (1..=9).contains(&days))
                            && arguments["city"].is_string()
                    }
                    _ => arguments == json!({}),
                };
                assert!(fits, "{call:?}");
            }
            called.push(said.calls.len());
        }
        let one = json!({"tool_choice": "required", "parallel_tool_calls": false});
        assert!(said(one, salt).is_none_or(|said| said.calls.len() == 1));
    }
    assert!(called.len() > 20 && called.iter().any(|count| *count > 1), "{called:?}");
}

#[test]
fn who_may_call_says_what_it_likes_but_half_a_call() {
    let model = taught();
    let form = read(&json!({"tools": [weather()]})).unwrap();
    let source = form.grammar(&model).unwrap().unwrap();
    let follows = |before: &str, next: &str| {
        let mut grammar = model.grammar(&source).unwrap();
        for id in model.encode(before).unwrap() {
            grammar.push(id);
        }
        let id = match next {
            "" => model.manifest.end_tokens[0],
            next => model.encode(next).unwrap()[0],
        };
        grammar.allowed().unwrap().expect("all of it was allowed").contains(id)
    };
    let call = "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\", \"days\": 2}}\n</tool_call>";
    for whole in [
        "",
        "Hello!",
        "a < b",
        "<tool_",
        call,
        &format!("I look.\n{call}"),
        &format!("{call}\n{call}"),
    ] {
        assert!(follows(whole, ""), "{whole}");
    }
    for half in [
        "<tool_call>",
        "Hm.\n<tool_call>\n{\"name\": \"weather\"",
        &call[..call.len() - 4],
        &format!("{call}\n"),
    ] {
        assert!(!follows(half, ""), "{half}");
    }
    assert!(!follows("<tool_call>", "x") && !follows(call, "x"));
    // None shows no tools and asks for nothing.
    let none = read(&json!({"tools": [weather()], "tool_choice": "none"})).unwrap();
    assert_eq!((none.tools(), none.grammar(&model)), (Vec::new(), Ok(None)));
}

#[test]
fn templates_see_tools_and_calls_as_they_were_given() {
    let model = taught();
    let form = read(&json!({"tools": [{"function": {"parameters": {"type": "object", "properties": {"b": {"type": "number", "minimum": 1.0}, "a": {}}},
        "strict": true, "name": "f", "description": "Does <it> & more."}, "type": "function"}]})).unwrap();
    let call =
        json!({"id": "c", "function": {"arguments": "{\"z\": 1, \"a\": \"é\"}", "name": "f"}});
    let mut turn = ChatMessage::new("assistant", "");
    turn.tool_calls = tool_calls("tool_calls", &[call]).unwrap();
    let text = model.render_with(&[turn], &form.tools()).unwrap();
    let expected = "{\"type\": \"function\", \"function\": {\"name\": \"f\", \"description\": \"Does <it> & more.\", \"parameters\": \
        {\"type\": \"object\", \"properties\": {\"b\": {\"type\": \"number\", \"minimum\": 1}, \"a\": {}}}}}\n\
        assistant: <tool_call>\n{\"name\": \"f\", \"arguments\": {\"z\": 1, \"a\": \"é\"}}\n</tool_call><|im_end|>assistant: ";
    assert_eq!(text, expected);
    // What was cut, or never was an object, is shown as it is.
    for text in ["{\"z\": 1, \"a", "[1]", "nonsense"] {
        let cut = json!({"id": "c", "function": {"arguments": text, "name": "f"}});
        let calls = tool_calls("tool_calls", &[cut]).unwrap();
        assert_eq!(calls[0]["function"]["arguments"], text);
    }
    let wrong = |call: Value| tool_calls("calls", &[call]).unwrap_err().param;
    assert_eq!(wrong(json!({})), "calls[0].function");
    assert_eq!(wrong(json!({"function": {"name": ""}})), "calls[0].function.name");
    assert_eq!(
        wrong(json!({"function": {"name": "f", "arguments": [1]}})),
        "calls[0].function.arguments"
    );
}

/// None of them may take long, or more than their thread's stack.
#[test]
fn hostile_schemas_are_refused_or_served_but_end() {
    let model = demo();
    let mut deep = json!({"type": "integer"});
    for _ in 0..60 {
        deep = json!({"type": "array", "items": deep});
    }
    let many: Vec<Value> = (0..4_000).map(|index| json!(format!("{index:0>20}"))).collect();
    let cyclic = json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"});
    let grows = json!({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"});
    let branches = (0..200).map(
        |index| json!({"type": "object", "properties": {format!("p{index}"): {"type": "string"}}}),
    );
    for (name, schema) in [
        ("deep", deep),
        ("many", json!({"enum": many})),
        ("cyclic", cyclic),
        ("grows", grows),
        ("itself", json!({"allOf": [{"$ref": "#"}]})),
        ("long", json!({"type": "array", "items": {"type": "integer"}, "minItems": 1_000_000_000})),
        ("wide", json!({"type": "string", "minLength": 1_000_000_000})),
        ("pattern", json!({"type": "string", "pattern": "((a{1,1000}){1,1000}){1,1000}"})),
        ("nested", json!({"type": "string", "pattern": "(".repeat(5_000)})),
        ("intersections", json!({"allOf": branches.collect::<Vec<_>>()})),
        ("text", json!({"enum": ["é".repeat(200)], "minLength": "é".repeat(120)})),
    ] {
        let began = std::time::Instant::now();
        let asked = json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}});
        let grammar = read(&asked).unwrap().grammar(&model);
        if let Ok(Some(source)) = &grammar {
            let _ = model.grammar(source).unwrap().allowed();
        }
        let took = began.elapsed();
        assert!(took.as_secs() < 20, "{name} took {took:?}");
        println!(
            "{name}: {took:?}, {:?}",
            grammar.map(|_| "served").map_err(|wrong| wrong.message)
        );
    }
}

//! Families of templates, in short ones of our own, and how each spells calls.

use serde_json::{Value, json};

use crate::{
    AnswerForm, CallFinder, ChatMessage, FormFields, Said, TextModel, ToolCall, form,
    grammar::tests::random_answer,
};

/// What all of these begin with, and how they say what others say.
const SHOWS: &str = "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<|im_end|>{% endif %}";
const SAYS: &str = "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' }}";
const ASKS: &str = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

fn template(assistant: &str) -> String {
    format!(
        "{SHOWS}{{% for m in messages %}}{{% if m.tool_calls %}}{{{{ '<|im_start|>assistant\n' }}}}{assistant}{{{{ '<|im_end|>' }}}}\
         {{% else %}}{SAYS}{{% endif %}}{{% endfor %}}{ASKS}"
    )
}

const HERMES: &str = "{{ m.content }}{% for call in m.tool_calls %}{% if m.content or not loop.first %}{{ '\n' }}{% endif %}\
    {{ '<tool_call>\n{\"name\": \"' + call.function.name + '\", \"arguments\": ' }}{{ call.function.arguments | tojson }}{{ '}\n</tool_call>' }}{% endfor %}";
const LLAMA: &str = "{% if m.tool_calls | length != 1 %}{{ raise_exception('one call at a time') }}{% endif %}{% set call = m.tool_calls[0].function %}\
    {{ '{\"name\": \"' + call.name + '\", ' }}{{ '\"parameters\": ' }}{{ call.arguments | tojson }}{{ '}' }}";
const LLAMA_TAGGED: &str = "{% set call = m.tool_calls[0].function %}\
    {{ '<|python_tag|>{\"name\": \"' + call.name + '\", \"parameters\": ' }}{{ call.arguments | tojson }}{{ '}' }}";
const MISTRAL: &str = "{{ '[TOOL_CALLS] [' }}{% for call in m.tool_calls %}{% set said = call.function | tojson %}{{ said[:-1] }}\
    {% if call.id | length != 9 %}{{ raise_exception('ids have nine characters') }}{% endif %}{{ ', \"id\": \"' + call.id + '\"}' }}\
    {% if not loop.last %}{{ ', ' }}{% endif %}{% endfor %}{{ ']' }}";
const MISTRAL_LATER: &str = "{% for call in m.tool_calls %}{{ '[TOOL_CALLS]' + call.function.name + '[ARGS]' }}{{ call.function.arguments | tojson }}{% endfor %}";
/// Not JSON.
const QWEN_CODER: &str = "{% for call in m.tool_calls %}{{ '<tool_call>\n<function=' + call.function.name + '>\n' }}\
    {% for name, value in call.function.arguments | items %}{{ '<parameter=' + name + '>\n' + value + '\n</parameter>\n' }}{% endfor %}\
    {{ '</function>\n</tool_call>' }}{% endfor %}";

fn taught(assistant: &str) -> TextModel {
    let special = ["[TOOL_CALLS]", "[ARGS]", "<|python_tag|>"];
    TextModel::demo_with(&template(assistant), &special)
}

/// Every family, with a text that calls two functions (or one, where there can be no more) and what it says.
fn families() -> [(&'static str, TextModel, &'static str); 5] {
    [
        (
            "hermes",
            taught(HERMES),
            "I look.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"now\", \"arguments\": {}}\n</tool_call>",
        ),
        ("llama", taught(LLAMA), "{\"name\": \"weather\", \"parameters\": {\"city\": \"Oslo\"}}"),
        (
            "llama, tagged",
            taught(LLAMA_TAGGED),
            "I look.<|python_tag|>{\"name\": \"weather\", \"parameters\": {\"city\": \"Oslo\"}}",
        ),
        (
            "mistral",
            taught(MISTRAL),
            "I look.[TOOL_CALLS] [{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}, {\"name\": \"now\", \"arguments\": {}}]",
        ),
        (
            "mistral since 2025",
            taught(MISTRAL_LATER),
            "I look.[TOOL_CALLS]weather[ARGS]{\"city\": \"Oslo\"}[TOOL_CALLS]now[ARGS]{}",
        ),
    ]
}

fn is_single(family: &str) -> bool {
    family.starts_with("llama")
}

fn form(choice: Value) -> AnswerForm {
    let weather = json!({"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "required": ["city"],
        "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "additionalProperties": false}}});
    let now = json!({"type": "function", "function": {"name": "now"}});
    let fields = FormFields {
        tools: Some(json!([weather, now])),
        tool_choice: Some(choice),
        ..FormFields::default()
    };
    AnswerForm::read(&fields).unwrap()
}

fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall { name: name.into(), arguments: arguments.into() }
}

#[test]
fn a_family_is_known_by_what_its_template_writes() {
    let parts = |assistant| {
        let style = taught(assistant).call_style().cloned().expect("a style");
        (style.opens, style.before_arguments, style.between.unwrap_or_default(), style.closes)
    };
    let told = |opens: &str, before: &str, between: &str, closes: &str| {
        (opens.to_owned(), before.to_owned(), between.to_owned(), closes.to_owned())
    };
    let open = "<tool_call>\n{\"name\": \"";
    let hermes =
        told(open, "\", \"arguments\": ", &format!("}}\n</tool_call>\n{open}"), "}\n</tool_call>");
    assert_eq!(parts(HERMES), hermes);
    assert_eq!(parts(LLAMA), told("{\"name\": \"", "\", \"parameters\": ", "", "}"));
    assert_eq!(
        parts(LLAMA_TAGGED),
        told("<|python_tag|>{\"name\": \"", "\", \"parameters\": ", "", "}")
    );
    let mistral =
        told("[TOOL_CALLS] [{\"name\": \"", "\", \"arguments\": ", "}, {\"name\": \"", "}]");
    assert_eq!(parts(MISTRAL), mistral);
    assert_eq!(parts(MISTRAL_LATER), told("[TOOL_CALLS]", "[ARGS]", "[TOOL_CALLS]", ""));
    // The model that comes with this crate.
    assert_eq!(TextModel::demo().call_style().expect("a style").opens, open);
}

#[test]
fn who_must_call_spells_it_as_the_family_does() {
    for (family, model, _) in families() {
        let mut counts = Vec::new();
        for salt in 0..16 {
            for (choice, only) in [
                (json!("required"), None),
                (json!({"type": "function", "function": {"name": "weather"}}), Some("weather")),
            ] {
                let form = form(choice);
                let grammar =
                    form.grammar(&model).unwrap_or_else(|wrong| panic!("{family}: {wrong}"));
                let answer = random_answer(&model, &grammar.unwrap(), salt, 200);
                let Some((text, _)) = answer else { continue };
                let said = Said::read(&text, form.call_style(&model));
                assert_eq!(said.content, "", "{family}: {text}");
                for call in &said.calls {
                    let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
                    let city = &arguments["city"];
                    let fits = match call.name.as_str() {
                        "weather" => city == "Rome" || city == "Oslo",
                        name => name == "now" && only.is_none() && arguments == json!({}),
                    };
                    assert!(fits, "{family}: {text}");
                }
                counts.push(said.calls.len());
            }
        }
        let max = counts.iter().max().copied().unwrap_or(0);
        assert!(counts.len() > 5 && (max == 1) == is_single(family), "{family}: {counts:?}");
    }
}

#[test]
fn who_may_call_says_what_it_likes_but_half_a_call() {
    for (family, model, calls) in families() {
        let source = form(json!("auto")).grammar(&model).unwrap().unwrap();
        let ends = |text: &str| {
            let mut grammar = model.grammar(&source).unwrap();
            for id in model.encode(text).unwrap() {
                grammar.push(id);
            }
            let allowed = grammar.allowed().unwrap();
            allowed.is_some_and(|allowed| allowed.contains(model.manifest.end_tokens[0]))
        };
        for whole in ["", "Hello!", "{\"name\": 5}", "a < b [c]", calls] {
            assert!(ends(whole), "{family}: {whole}");
        }
        let city = calls.find("Oslo").unwrap();
        let wrong = calls.replace("Oslo", "Bonn");
        for half in [&calls[..city], &calls[..city + 5], &wrong] {
            assert!(!ends(half), "{family}: {half}");
        }
    }
}

#[test]
fn calls_are_found_however_the_text_is_cut() {
    for (family, model, text) in families() {
        let style = model.call_style().cloned();
        let said = Said::read(text, style.clone());
        let mut calls = vec![call("weather", "{\"city\": \"Oslo\"}")];
        calls.extend((!is_single(family)).then(|| call("now", "{}")));
        let content = if family == "llama" { "" } else { "I look." };
        assert_eq!(said, Said { content: content.into(), calls }, "{family}");

        let mut finder = CallFinder::new(style.clone().unwrap());
        let mut streamed = Said::default();
        for c in text.chars() {
            finder.push(&c.to_string()).into_iter().for_each(|piece| streamed.take(piece));
        }
        finder.finish().into_iter().for_each(|piece| streamed.take(piece));
        assert_eq!(streamed, said, "{family}");

        // What is cut is told as far as it came.
        let cut = &text[..text.find("slo").unwrap()];
        let said = Said::read(cut, style.clone());
        assert_eq!(said.calls, [call("weather", "{\"city\": \"O")], "{family}");
        let plain = "{\"nam[TOOL and <tool_";
        assert_eq!(Said::read(plain, style).content, plain, "{family}");
    }
}

/// Tokens of their own have text where calls are spelled with them, or nobody could read them.
#[test]
fn marks_that_are_special_tokens_are_read() {
    let model = taught(MISTRAL);
    let text = "[TOOL_CALLS] [{\"name\": \"now\", \"arguments\": {}}]";
    assert_eq!(model.decode(&model.encode(text).unwrap()), text);
    let plain = taught(HERMES);
    assert_eq!(plain.decode(&plain.encode("[TOOL_CALLS]!").unwrap()), "!");
}

#[test]
fn ids_are_such_as_the_template_takes() {
    let model = taught(MISTRAL);
    let asked = json!([{"id": "call_0190f5fe_0", "type": "function", "function": {"name": "now", "arguments": "{}"}}]);
    let mut turn = ChatMessage::new("assistant", "");
    turn.tool_calls = form::tool_calls("calls", asked.as_array().unwrap()).unwrap();
    let mut answer = ChatMessage::new("tool", "12:00");
    answer.tool_call_id = Some("call_0190f5fe_0".into());
    let text = model.render(&[ChatMessage::new("user", "When?"), turn.clone(), answer]).unwrap();
    let id = text.split("\"id\": \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
    // A call that was cut is shown as the text that it is.
    turn.tool_calls[0]["function"]["arguments"] = json!("{\"a\": ");
    assert!(model.render(&[turn]).unwrap().contains("{\\\"a\\\": "));
}

#[test]
fn what_is_spelled_in_another_way_is_refused_as_such() {
    let refused = |model: &TextModel| form(json!("auto")).grammar(model).unwrap_err();
    let unknown = refused(&taught(QWEN_CODER));
    assert_eq!((unknown.param.as_str(), unknown.is_unsupported), ("tools", true));
    assert!(unknown.message.contains("not known here"), "{unknown}");
    let silent = TextModel::demo_with("{% for m in messages %}{{ m.content }}{% endfor %}", &[]);
    assert!(refused(&silent).message.contains("was not taught tools"));
}

//! Templates as published models have them, with messages and tools.

use super::*;

fn render(source: &str, messages: &[(&str, &str)]) -> Result<String, ModelError> {
    let messages: Vec<_> =
        messages.iter().map(|(role, content)| ChatMessage::new(*role, *content)).collect();
    Template::parse(source.to_owned(), "<s>", "</s>").unwrap().render(&messages, &[])
}

#[test]
fn python_methods_trimmed_blocks_and_special_tokens_work_as_in_hugging_face() {
    let source = "{{ bos_token }}\n{% for m in messages %}\n  {%- if m['role'].startswith('u') %}\n\
                  [{{ m['content'].strip().upper() }}]{{ eos_token }}\n  {% endif %}\n{% endfor %}\n\
                  {% if add_generation_prompt %}>{% endif %}";
    assert_eq!(render(source, &[("user", " hi ")]).unwrap(), "<s>\n[HI]</s>\n>");
}

#[test]
fn nothing_in_a_message_is_escaped_or_executed() {
    let source = "{{ messages[0].content }}";
    let content = "<b>{{ 1 + 1 }}</b> & \"'";
    assert_eq!(render(source, &[("user", content)]).unwrap(), content);
}

#[test]
fn a_template_refuses_messages_in_its_own_words() {
    let source = "{{ raise_exception('roles must alternate') }}";
    let error = render(source, &[("user", "hi")]).unwrap_err();
    assert!(matches!(error, ModelError::MessagesRefused(text) if text == "roles must alternate"));
    let error = render("{{ messages.nothing() }}", &[]).unwrap_err();
    assert!(matches!(error, ModelError::Template(_)));
}

#[test]
fn json_is_written_as_python_writes_it() {
    let value = serde_json::json!({"b": [1, 2.5, true, null, "<é>\n"], "a": {}, "c": []});
    let template = |source: &str| Template::parse(source.to_owned(), "", "").unwrap();
    let text =
        template("{{ tools[0] | tojson }}").render(&[], std::slice::from_ref(&value)).unwrap();
    assert_eq!(text, r#"{"b": [1, 2.5, true, null, "<é>\n"], "a": {}, "c": []}"#);
    let short = serde_json::json!({"b": [1]});
    let text = template("{{ tools[0] | tojson(indent=2) }}").render(&[], &[short]).unwrap();
    assert_eq!(text, "{\n  \"b\": [\n    1\n  ]\n}");
}

#[test]
fn without_tools_a_template_sees_none() {
    let template =
        Template::parse("{% if tools %}yes{% else %}no{% endif %}".into(), "", "").unwrap();
    assert_eq!(template.render(&[], &[]).unwrap(), "no");
}

//! Which chat says the same, and how a field that is wrong is named.

use super::*;

fn refused(body: Value) -> String {
    as_chat(&body).unwrap_err().param
}

#[test]
fn a_text_is_what_the_user_says_and_instructions_are_the_systems() {
    let chat = as_chat(&json!({"model": "m", "input": "hi", "instructions": "be brief",
        "max_output_tokens": 5, "temperature": null, "store": true, "stream": true}))
    .unwrap();
    let expected = json!({"model": "m", "stream": true, "max_completion_tokens": 5, "messages": [
        {"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]});
    assert_eq!(chat.body, expected);
}

#[test]
fn items_are_messages_and_calls_belong_to_the_assistants() {
    let call = |id: &str| json!({"type": "function_call", "id": "fc_1", "call_id": id, "name": "add", "arguments": "{}"});
    let chat = as_chat(&json!({"input": [
        {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "b", "annotations": []}]},
        call("c1"), call("c2"),
        {"type": "function_call_output", "call_id": "c1", "output": "1"},
        call("c3"),
    ]}))
    .unwrap();
    let made = |id: &str| json!({"id": id, "type": "function", "function": {"name": "add", "arguments": "{}"}});
    let expected = json!([
        {"role": "user", "content": [{"type": "text", "text": "a"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "b"}], "tool_calls": [made("c1"), made("c2")]},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "assistant", "content": null, "tool_calls": [made("c3")]},
    ]);
    assert_eq!(chat.body["messages"], expected);
    assert_eq!(chat.names.param("messages[1].tool_calls[1].function.name"), "input[4].name");
    assert_eq!(chat.names.param("messages[2].content"), "input[5].content");
}

#[test]
fn tools_choices_and_formats_lie_one_level_deeper_in_a_chat() {
    let tool = json!({"type": "function", "name": "add", "parameters": {"type": "object"}, "strict": true});
    let format = json!({"type": "json_schema", "name": "x", "schema": {"type": "object"}});
    let chat = as_chat(&json!({"input": "hi", "tools": [tool],
        "tool_choice": {"type": "function", "name": "add"}, "text": {"format": format}}))
    .unwrap();
    let function = json!({"name": "add", "parameters": {"type": "object"}, "strict": true});
    assert_eq!(chat.body["tools"], json!([{"type": "function", "function": function}]));
    let choice = json!({"type": "function", "function": {"name": "add"}});
    assert_eq!(chat.body["tool_choice"], choice);
    let schema = json!({"name": "x", "schema": {"type": "object"}});
    assert_eq!(chat.body["response_format"], json!({"type": "json_schema", "json_schema": schema}));
    for (name, expected) in [
        ("tools[0].function.parameters", "tools[0].parameters"),
        ("response_format.json_schema.schema", "text.format.schema"),
        ("response_format", "text.format"),
        ("tool_choice.function.name", "tool_choice.name"),
        ("max_completion_tokens", "max_output_tokens"),
        ("temperature", "temperature"),
    ] {
        assert_eq!(chat.names.param(name), expected);
    }
}

#[test]
fn what_is_wrong_or_leans_on_what_is_stored_is_named() {
    for (body, param) in [
        (json!({}), "input"),
        (json!({"input": 5}), "input"),
        (json!({"input": []}), "input"),
        (json!({"input": [{"type": "reasoning"}]}), "input"),
        (json!({"input": "x", "instructions": 5}), "instructions"),
        (json!({"input": "x", "previous_response_id": "resp_1"}), "previous_response_id"),
        (json!({"input": "x", "conversation": "c"}), "conversation"),
        (json!({"input": "x", "background": true}), "background"),
        (json!({"input": "x", "tools": [{"type": "web_search"}]}), "tools[0].type"),
        (json!({"input": "x", "truncation": "auto"}), "truncation"),
        (json!({"input": "x", "top_logprobs": 2}), "top_logprobs"),
        (json!({"input": "x", "top_logprobs": "two"}), "top_logprobs"),
        (json!({"input": "x", "truncation": 3}), "truncation"),
        (json!({"input": "x", "background": "yes"}), "background"),
        (json!({"input": "x", "text": "x"}), "text"),
        (json!({"input": "x", "include": "x"}), "include"),
        (json!({"input": "x", "moderation": {"model": "m"}}), "moderation"),
        (json!({"input": "x", "include": ["message.output_text.logprobs"]}), "include"),
        (json!({"input": [{"type": "item_reference", "id": "a"}]}), "input[0].type"),
        (json!({"input": [{"type": "computer_call"}]}), "input[0].type"),
        (json!({"input": [{"type": 5}]}), "input[0].type"),
        (json!({"input": [{"role": 5, "content": "x"}]}), "input[0].role"),
        (json!({"input": [{"role": "user"}]}), "input[0].content"),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}),
            "input[0].content[0].type",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}),
            "input[0].content[0].text",
        ),
        (
            json!({"input": [{"type": "function_call", "name": "f", "arguments": "{}"}]}),
            "input[0].call_id",
        ),
        (json!({"input": [{"type": "function_call_output", "call_id": "c"}]}), "input[0].output"),
    ] {
        assert_eq!(refused(body.clone()), param, "{body}");
    }
    assert!(is_response(&json!({"input": "x"})) && !is_response(&json!({"messages": []})));
}

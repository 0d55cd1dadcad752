//! The order and the shape of a response's events.

use super::*;
use crate::openai::{ResponseRequest, Usage};

fn writer() -> ResponseWriter {
    let body =
        json!({"model": "m", "input": "hi", "instructions": "Be brief.", "max_output_tokens": 9});
    let request: ResponseRequest = serde_json::from_value(body).unwrap();
    ResponseWriter::new("resp_1".into(), 5, "m".into(), request.check().unwrap().asked)
}

fn names(events: &[ResponseEvent]) -> Vec<&str> {
    events.iter().map(|event| event.name.trim_start_matches("response.")).collect()
}

#[test]
fn a_message_and_a_call_are_opened_filled_and_closed_in_order() {
    let mut writer = writer();
    let mut events = writer.begin();
    events.extend(writer.text("Hel"));
    events.extend(writer.text("lo"));
    events.extend(writer.call("call_1".into(), "add".into()));
    events.extend(writer.arguments("{\"a\":"));
    events.extend(writer.arguments("1}"));
    events.extend(writer.finish("tool_calls"));
    events.push(writer.last(Usage::of(3, 4).into(), Some(json!({"rule": "agreement"}))));
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(names(&events), expected);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event.data["sequence_number"], json!(number));
        assert_eq!(event.data["type"], json!(event.name));
    }
    let part = json!({"type": "response.output_text.delta", "sequence_number": 5, "item_id": "msg_1_0",
        "output_index": 0, "content_index": 0, "delta": "lo", "logprobs": []});
    assert_eq!(events[5].data, part);
    let whole = json!({"type": "response.function_call_arguments.done", "sequence_number": 12,
        "item_id": "fc_1_1", "output_index": 1, "name": "add", "arguments": "{\"a\":1}"});
    assert_eq!(events[12].data, whole);
    let response = &events[14].data["response"];
    assert_eq!(response["status"], "completed");
    assert_eq!(response["instructions"], "Be brief.");
    assert_eq!(response["usage"]["total_tokens"], 7);
    assert_eq!(response["x_assay"]["rule"], "agreement");
    let output = json!([
        {"type": "message", "id": "msg_1_0", "status": "completed", "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}]},
        {"type": "function_call", "id": "fc_1_1", "status": "completed", "call_id": "call_1", "name": "add",
            "arguments": "{\"a\":1}"},
    ]);
    assert_eq!(response["output"], output);
}

#[test]
fn an_answer_that_was_cut_is_incomplete_and_one_that_is_empty_is_a_message() {
    let mut writer = writer();
    let begun = writer.begin();
    assert_eq!(begun[0].data["response"]["status"], "in_progress");
    let events = writer.finish("length");
    let expected = [
        "output_item.added",
        "content_part.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
    ];
    assert_eq!(names(&events), expected);
    let last = writer.last(Usage::of(3, 0).into(), None);
    assert_eq!(last.name, "response.incomplete");
    let response = &last.data["response"];
    assert_eq!(response["incomplete_details"], json!({"reason": "max_output_tokens"}));
    assert_eq!(response["output"][0]["status"], "incomplete");
    assert_eq!(response["max_output_tokens"], 9);
    assert_eq!(writer.next_number(), 8);
}

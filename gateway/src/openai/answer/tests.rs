//! The order and the shape of what a client gets.

use serde_json::json;

use super::*;

fn writer(form: Form, include_usage: bool, choices: usize) -> AnswerWriter {
    AnswerWriter {
        form,
        id: "chatcmpl-1".to_owned(),
        created: 5,
        model: "m".to_owned(),
        system_fingerprint: "fp".to_owned(),
        include_usage,
        choices,
    }
}

fn shown(chunks: Vec<Chunk>) -> Vec<Value> {
    chunks.iter().map(|chunk| serde_json::to_value(chunk).unwrap()).collect()
}

/// One choice, as a stream.
fn chunks(include_usage: bool) -> Vec<Value> {
    let writer = writer(Form::Chat, include_usage, 1);
    let verdict = json!({"rule": "agreed"});
    let mut chunks = writer.begin();
    chunks.push(writer.piece(0, "hi".to_owned(), None));
    chunks.push(writer.finish(0, "stop", &verdict));
    chunks.extend(writer.usage(Usage::of(3, 2), Some(verdict)));
    shown(chunks)
}

fn head(choices: Value) -> Value {
    json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "m",
        "system_fingerprint": "fp", "choices": choices})
}

fn choice(delta: Value, finish: Value) -> Value {
    json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}])
}

#[test]
fn without_usage_asked_no_chunk_speaks_of_it() {
    let role = json!({"role": "assistant", "content": "", "refusal": null});
    let mut last = head(choice(json!({}), json!("stop")));
    last["x_assay"] = json!({"rule": "agreed"});
    let expected = vec![
        head(choice(role, Value::Null)),
        head(choice(json!({"content": "hi"}), Value::Null)),
        last,
    ];
    assert_eq!(chunks(false), expected);
}

#[test]
fn with_usage_asked_one_more_chunk_has_it_and_no_choices() {
    let chunks = chunks(true);
    assert_eq!(chunks.len(), 4);
    for chunk in &chunks[..3] {
        assert_eq!(chunk.get("usage"), Some(&Value::Null));
        assert_eq!(chunk.get("x_assay"), None);
    }
    let mut last = head(json!([]));
    last["usage"] = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5});
    last["x_assay"] = json!({"rule": "agreed"});
    assert_eq!(chunks[3], last);
}

#[test]
fn each_choice_speaks_first_and_ends_once_with_its_own_verdict() {
    let writer = writer(Form::Chat, true, 2);
    let mut chunks = writer.begin();
    chunks.push(writer.piece(1, "b".to_owned(), None));
    chunks.push(writer.finish(1, "length", &json!("one")));
    chunks.push(writer.finish(0, "stop", &json!("zero")));
    chunks.extend(writer.usage(Usage::of(3, 2), None));
    let chunks = shown(chunks);
    for index in [0, 1] {
        let of = chunks.iter().filter(|chunk| chunk["choices"][0]["index"] == json!(index));
        let of: Vec<&Value> = of.map(|chunk| &chunk["choices"][0]).collect();
        assert_eq!(of[0]["delta"]["role"], "assistant");
        assert_eq!(of.iter().filter(|one| one["finish_reason"].is_string()).count(), 1);
        assert_eq!(of.last().unwrap()["x_assay"], ["zero", "one"][index]);
    }
    assert!(chunks.iter().all(|chunk| chunk.get("x_assay").is_none()));
}

#[test]
fn a_text_completion_has_its_own_object() {
    let whole = |choices| {
        let whole = |text: &str| WholeChoice {
            text: text.to_owned(),
            finish_reason: "stop",
            verdict: json!(text),
            ..WholeChoice::default()
        };
        let all = ["a", "b"].into_iter().take(choices).map(whole).collect();
        let body = writer(Form::Text, false, choices).whole(all, Usage::of(1, 2));
        serde_json::to_value(body).unwrap()
    };
    let one = whole(1);
    assert_eq!((&one["object"], &one["x_assay"]), (&json!("text_completion"), &json!("a")));
    let expected = json!([{"index": 0, "text": "a", "logprobs": null, "finish_reason": "stop"}]);
    assert_eq!(one["choices"], expected);
    let two = whole(2);
    assert_eq!(two.get("x_assay"), None);
    let second = &two["choices"][1];
    assert_eq!((&second["index"], &second["x_assay"]), (&json!(1), &json!("b")));
    assert_eq!(two["usage"]["total_tokens"], 3);
}

#[test]
fn pieces_of_a_choice_can_be_put_together() {
    for form in [Form::Chat, Form::Text] {
        let writer = writer(form, false, 2);
        let mut first = writer.piece(1, "a".to_owned(), None);
        assert_eq!(first.piece_of(), Some(1));
        first.append(writer.piece(1, "b".to_owned(), None));
        assert_eq!(shown(vec![first]), shown(vec![writer.piece(1, "ab".to_owned(), None)]));
        assert_eq!(writer.finish(1, "stop", &json!({})).piece_of(), None);
        assert!(writer.begin().iter().all(|chunk| chunk.piece_of().is_none()));
    }
}

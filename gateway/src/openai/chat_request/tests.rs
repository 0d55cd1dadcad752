//! What a request becomes, and which 400 names what.

use serde_json::json;

use super::*;
use crate::serving::{ReleaseRule, Risk};

fn read(mut body: Value) -> Result<ChatAsk, InvalidRequest> {
    let fields = body.as_object_mut().unwrap();
    fields.entry("model").or_insert(json!("m"));
    fields.entry("messages").or_insert(json!([{"role": "user", "content": "hi"}]));
    serde_json::from_value::<ChatRequest>(body).unwrap().check()
}

/// The field that is named when `body` is refused.
fn refused(body: Value) -> String {
    read(body.clone()).expect_err(&body.to_string()).param.expect("a param")
}

#[test]
fn the_smallest_request_gets_openai_defaults() {
    let ask = read(json!({})).unwrap();
    assert_eq!(ask.sampling, Sampling { temperature: 1.0, ..Sampling::default() });
    assert_eq!((ask.max_tokens, ask.seed), (None, None));
    assert_eq!(ask.assurance, AssuranceAsk::default());
    assert_eq!(ask.streaming, Streaming::No);
}

#[test]
fn every_optional_field_may_be_null_and_unknown_ones_may_be_anything() {
    let names = "max_completion_tokens max_tokens temperature top_p top_k min_p presence_penalty \
        frequency_penalty logit_bias seed stop stream stream_options n logprobs top_logprobs tools \
        tool_choice parallel_tool_calls functions function_call response_format reasoning_effort \
        verbosity modalities audio prediction web_search_options moderation metadata store \
        service_tier user safety_identifier prompt_cache_key prompt_cache_options verification";
    let nulls: serde_json::Map<_, _> =
        names.split_whitespace().map(|name| (name.to_owned(), Value::Null)).collect();
    assert_eq!(read(Value::Object(nulls)).unwrap(), read(json!({})).unwrap());
    let known = json!({"parallel_tool_calls": true, "reasoning_effort": "low", "store": false,
        "metadata": {"a": "b"}, "user": "u", "service_tier": "auto", "verbosity": "low",
        "prediction": {"type": "content", "content": "x"}, "n": 1, "logprobs": false, "tools": [],
        "tool_choice": "auto", "response_format": {"type": "text"}, "modalities": ["text"],
        "chat_template_kwargs": {"x": 1}, "top_logprobs": 0, "safety_identifier": "s",
        "prompt_cache_key": "k", "prompt_cache_options": {"mode": "implicit"}});
    assert_eq!(read(known).unwrap(), read(json!({})).unwrap());
}

#[test]
fn both_caps_are_one_and_the_newer_wins() {
    assert_eq!(read(json!({"max_tokens": 5})).unwrap().max_tokens, Some(5));
    assert_eq!(read(json!({"max_completion_tokens": 6})).unwrap().max_tokens, Some(6));
    let both = json!({"max_tokens": 5, "max_completion_tokens": 6});
    assert_eq!(read(both).unwrap().max_tokens, Some(6));
    assert_eq!(read(json!({"max_tokens": 1_u64 << 40})).unwrap().max_tokens, Some(u32::MAX));
    assert_eq!(refused(json!({"max_tokens": 0})), "max_tokens");
    assert_eq!(refused(json!({"max_completion_tokens": -1})), "max_completion_tokens");
}

#[test]
fn content_is_a_string_or_text_parts_and_developer_is_system() {
    let ask = read(json!({"messages": [
        {"role": "developer", "content": "be kind"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "yes", "tool_calls": null, "refusal": null},
        {"role": "tool", "content": "4", "tool_call_id": "x"},
    ]}))
    .unwrap();
    let seen: Vec<_> =
        ask.messages.iter().map(|message| (&*message.role, &*message.content)).collect();
    let expected = [("system", "be kind"), ("user", "a\nb"), ("assistant", "yes"), ("tool", "4")];
    assert_eq!(seen, expected);
}

#[test]
fn a_wrong_message_is_named_by_its_place() {
    let of =
        |message: Value| refused(json!({"messages": [{"role": "user", "content": ""}, message]}));
    assert_eq!(of(json!({"content": "x"})), "messages[1].role");
    assert_eq!(of(json!({"role": "robot", "content": "x"})), "messages[1].role");
    assert_eq!(of(json!({"role": "user"})), "messages[1].content");
    assert_eq!(of(json!({"role": "user", "content": 5})), "messages[1].content");
    let image = json!([{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {}}]);
    assert_eq!(of(json!({"role": "user", "content": image})), "messages[1].content[1].type");
    assert_eq!(
        of(json!({"role": "user", "content": [{"type": "text"}]})),
        "messages[1].content[0].text"
    );
    assert_eq!(
        of(json!({"role": "assistant", "content": null, "tool_calls": [{}]})),
        "messages[1].tool_calls[0].function"
    );
    assert_eq!(refused(json!({"messages": []})), "messages");
    assert_eq!(refused(json!({"messages": null})), "messages");
    assert_eq!(refused(json!({"model": null})), "model");
}

#[test]
fn what_is_not_served_is_refused_by_name() {
    for (param, value) in [
        ("functions", json!([{"name": "f"}])),
        ("modalities", json!(["text", "audio"])),
        ("web_search_options", json!({})),
        ("audio", json!({"voice": "alloy", "format": "mp3"})),
        ("moderation", json!({"model": "omni-moderation-latest"})),
    ] {
        let error = read(json!({param: value})).unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param));
        assert!(error.message.ends_with("not served yet."), "{}", error.message);
    }
    for n in [0, -1, 129] {
        assert_eq!(refused(json!({"n": n})), "n");
    }
    assert_eq!(read(json!({"n": 128})).unwrap().choices, 128);
    assert_eq!(refused(json!({"tool_choice": "required"})), "tool_choice");
}

#[test]
fn sampling_fields_pass_through_within_their_bounds() {
    let ask = read(json!({"temperature": 0, "top_p": 0.5, "top_k": -1, "min_p": 0.1, "seed": -3,
        "presence_penalty": -2, "frequency_penalty": 2, "logit_bias": {"10": 1, "9": -100}}))
    .unwrap();
    let sampling = Sampling {
        temperature: 0.0,
        top_p: 0.5,
        top_k: 0,
        min_p: 0.1,
        presence_penalty: -2.0,
        frequency_penalty: 2.0,
        logit_bias: vec![(9, -100.0), (10, 1.0)],
        grammar: None,
        top_logprobs: None,
    };
    assert_eq!((ask.sampling, ask.seed), (sampling, Some(-3)));
    for (param, value) in [
        ("temperature", json!(2.1)),
        ("top_p", json!(-0.1)),
        ("min_p", json!(1.1)),
        ("presence_penalty", json!(3)),
        ("frequency_penalty", json!(-3)),
        ("top_k", json!(1_i64 << 40)),
    ] {
        assert_eq!(refused(json!({param: value})), param);
    }
    assert_eq!(refused(json!({"logit_bias": {"x": 1}})), "logit_bias.x");
    assert_eq!(refused(json!({"logit_bias": {"1": 101}})), "logit_bias.1");
    assert_eq!(refused(json!({"logit_bias": {"1": 1, "01": 1}})), "logit_bias.1");
}

#[test]
fn stop_is_a_string_or_up_to_four() {
    assert_eq!(read(json!({"stop": "a"})).unwrap().stop, ["a"]);
    assert_eq!(read(json!({"stop": ["a", "b"]})).unwrap().stop, ["a", "b"]);
    for wrong in [json!(1), json!(["a", 1]), json!(["a", "b", "c", "d", "e"]), json!("")] {
        assert_eq!(refused(json!({"stop": wrong})), "stop");
    }
}

#[test]
fn log_probabilities_are_asked_for_with_up_to_twenty_alternatives() {
    let of = |body| read(body).unwrap().sampling.top_logprobs;
    assert_eq!(of(json!({"logprobs": false, "top_logprobs": 0})), None);
    assert_eq!(of(json!({"logprobs": true})), Some(0));
    assert_eq!(of(json!({"logprobs": true, "top_logprobs": 20})), Some(20));
    for wrong in [
        json!({"logprobs": true, "top_logprobs": 21}),
        json!({"logprobs": true, "top_logprobs": -1}),
        json!({"top_logprobs": 1}),
        json!({"logprobs": false, "top_logprobs": 1}),
    ] {
        assert_eq!(refused(wrong), "top_logprobs");
    }
}

#[test]
fn streaming_and_risk_are_read() {
    let of = |body| read(body).unwrap().streaming;
    assert_eq!(of(json!({"stream": true})), Streaming::Yes { include_usage: false });
    assert_eq!(
        of(json!({"stream": true, "stream_options": {"include_usage": true}})),
        Streaming::Yes { include_usage: true }
    );
    assert_eq!(refused(json!({"stream_options": {}})), "stream_options");
}

#[test]
fn the_verification_object_is_read_and_bounded() {
    let of = |value: Value| read(json!({"verification": value})).unwrap().assurance;
    assert_eq!(of(json!({"risk": "high"})).risk, Some(Risk::High));
    let all = json!({"risk": "low", "nonce": "mine", "checks": 9, "release": "verdict"});
    let expected = AssuranceAsk {
        risk: Some(Risk::Low),
        nonce: Some("mine".into()),
        checks: Some(9),
        release: Some(ReleaseRule::Verdict),
    };
    assert_eq!(of(all), expected);
    assert_eq!(of(json!({"risk": null, "checks": null})), AssuranceAsk::default());
    assert_eq!(of(Value::Null), AssuranceAsk::default());
    for (param, value) in [
        ("verification.checks", json!({"checks": -1})),
        ("verification.checks", json!({"checks": 4_097})),
        ("verification.nonce", json!({"nonce": "x".repeat(129)})),
    ] {
        assert_eq!(refused(json!({"verification": value})), param);
    }
}

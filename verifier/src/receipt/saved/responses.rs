//! An answer of `POST /v1/responses`: the object, or the events of its stream. What the events brought piece by piece must be what
//! the object at their end says.

use super::{NoResponse, Saved, SavedCall, fail_on_error, read_usage, text};
use crate::receipt::canonical::Json;

/// More items than a response ever has.
const ITEMS_MAX: usize = 1_024;

/// Whether these are a response, and no chunks.
pub(super) fn are_events(pieces: &[Json]) -> bool {
    let Some(first) = pieces.first() else { return false };
    let says = |key: &str| first.get(key).and_then(Json::as_text).unwrap_or_default();
    says("object") == "response" || says("type").starts_with("response.")
}

pub(super) fn read(pieces: &[Json]) -> Result<Saved, NoResponse> {
    if let [response] = pieces
        && response.get("type").is_none()
    {
        return whole(response);
    }
    let first = pieces.first().and_then(|event| event.get("response"));
    let first = first.ok_or(NoResponse::Lacks("first event"))?;
    let mut saved = begun(first)?;
    let mut end = None;
    for event in pieces {
        fail_on_error(event)?;
        match event.get("type").and_then(Json::as_text).unwrap_or_default() {
            "response.output_text.delta" => saved.content.push_str(&text(event, "delta")?),
            "response.output_item.added" => {
                let item = event.get("item").ok_or(NoResponse::Lacks("item"))?;
                saved.tool_calls.extend(call(item)?);
            }
            "response.function_call_arguments.delta" => {
                let last = saved.tool_calls.last_mut().ok_or(NoResponse::Lacks("call"))?;
                last.arguments.push_str(&text(event, "delta")?);
            }
            "response.completed" | "response.incomplete" => end = event.get("response"),
            _ => {}
        }
    }
    let Some(end) = end else { return Ok(saved) };
    let end = whole(end)?;
    let is_one = (&saved.id, &saved.model) == (&end.id, &end.model)
        && (&saved.content, &saved.tool_calls) == (&end.content, &end.tool_calls);
    if is_one { Ok(end) } else { Err(NoResponse::Mixed) }
}

/// A response that says nothing yet.
fn begun(response: &Json) -> Result<Saved, NoResponse> {
    Ok(Saved {
        content: String::new(),
        tool_calls: Vec::new(),
        id: text(response, "id")?,
        model: text(response, "model")?,
        finish_reason: None,
        usage: None,
        output_ids: None,
        logprobs: Vec::new(),
        vectors: Vec::new(),
        choice: 0,
        job: None,
    })
}

fn whole(response: &Json) -> Result<Saved, NoResponse> {
    fail_on_error(response)?;
    let mut saved = begun(response)?;
    let items =
        response.get("output").and_then(Json::as_list).ok_or(NoResponse::Lacks("output"))?;
    if items.len() > ITEMS_MAX {
        return Err(NoResponse::Lacks("readable output"));
    }
    for item in items {
        saved.tool_calls.extend(call(item)?);
        for part in item.get("content").and_then(Json::as_list).unwrap_or_default() {
            saved.content.push_str(&text(part, "text")?);
        }
    }
    if let Some(usage) = response.get("usage") {
        saved.usage = Some(read_usage(usage, ["input_tokens", "output_tokens"])?);
    }
    saved.take_ids(response)?;
    let finish = match response.get("status").and_then(Json::as_text) {
        Some("incomplete") => "length",
        Some("completed") if saved.tool_calls.is_empty() => "stop",
        Some("completed") => "tool_calls",
        _ => return Err(NoResponse::Lacks("status that is an end")),
    };
    saved.finish_reason = Some(finish.to_owned());
    Ok(saved)
}

/// The call that an item is, if it is one.
fn call(item: &Json) -> Result<Option<SavedCall>, NoResponse> {
    if item.get("type").and_then(Json::as_text) != Some("function_call") {
        return Ok(None);
    }
    let arguments = text(item, "arguments")?;
    Ok(Some(SavedCall { id: text(item, "call_id")?, name: text(item, "name")?, arguments }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESPONSE: &str = r#"{"id":"resp_1","object":"response","model":"m","status":"completed","error":null,
        "output":[{"type":"message","content":[{"type":"output_text","text":"hi you"}]},
        {"type":"function_call","call_id":"c","name":"f","arguments":"{}"}],
        "usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5},"x_assay":{"output_ids":"BQY="}}"#;

    fn stream(delta: &str, end: &str) -> Result<Saved, NoResponse> {
        let created = r#"{"type":"response.created","response":{"id":"resp_1","model":"m"}}"#;
        let added = r#"{"type":"response.output_item.added","item":{"type":"function_call","call_id":"c",
            "name":"f","arguments":""}},{"type":"response.function_call_arguments.delta","delta":"{}"}"#;
        let text =
            |text: &str| format!(r#"{{"type":"response.output_text.delta","delta":"{text}"}}"#);
        let (hi, you) = (text("hi "), text(delta));
        Saved::parse(format!("[{created},{hi},{you},{added}{end}]").as_bytes())
    }

    #[test]
    fn events_say_what_the_object_says() {
        let plain = Saved::parse(RESPONSE.as_bytes()).unwrap();
        assert_eq!(plain.content, "hi you");
        assert_eq!(plain.finish_reason.as_deref(), Some("tool_calls"));
        assert_eq!((plain.usage, plain.output_ids.clone()), (Some((3, 2)), Some(vec![5, 6])));
        let end = format!(r#",{{"type":"response.completed","response":{RESPONSE}}}"#);
        assert_eq!(stream("you", &end), Ok(plain.clone()));
        assert_eq!(stream("yon", &end), Err(NoResponse::Mixed), "the pieces said something else");
        let cut = stream("you", "").unwrap();
        assert_eq!((cut.content, cut.finish_reason), (plain.content, None));
    }

    #[test]
    fn what_is_no_answer_is_named() {
        let error = r#",{"type":"error","error":{"message":"no"}}"#;
        assert_eq!(stream("you", error), Err(NoResponse::IsError("no".into())));
        let running = RESPONSE.replace("completed", "in_progress");
        assert!(Saved::parse(running.as_bytes()).unwrap_err().to_string().contains("status"));
        let cut = RESPONSE.replace("completed", "incomplete");
        let cut = Saved::parse(cut.as_bytes()).unwrap();
        assert_eq!(cut.finish_reason.as_deref(), Some("length"));
    }
}

//! A response piece by piece: the typed events of a stream, each item opened, filled and closed in order; at the end stands
//! the whole object.

use serde::Serialize;
use serde_json::{Value, json};

use super::object::{
    Asked, Incomplete, OutputItem, OutputText, ResponseObject, ResponseUsage,
};

/// One event: its name, which the data repeats, and the data.
#[derive(Clone, Debug, PartialEq)]
pub struct ResponseEvent {
    pub name: &'static str,
    pub data: Value,
}

/// Writes one response.
#[derive(Clone, Debug)]
pub struct ResponseWriter {
    /// As it stands.
    response: ResponseObject,
    /// What makes the ids of items its own.
    job: String,
    is_open: bool,
    sequence: u64,
}

impl ResponseWriter {
    pub fn new(job: String, created_at: i64, model: String, asked: Asked) -> Self {
        let response = ResponseObject {
            id: format!("resp_{job}"),
            object: "response",
            created_at,
            status: "in_progress",
            error: None,
            incomplete_details: None,
            model,
            output: Vec::new(),
            usage: None,
            asked,
            x_assay: None,
        };
        Self { response, job, is_open: false, sequence: 0 }
    }

    /// What comes before any text.
    pub fn begin(&mut self) -> Vec<ResponseEvent> {
        let response = json!({"response": self.response});
        vec![
            self.event("response.created", response.clone()),
            self.event("response.in_progress", response),
        ]
    }

    /// A piece of what it says.
    pub fn text(&mut self, piece: &str) -> Vec<ResponseEvent> {
        let mut events = Vec::new();
        if !matches!(self.response.output.last(), Some(OutputItem::Message { .. })) || !self.is_open {
            events.extend(self.close("completed"));
            let id = format!("msg_{}_{}", self.job, self.response.output.len());
            events.push(self.open(OutputItem::Message {
                id: id.clone(),
                status: "in_progress",
                role: "assistant",
                content: Vec::new(),
            }));
            let part = OutputText::of(String::new());
            let place = self.place(&id);
            events.push(self.event("response.content_part.added", with(place, json!({"part": part}))));
            if let Some(OutputItem::Message { content, .. }) = self.response.output.last_mut() {
                content.push(part);
            }
        }
        if let Some(OutputItem::Message { id, content, .. }) = self.response.output.last_mut()
            && let Some(part) = content.first_mut()
        {
            part.text.push_str(piece);
            let place = { let id = id.clone(); self.place(&id) };
            let delta = with(place, json!({"delta": piece, "logprobs": []}));
            events.push(self.event("response.output_text.delta", delta));
        }
        events
    }

    /// A call begins.
    pub fn call(&mut self, call_id: String, name: String) -> Vec<ResponseEvent> {
        let mut events = self.close("completed");
        let id = format!("fc_{}_{}", self.job, self.response.output.len());
        events.push(self.open(OutputItem::FunctionCall {
            id,
            status: "in_progress",
            call_id,
            name,
            arguments: String::new(),
        }));
        events
    }

    /// It goes on.
    pub fn arguments(&mut self, piece: &str) -> Vec<ResponseEvent> {
        let Some(OutputItem::FunctionCall { id, arguments, .. }) = self.response.output.last_mut()
        else {
            return Vec::new();
        };
        arguments.push_str(piece);
        let delta = json!({"item_id": id, "delta": piece});
        let delta = with(self.at(), delta);
        vec![self.event("response.function_call_arguments.delta", delta)]
    }

    /// The end: cut where it was as long as it may be.
    pub fn end(&mut self, is_cut: bool, usage: ResponseUsage, verdict: Value) -> Vec<ResponseEvent> {
        let (status, name) = match is_cut {
            true => ("incomplete", "response.incomplete"),
            false => ("completed", "response.completed"),
        };
        let mut events = Vec::new();
        // An empty answer is a message, too.
        if self.response.output.is_empty() {
            events.extend(self.text(""));
        }
        events.extend(self.close(status));
        self.response.status = status;
        self.response.incomplete_details = is_cut.then_some(Incomplete { reason: "max_output_tokens" });
        self.response.usage = Some(usage);
        self.response.x_assay = Some(verdict);
        let response = json!({"response": self.response});
        events.push(self.event(name, response));
        events
    }

    /// The response as it stands.
    pub fn into_object(self) -> ResponseObject {
        self.response
    }

    fn open(&mut self, item: OutputItem) -> ResponseEvent {
        self.response.output.push(item.clone());
        self.is_open = true;
        let item = with(self.at(), json!({"item": item}));
        self.event("response.output_item.added", item)
    }

    /// Ends the last item, if it is open.
    fn close(&mut self, with_status: &'static str) -> Vec<ResponseEvent> {
        if !self.is_open {
            return Vec::new();
        }
        self.is_open = false;
        let at = self.at();
        let Some(item) = self.response.output.last_mut() else { return Vec::new() };
        let mut ends = Vec::new();
        match item {
            OutputItem::Message { id, status, content, .. } => {
                *status = with_status;
                for part in content.iter() {
                    let place = with(at.clone(), json!({"item_id": id, "content_index": 0}));
                    let text = json!({"text": part.text, "logprobs": []});
                    ends.push(("response.output_text.done", with(place.clone(), text)));
                    ends.push(("response.content_part.done", with(place, json!({"part": part}))));
                }
            }
            OutputItem::FunctionCall { id, status, name, arguments, .. } => {
                *status = with_status;
                let whole = json!({"item_id": id, "name": name, "arguments": arguments});
                ends.push(("response.function_call_arguments.done", with(at.clone(), whole)));
            }
        }
        ends.push(("response.output_item.done", with(at, json!({"item": item}))));
        ends.into_iter().map(|(name, data)| self.event(name, data)).collect()
    }

    fn at(&self) -> Value {
        json!({"output_index": self.response.output.len().saturating_sub(1)})
    }

    fn place(&self, item_id: &str) -> Value {
        with(self.at(), json!({"item_id": item_id, "content_index": 0}))
    }

    fn event(&mut self, name: &'static str, data: Value) -> ResponseEvent {
        let head = json!({"type": name, "sequence_number": self.sequence});
        self.sequence += 1;
        ResponseEvent { name, data: with(head, data) }
    }
}

/// Both objects' fields.
fn with(mut fields: Value, more: Value) -> Value {
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, more) {
        fields.extend(more);
    }
    fields
}

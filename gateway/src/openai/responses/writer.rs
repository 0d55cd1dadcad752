//! A response piece by piece: the typed events of a stream, each item opened, filled and closed in order; at the end stands
//! the whole object.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Asked, OutputItem, ResponseObject, ResponseUsage,
    object::{Incomplete, OutputText},
};

/// One event: its name, which the data repeats, and the data.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct ResponseEvent {
    #[serde(skip)]
    pub name: &'static str,
    pub data: Value,
}

/// Writes one response.
#[derive(Clone, Debug)]
pub struct ResponseWriter {
    /// As it stands.
    response: ResponseObject,
    /// What makes the ids of its items its own.
    number: String,
    /// Whether its last item goes on.
    is_open: bool,
    /// Events so far.
    events: u64,
}

impl ResponseWriter {
    /// Of a response that is named `resp_` and a number.
    pub fn new(id: String, created_at: i64, model: String, asked: Asked) -> Self {
        let number = id.trim_start_matches("resp_").to_owned();
        let response = ResponseObject {
            id,
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
        Self { response, number, is_open: false, events: 0 }
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
        let is_message = matches!(self.response.output.last(), Some(OutputItem::Message { .. }));
        let mut events = Vec::new();
        if !(self.is_open && is_message) {
            events = self.close("completed");
            events.extend(self.begin_message());
        }
        if let Some(OutputItem::Message { content, .. }) = self.response.output.last_mut() {
            content.iter_mut().for_each(|part| part.text.push_str(piece));
        }
        if !piece.is_empty() {
            let delta = with(self.part(), json!({"delta": piece, "logprobs": []}));
            events.push(self.event("response.output_text.delta", delta));
        }
        events
    }

    /// A call begins.
    pub fn call(&mut self, call_id: String, name: String) -> Vec<ResponseEvent> {
        let mut events = self.close("completed");
        let id = self.item_id("fc");
        let (status, arguments) = ("in_progress", String::new());
        events.push(self.open(OutputItem::FunctionCall { id, status, call_id, name, arguments }));
        events
    }

    /// It goes on.
    pub fn arguments(&mut self, piece: &str) -> Vec<ResponseEvent> {
        if let Some(OutputItem::FunctionCall { arguments, .. }) = self.response.output.last_mut() {
            arguments.push_str(piece);
        }
        let delta = with(self.item(), json!({"delta": piece}));
        vec![self.event("response.function_call_arguments.delta", delta)]
    }

    /// Nothing more is said: with the word that ends a chat's choice.
    pub fn finish(&mut self, finish_reason: &str) -> Vec<ResponseEvent> {
        let is_cut = finish_reason == "length";
        let status = if is_cut { "incomplete" } else { "completed" };
        // An empty answer is a message, too.
        let mut events =
            if self.response.output.is_empty() { self.begin_message() } else { Vec::new() };
        events.extend(self.close(status));
        self.response.status = status;
        self.response.incomplete_details =
            is_cut.then_some(Incomplete { reason: "max_output_tokens" });
        events
    }

    /// The last event, with all of it.
    pub fn last(&mut self, usage: ResponseUsage, verdict: Option<Value>) -> ResponseEvent {
        self.response.usage = Some(usage);
        self.response.x_assay = verdict;
        let name = match self.response.incomplete_details {
            Some(_) => "response.incomplete",
            None => "response.completed",
        };
        let response = json!({"response": self.response});
        self.event(name, response)
    }

    /// The response as it stands.
    pub fn into_object(self) -> ResponseObject {
        self.response
    }

    /// The next event's.
    pub fn next_number(&self) -> u64 {
        self.events
    }

    fn begin_message(&mut self) -> Vec<ResponseEvent> {
        let (id, status) = (self.item_id("msg"), "in_progress");
        let content = Vec::new();
        let opened = self.open(OutputItem::Message { id, status, role: "assistant", content });
        let part = OutputText::of(String::new());
        let added = with(self.part(), json!({"part": part}));
        if let Some(OutputItem::Message { content, .. }) = self.response.output.last_mut() {
            content.push(part);
        }
        vec![opened, self.event("response.content_part.added", added)]
    }

    fn open(&mut self, item: OutputItem) -> ResponseEvent {
        let opened = json!({"output_index": self.response.output.len(), "item": item});
        self.response.output.push(item);
        self.is_open = true;
        self.event("response.output_item.added", opened)
    }

    /// Ends the last item, if it goes on.
    fn close(&mut self, as_it_is: &'static str) -> Vec<ResponseEvent> {
        if !std::mem::take(&mut self.is_open) {
            return Vec::new();
        }
        let (item, part) = (self.item(), self.part());
        let index = self.response.output.len().saturating_sub(1);
        let Some(last) = self.response.output.last_mut() else { return Vec::new() };
        let mut ends = Vec::new();
        match last {
            OutputItem::Message { status, content, .. } => {
                *status = as_it_is;
                for said in content.iter() {
                    let text = json!({"text": said.text, "logprobs": []});
                    ends.push(("response.output_text.done", with(part.clone(), text)));
                    let said = json!({"part": said});
                    ends.push(("response.content_part.done", with(part.clone(), said)));
                }
            }
            OutputItem::FunctionCall { status, name, arguments, .. } => {
                *status = as_it_is;
                let whole = json!({"name": name, "arguments": arguments});
                ends.push(("response.function_call_arguments.done", with(item, whole)));
            }
        }
        let done = json!({"output_index": index, "item": last});
        ends.push(("response.output_item.done", done));
        ends.into_iter().map(|(name, data)| self.event(name, data)).collect()
    }

    fn item_id(&self, kind: &str) -> String {
        format!("{kind}_{}_{}", self.number, self.response.output.len())
    }

    /// Where the last item is.
    fn item(&self) -> Value {
        let id = self.response.output.last().map(OutputItem::id);
        json!({"item_id": id, "output_index": self.response.output.len().saturating_sub(1)})
    }

    /// Where the one part of the last item is.
    fn part(&self) -> Value {
        with(self.item(), json!({"content_index": 0}))
    }

    fn event(&mut self, name: &'static str, data: Value) -> ResponseEvent {
        let head = json!({"type": name, "sequence_number": self.events});
        self.events += 1;
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

#[cfg(test)]
mod tests;

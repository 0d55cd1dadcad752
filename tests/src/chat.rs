//! A client of chats, completions and responses, plain and streaming, that shows everything it gets.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
};

use assay_protocol::Sampling;
use futures_util::StreamExt;
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderName},
};
use serde_json::{Value, json};

use crate::wait::within;

const MODEL: &str = "assay-pip";
const SEED: i64 = 7;
/// The gateway's default for requests that name no limit.
const MAX_TOKENS: u32 = 512;

/// A request in the making.
#[derive(Clone, Debug)]
pub struct Ask {
    pub body: Value,
    pub risk: Option<&'static str>,
    /// `Idempotency-Key`.
    pub key: Option<&'static str>,
    /// Under `/v1/`.
    pub path: &'static str,
}

/// An app with a key.
#[derive(Clone, Debug)]
pub struct ChatClient {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// A plain answer.
#[derive(Clone, Debug)]
pub struct Completion {
    /// Of the first choice.
    pub job: String,
    /// Of all choices.
    pub jobs: Vec<String>,
    /// Whether it was given before, under the same key.
    pub replayed: bool,
    pub text: String,
    pub finish: String,
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
    pub json: Value,
}

/// An error answer.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The `error` object.
    pub error: Value,
}

/// A stream that is being read. Dropping it hangs up.
pub struct Stream {
    /// Of the first choice.
    pub job: String,
    pub jobs: Vec<String>,
    pub replayed: bool,
    bytes: futures_util::stream::BoxStream<'static, reqwest::Result<Vec<u8>>>,
    buffer: Vec<u8>,
    events: VecDeque<Value>,
    seen: Streamed,
}

/// What a stream brought so far.
#[derive(Clone, Debug, Default)]
pub struct Streamed {
    /// Of the first choice.
    pub text: String,
    /// Of each choice.
    pub texts: BTreeMap<u64, String>,
    pub finishes: BTreeMap<u64, String>,
    pub finish: Option<String>,
    pub usage: Option<Value>,
    pub verdict: Option<Value>,
    pub error: Option<Value>,
    /// Whether `[DONE]` came.
    pub done: bool,
    /// Lines that say nothing and keep the connection alive.
    pub comments: u32,
    pub chunks: Vec<Value>,
}

impl Ask {
    /// One turn of a user at temperature 0, with a seed so that stories know every token beforehand.
    pub fn say(text: &str) -> Self {
        let messages = json!([{"role": "user", "content": text}]);
        let body = json!({"model": MODEL, "messages": messages, "temperature": 0, "seed": SEED});
        Self { body, risk: None, key: None, path: "chat/completions" }
    }

    /// A completion of a raw prompt, likewise.
    pub fn go_on(prompt: impl Into<Value>) -> Self {
        let prompt = prompt.into();
        let body = json!({"model": MODEL, "prompt": prompt, "temperature": 0, "seed": SEED});
        Self { body, risk: None, key: None, path: "completions" }
    }

    /// A response, likewise.
    pub fn respond(input: impl Into<Value>) -> Self {
        let body = json!({"model": MODEL, "input": input.into(), "temperature": 0});
        Self { body, risk: None, key: None, path: "responses" }
    }

    /// As [`ChatClient::stream`] sends it: with its usage at the end.
    pub fn streamed(self) -> Self {
        self.with("stream", true).with("stream_options", json!({"include_usage": true}))
    }

    /// Under this idempotency key.
    pub fn keyed(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Sets any field.
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.body[field] = value.into();
        self
    }

    pub fn max_tokens(self, tokens: u32) -> Self {
        self.with("max_tokens", tokens)
    }

    /// `low`, `standard` or `high`.
    pub fn risk(self, risk: &'static str) -> Self {
        Self { risk: Some(risk), ..self }
    }

    /// An answer that goes on until `max_tokens`: the end token is biased away.
    pub fn endless(self, end_token: u32) -> Self {
        self.with("logit_bias", json!({end_token.to_string(): -100}))
    }

    /// What the user says.
    pub(crate) fn text(&self) -> String {
        self.body["messages"][0]["content"].as_str().expect("a text").to_owned()
    }

    pub(crate) fn max_tokens_asked(&self) -> u32 {
        self.body["max_tokens"].as_u64().map_or(MAX_TOKENS, |max| max.try_into().expect("a count"))
    }

    /// The same wishes in the nodes' words.
    pub(crate) fn sampling(&self) -> Sampling {
        let bias = self.body["logit_bias"].as_object().into_iter().flatten();
        let bias =
            bias.map(|(id, bias)| (id.parse().expect("an id"), bias.as_f64().expect("a bias")));
        Sampling {
            temperature: self.body["temperature"].as_f64().expect("a temperature"),
            logit_bias: bias.collect(),
            ..Sampling::default()
        }
    }
}

impl ChatClient {
    /// `url`: the gateway's, without `/v1`.
    pub fn new(url: &str, key: &str) -> Self {
        Self { http: reqwest::Client::new(), url: url.to_owned(), key: key.to_owned() }
    }

    /// The same client, of which a proxy says that it comes from this address.
    pub fn coming_from(&self, address: IpAddr) -> Self {
        let value = address.to_string().parse().expect("an address fits a header");
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-forwarded-for"), value)]);
        let http = reqwest::Client::builder().default_headers(headers).build();
        Self { http: http.expect("a client"), ..self.clone() }
    }

    pub fn key(&self) -> &str {
        &self.key
    }

    /// Asks and waits for the whole answer.
    pub async fn plain(&self, ask: &Ask) -> Result<Completion, Refusal> {
        let answer = within("an answer", self.send(ask)).await;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let json: Value = within("a body", answer.json()).await.expect("every answer is JSON");
        if !status.is_success() {
            return Err(Refusal { status, headers, error: json["error"].clone() });
        }
        let count = |key: &str, of_responses: &str| {
            let count = json["usage"][key].as_u64().or(json["usage"][of_responses].as_u64());
            // None of an answer's own where it is vectors.
            u32::try_from(count.unwrap_or_default()).expect("a small one")
        };
        let choice = &json["choices"][0];
        let (text, finish) = match json["output"].as_array() {
            Some(items) => (output_text(items), &json["status"]),
            None => {
                let text = said(&choice["message"], choice).unwrap_or_default().to_owned();
                (text, &choice["finish_reason"])
            }
        };
        Ok(Completion {
            job: jobs(&headers).remove(0),
            jobs: jobs(&headers),
            replayed: headers.contains_key("x-assay-replayed"),
            text,
            // Vectors have no choices: nothing is written for them.
            finish: finish.as_str().unwrap_or_default().to_owned(),
            prompt_tokens: count("prompt_tokens", "input_tokens"),
            completion_tokens: count("completion_tokens", "output_tokens"),
            json,
        })
    }

    /// Asks for a stream and gives it as soon as it opens, with its usage at the end.
    pub async fn stream(&self, ask: &Ask) -> Result<Stream, Refusal> {
        let answer = within("a stream", self.send(&ask.clone().streamed())).await;
        let (status, headers) = (answer.status(), answer.headers().clone());
        if !status.is_success() {
            let json: Value = within("a body", answer.json()).await.expect("every answer is JSON");
            return Err(Refusal { status, headers, error: json["error"].clone() });
        }
        assert_eq!(headers["content-type"], "text/event-stream");
        let bytes = answer.bytes_stream().map(|piece| piece.map(|bytes| bytes.to_vec()));
        Ok(Stream {
            job: jobs(&headers).remove(0),
            jobs: jobs(&headers),
            replayed: headers.contains_key("x-assay-replayed"),
            bytes: bytes.boxed(),
            buffer: Vec::new(),
            events: VecDeque::new(),
            seen: Streamed::default(),
        })
    }

    /// The receipt of a job, as the gateway hands it out; its status when there is none.
    pub async fn receipt(&self, job: &str) -> Result<Vec<u8>, StatusCode> {
        self.file(&format!("{}/v1/receipts/{job}", self.url)).await
    }

    /// What the audit of a job rests on; the answer's status when there is none.
    pub async fn evidence(&self, job: &str) -> Result<Vec<u8>, StatusCode> {
        self.file(&format!("{}/v1/receipts/{job}/evidence", self.url)).await
    }

    async fn file(&self, url: &str) -> Result<Vec<u8>, StatusCode> {
        let answer = self.http.get(url).bearer_auth(&self.key).send();
        let answer = within("a file", answer).await.expect("the gateway answers");
        match answer.status() {
            StatusCode::OK => Ok(answer.bytes().await.expect("a file").to_vec()),
            status => Err(status),
        }
    }

    /// A page of the gateway's log that anybody may read.
    pub async fn log_page(&self, path: &str) -> Vec<u8> {
        let answer = self.http.get(format!("{}/log/{path}", self.url)).send();
        let answer = within("a page of the log", answer).await.expect("the gateway answers");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.bytes().await.expect("a page").to_vec()
    }

    async fn send(&self, ask: &Ask) -> reqwest::Response {
        let url = format!("{}/v1/{}", self.url, ask.path);
        let mut request = self.http.post(url).bearer_auth(&self.key).json(&ask.body);
        if let Some(risk) = ask.risk {
            request = request.header("x-assay-risk", risk);
        }
        if let Some(key) = ask.key {
            request = request.header("idempotency-key", key);
        }
        request.send().await.expect("the gateway answers")
    }
}

impl Stream {
    /// What came so far.
    pub fn seen(&self) -> &Streamed {
        &self.seen
    }

    /// Reads until the text so far satisfies a condition.
    ///
    /// # Panics
    /// When the stream ends before it does.
    pub async fn read_until(&mut self, mut enough: impl FnMut(&str) -> bool) {
        while !enough(&self.seen.text) {
            assert!(
                within("more of a stream", self.read()).await,
                "it ended early: {:?}",
                self.seen
            );
        }
    }

    /// Waits for the next event, however long that takes; false at the end.
    pub async fn read_on(&mut self) -> bool {
        self.read().await
    }

    /// Reads until a comment came.
    pub async fn comment(&mut self) {
        while self.seen.comments == 0 {
            let piece = within("a comment", self.bytes.next()).await;
            self.buffer.extend(piece.expect("it goes on").expect("it does not break"));
            self.split();
        }
    }

    /// Reads to the end.
    pub async fn rest(mut self) -> Streamed {
        while within("more of a stream", self.read()).await {}
        self.seen
    }

    /// Takes in one event; false at the end.
    async fn read(&mut self) -> bool {
        loop {
            if let Some(event) = self.events.pop_front() {
                self.take(event);
                return true;
            }
            match self.bytes.next().await {
                Some(Ok(piece)) => self.buffer.extend(piece),
                // A connection that breaks ends a stream too; whoever reads sees that nothing was done.
                Some(Err(_)) | None => return false,
            }
            self.split();
        }
    }

    /// Cuts whole events off the buffer.
    fn split(&mut self) {
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let event = String::from_utf8(event).expect("a stream is UTF-8");
            let comments = event.lines().filter(|line| line.starts_with(':')).count();
            self.seen.comments += u32::try_from(comments).expect("a few");
            for data in event.lines().filter_map(|line| line.strip_prefix("data: ")) {
                match data {
                    "[DONE]" => self.seen.done = true,
                    json => {
                        assert!(!self.seen.done, "nothing comes after [DONE]: {json}");
                        self.events
                            .push_back(serde_json::from_str(json).expect("an event is JSON"));
                    }
                }
            }
        }
    }

    fn take(&mut self, event: Value) {
        let seen = &mut self.seen;
        for choice in event["choices"].as_array().into_iter().flatten() {
            let index = choice["index"].as_u64().expect("each choice has its index");
            let text = said(&choice["delta"], choice).unwrap_or_default();
            assert!(!seen.finishes.contains_key(&index), "nothing comes after a reason to end");
            seen.texts.entry(index).or_default().push_str(text);
            if let Some(finish) = choice["finish_reason"].as_str() {
                seen.finishes.insert(index, finish.to_owned());
            }
        }
        if event["type"] == "response.output_text.delta" {
            let delta = event["delta"].as_str().expect("a piece of text");
            seen.texts.entry(0).or_default().push_str(delta);
        }
        seen.text = seen.texts.get(&0).cloned().unwrap_or_default();
        seen.finish = seen.finishes.get(&0).cloned();
        let present = |key: &str| event.get(key).filter(|value| !value.is_null()).cloned();
        seen.usage = present("usage").or(seen.usage.take());
        seen.verdict = present("x_assay").or(seen.verdict.take());
        seen.error = present("error").or(seen.error.take());
        seen.chunks.push(event);
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("job", &self.job).field("seen", &self.seen).finish()
    }
}

impl Streamed {
    /// Tokens of the answer, by its usage.
    pub fn completion_tokens(&self) -> u32 {
        let usage = self.usage.as_ref().expect("the usage came");
        u32::try_from(usage["completion_tokens"].as_u64().expect("a number")).expect("a small one")
    }
}

/// What a response's messages say.
fn output_text(items: &[Value]) -> String {
    let parts = items.iter().filter_map(|item| item["content"].as_array()).flatten();
    parts.map(|part| part["text"].as_str().expect("a text")).collect()
}

/// What a choice says, in the dialect of chats or of completions.
fn said<'a>(message: &'a Value, choice: &'a Value) -> Option<&'a str> {
    message["content"].as_str().or_else(|| choice["text"].as_str())
}

fn jobs(headers: &HeaderMap) -> Vec<String> {
    let names = headers["x-assay-job"].to_str().expect("a job's id is plain");
    names.split(", ").map(str::to_owned).collect()
}

//! JSON over plain HTTP, on loopback.

use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use ureq::{Agent, Body, http::Response};

/// Longer than any answer of the demo takes.
const ANSWER_MAX: Duration = Duration::from_secs(120);

/// A client with its own kept-alive connections.
#[derive(Clone, Debug)]
pub(crate) struct Http(Agent);

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Http {
    pub(crate) fn new() -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(ANSWER_MAX))
            // Whatever proxy is set up here has no business on loopback.
            .proxy(None)
            .build();
        Self(config.into())
    }

    /// # Errors
    /// Nothing came back; a status of any kind is an answer.
    pub(crate) fn get(&self, url: &str, bearer: &str) -> anyhow::Result<Answer> {
        let request = self.0.get(url).header("authorization", format!("Bearer {bearer}"));
        Answer::read(request.call().with_context(|| format!("GET {url}"))?)
    }

    /// # Errors
    /// As [`Http::get`].
    pub(crate) fn post(&self, url: &str, bearer: &str, body: &Value) -> anyhow::Result<Answer> {
        let request = self.0.post(url).header("authorization", format!("Bearer {bearer}"));
        Answer::read(request.send_json(body).with_context(|| format!("POST {url}"))?)
    }

    /// # Errors
    /// As [`Http::get`].
    pub(crate) fn put(&self, url: &str, bearer: &str, body: &Value) -> anyhow::Result<Answer> {
        let request = self.0.put(url).header("authorization", format!("Bearer {bearer}"));
        Answer::read(request.send_json(body).with_context(|| format!("PUT {url}"))?)
    }

    /// # Errors
    /// As [`Http::get`].
    pub(crate) fn patch(&self, url: &str, bearer: &str, body: &Value) -> anyhow::Result<Answer> {
        let request = self.0.patch(url).header("authorization", format!("Bearer {bearer}"));
        Answer::read(request.send_json(body).with_context(|| format!("PATCH {url}"))?)
    }
}

impl Answer {
    fn read(mut response: Response<Body>) -> anyhow::Result<Self> {
        let text = response.body_mut().read_to_string().context("the answer breaks off")?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Self { status: response.status().as_u16(), body })
    }

    /// Whether it is a 2xx.
    pub(crate) fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body of a 2xx.
    ///
    /// # Errors
    /// Any other status, with what the gateway said.
    pub(crate) fn ok(self) -> anyhow::Result<Value> {
        if self.is_ok() {
            return Ok(self.body);
        }
        bail!("the gateway answered {}: {}", self.status, self.said())
    }

    /// The message of an error.
    pub(crate) fn said(&self) -> String {
        match self.body["error"]["message"].as_str() {
            Some(message) => message.to_owned(),
            None => self.body.to_string(),
        }
    }
}

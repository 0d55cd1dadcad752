//! What a client does with money: asks for payment pages, looks at them, wants credit back.

pub mod history;

use reqwest::{Client, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

/// A client's money calls.
#[derive(Clone, Debug)]
pub struct Credits {
    http: Client,
    url: String,
    key: String,
}

/// A payment as its client sees it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct TopUpView {
    pub id: String,
    pub amount_cents: i64,
    pub state: String,
    pub url: Option<String>,
    pub refundable_cents: i64,
}

/// A refund as its client sees it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct RefundView {
    pub id: String,
    pub amount_cents: i64,
    pub state: String,
    pub reason: String,
}

/// A status and a body.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

impl Credits {
    pub fn new(gateway_url: &str, key: &str) -> Self {
        Self { http: Client::new(), url: gateway_url.to_owned(), key: key.to_owned() }
    }

    /// Asks for a page.
    ///
    /// # Panics
    /// When none is given.
    pub async fn checkout(&self, cents: i64, key: &str) -> TopUpView {
        self.try_checkout(cents, key).await.expect(StatusCode::CREATED)
    }

    pub async fn try_checkout(&self, cents: i64, key: &str) -> Answer {
        self.ask(Method::POST, "checkout", Some(key), json!({"amount_cents": cents})).await
    }

    pub async fn top_up(&self, id: &str) -> TopUpView {
        let path = format!("top-ups/{id}");
        self.ask(Method::GET, &path, None, Value::Null).await.expect(StatusCode::OK)
    }

    pub async fn refund(&self, top_up: &str, cents: i64, key: &str) -> Answer {
        let body = json!({"top_up_id": top_up, "amount_cents": cents});
        self.ask(Method::POST, "refunds", Some(key), body).await
    }

    /// All refunds, the last first.
    pub async fn refunds(&self) -> Vec<RefundView> {
        let list: Value =
            self.ask(Method::GET, "refunds", None, Value::Null).await.expect(StatusCode::OK);
        serde_json::from_value(list["data"].clone()).expect("a list of refunds")
    }

    /// `/v1/credits/…`; an answer of any status.
    pub async fn ask(&self, method: Method, path: &str, key: Option<&str>, body: Value) -> Answer {
        let url = format!("{}/v1/credits/{path}", self.url);
        let mut request = self.http.request(method, url).bearer_auth(&self.key);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        match request.send().await {
            Ok(answer) => {
                let status = answer.status();
                Answer { status, body: answer.json().await.unwrap_or_default() }
            }
            // The gateway is gone: what a client sees is no answer.
            Err(error) => Answer {
                status: StatusCode::SERVICE_UNAVAILABLE,
                body: Value::from(error.to_string()),
            },
        }
    }
}

impl Answer {
    /// The body of an answer with this status.
    ///
    /// # Panics
    /// On any other status.
    pub fn expect<T: for<'de> Deserialize<'de>>(self, status: StatusCode) -> T {
        assert_eq!(self.status, status, "{:#}", self.body);
        let text = self.body.to_string();
        serde_json::from_value(self.body).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

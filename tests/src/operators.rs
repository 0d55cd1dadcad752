//! What an operator does: signs up, logs in, looks at nodes, jobs and earnings, takes money out.

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::{Admin, Operator, credits::Answer};

/// An operator who is logged in.
#[derive(Clone, Debug)]
pub struct OperatorClient {
    http: Client,
    url: String,
    pub token: String,
    pub refresh: String,
}

impl OperatorClient {
    /// Logs in as an operator that an admin made, with a new secret from the admin.
    pub async fn of(admin: &Admin, url: &str, operator: Operator) -> Self {
        let secret = admin.operator_secret(operator).await;
        Self::log_in(url, &secret).await.expect(StatusCode::OK)
    }

    /// Logs in; what came back if that is refused.
    pub async fn log_in(url: &str, secret: &str) -> LogIn {
        let nobody = Self::nobody(url);
        let answer = nobody.ask(Method::POST, "login", json!({"secret": secret})).await;
        LogIn { answer, nobody }
    }

    /// Somebody who is not logged in.
    pub fn nobody(url: &str) -> Self {
        let (token, refresh) = (String::new(), String::new());
        Self { http: Client::new(), url: url.to_owned(), token, refresh }
    }

    /// The same, with the tokens of a session.
    ///
    /// # Panics
    /// When it is none.
    pub fn with_session(&self, session: &Value) -> Self {
        let text = |name: &str| session[name].as_str().expect("a session's token").to_owned();
        Self { token: text("token"), refresh: text("refresh_token"), ..self.clone() }
    }

    /// `/operator/v1/…`, and the body of a success.
    ///
    /// # Panics
    /// On any other status.
    pub async fn get(&self, path: &str) -> Value {
        self.ask(Method::GET, path, Value::Null).await.expect(StatusCode::OK)
    }

    /// `/operator/v1/…`; an answer of any status.
    pub async fn ask(&self, method: Method, path: &str, body: Value) -> Answer {
        let url = format!("{}/operator/v1/{path}", self.url);
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("the gateway answers");
        let status = answer.status();
        Answer { status, body: answer.json().await.unwrap_or_default() }
    }

    /// Everything that can be taken out, in nano.
    pub async fn available(&self) -> i64 {
        self.get("earnings").await["available_nano"].as_i64().expect("an amount")
    }
}

/// What a log-in came to.
#[derive(Debug)]
pub struct LogIn {
    pub answer: Answer,
    nobody: OperatorClient,
}

impl LogIn {
    /// The operator, logged in.
    ///
    /// # Panics
    /// On any other status.
    pub fn expect(self, status: StatusCode) -> OperatorClient {
        let session: Value = self.answer.expect(status);
        self.nobody.with_session(&session)
    }
}

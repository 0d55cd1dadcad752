//! The gateway's admin API, as far as a demo needs it.

use std::sync::Mutex;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::http::{Answer, Http};

/// An admin's session; it logs in again when it has ended.
#[derive(Debug)]
pub(crate) struct Admin {
    /// Ends in `/admin/v1`.
    pub(crate) url: String,
    secret: String,
    token: Mutex<String>,
    http: Http,
}

impl Admin {
    /// Logs in.
    pub(crate) fn log_in(gateway_url: &str, secret: &str) -> anyhow::Result<Self> {
        let admin = Self {
            url: format!("{gateway_url}/admin/v1"),
            secret: secret.to_owned(),
            token: Mutex::default(),
            http: Http::new(),
        };
        admin.renew().context("the admin log-in")?;
        Ok(admin)
    }

    /// The session's bearer token.
    pub(crate) fn token(&self) -> String {
        self.token.lock().map(|token| token.clone()).unwrap_or_default()
    }

    fn renew(&self) -> anyhow::Result<()> {
        let url = format!("{}/login", self.url);
        let session = self.http.post(&url, "", &json!({ "secret": self.secret }))?.ok()?;
        let token = session["token"].as_str().context("the log-in gives a token")?;
        if let Ok(mut kept) = self.token.lock() {
            token.clone_into(&mut kept);
        }
        Ok(())
    }

    /// Asks, and once more after a new log-in if the session has ended.
    fn ask(&self, ask: impl Fn(&str) -> anyhow::Result<Answer>) -> anyhow::Result<Value> {
        let answer = ask(&self.token())?;
        if answer.status != 401 {
            return answer.ok();
        }
        self.renew()?;
        ask(&self.token())?.ok()
    }

    fn get(&self, path: &str) -> anyhow::Result<Value> {
        let url = format!("{}/{path}", self.url);
        self.ask(|token| self.http.get(&url, token)).with_context(|| format!("GET {url}"))
    }

    fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}/{path}", self.url);
        self.ask(|token| self.http.post(&url, token, body)).with_context(|| format!("POST {url}"))
    }

    /// Makes a client's account with nothing in it, and returns its id.
    pub(crate) fn create_account(&self, name: &str) -> anyhow::Result<i64> {
        let account = self.post("accounts", &json!({ "name": name }))?;
        account["id"].as_i64().context("an account has an id")
    }

    /// Makes an API key. `risk`: `low`, `standard` or `high`.
    pub(crate) fn create_key(&self, account: i64, risk: &str) -> anyhow::Result<String> {
        let ask = json!({ "account_id": account, "name": "demo", "risk": risk });
        let key = self.post("keys", &ask)?;
        Ok(key["key"].as_str().context("a new key is shown")?.to_owned())
    }

    /// Makes an operator, and returns its id.
    pub(crate) fn create_operator(&self, name: &str) -> anyhow::Result<i64> {
        let operator = self.post("operators", &json!({ "name": name }))?;
        operator["id"].as_i64().context("an operator has an id")
    }

    /// Makes a secret with which an operator logs in.
    pub(crate) fn create_operator_secret(&self, operator: i64) -> anyhow::Result<String> {
        let secret = self.post(&format!("operators/{operator}/secret"), &json!({}))?;
        Ok(secret["secret"].as_str().context("a new secret is shown")?.to_owned())
    }

    /// Makes a one-time token that makes a machine this operator's node.
    pub(crate) fn create_enrolment_token(&self, operator: i64) -> anyhow::Result<String> {
        let token = self.post(&format!("operators/{operator}/enrolment-tokens"), &json!({}))?;
        Ok(token["token"].as_str().context("a new token is shown")?.to_owned())
    }

    /// Makes a node a scorer.
    pub(crate) fn trust(&self, node: &str) -> anyhow::Result<()> {
        let url = format!("{}/nodes/{node}", self.url);
        let change = json!({ "trusted": true });
        self.ask(|token| self.http.patch(&url, token, &change))?;
        Ok(())
    }

    /// All nodes.
    pub(crate) fn nodes(&self) -> anyhow::Result<Vec<Value>> {
        let mut nodes = Vec::new();
        let mut path = "nodes".to_owned();
        loop {
            let mut page = self.get(&path)?;
            let rows = page["data"].as_array_mut().context("a list has data")?;
            nodes.append(rows);
            match page["next"].as_str() {
                Some(next) => path = format!("nodes?after={next}"),
                None => return Ok(nodes),
            }
        }
    }

    /// Replays all money.
    ///
    /// # Errors
    /// Something is wrong with the books.
    pub(crate) fn audit(&self) -> anyhow::Result<()> {
        let report = self.get("audit")?;
        ensure!(report["clean"] == true, "the books are not clean: {}", report["fault"]);
        Ok(())
    }

    /// Jobs that have not ended; 200 at most.
    pub(crate) fn jobs_running(&self) -> anyhow::Result<Vec<Value>> {
        let mut page = self.get("jobs?state=running")?;
        Ok(page["data"].as_array_mut().map(std::mem::take).unwrap_or_default())
    }

    /// One page of jobs, the last first, and the cursor of the next page.
    pub(crate) fn jobs(&self, after: Option<&str>) -> anyhow::Result<(Vec<Value>, Option<String>)> {
        let path = after.map_or_else(|| "jobs".to_owned(), |after| format!("jobs?after={after}"));
        let mut page = self.get(&path)?;
        let next = page["next"].as_str().map(str::to_owned);
        let jobs = page["data"].as_array_mut().context("a list has data")?;
        Ok((std::mem::take(jobs), next))
    }
}

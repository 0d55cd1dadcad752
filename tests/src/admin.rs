//! What whoever runs the gateway does: accounts, credit, keys, operators, nodes; and looks at jobs.

mod views;

use assay_protocol::NodeId;
use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{credits::Answer, gateway::ADMIN_SECRET, wait::wait_until};
pub use views::{
    AdmittedView, AuditView, Balance, ForfeitView, JobView, NewKey, NodeView, Operator, PartView,
    RefundView, ReputationView, VerificationView,
};

/// An admin who is logged in.
#[derive(Clone, Debug)]
pub struct Admin {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Admin {
    /// Logs in with the bootstrap secret.
    pub async fn log_in(url: &str) -> Self {
        let mut admin =
            Self { http: reqwest::Client::new(), url: url.to_owned(), token: String::new() };
        let session: Value =
            admin.ask(Method::POST, "login", Some(json!({"secret": ADMIN_SECRET}))).await;
        admin.token = text(&session, "token");
        admin
    }

    /// The session's bearer token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// A new client account; its id.
    pub async fn account(&self, name: &str) -> i64 {
        let account: Value = self.ask(Method::POST, "accounts", Some(json!({"name": name}))).await;
        account["id"].as_i64().expect("an account has a number")
    }

    pub async fn grant(&self, account: i64, nano: i64) {
        let body = json!({"amount_nano": nano, "note": "a story"});
        let _: Value =
            self.ask(Method::POST, &format!("accounts/{account}/credits"), Some(body)).await;
    }

    /// Says that a client's account belongs to this operator, or to none.
    pub async fn belongs_to(&self, account: i64, operator: Option<Operator>) {
        let body = json!({"operator_id": operator.map(|operator| operator.id)});
        let path = format!("accounts/{account}/operator");
        let _: Value = self.ask(Method::PUT, &path, Some(body)).await;
    }

    /// A new API key of an account.
    pub async fn key(&self, account: i64) -> String {
        let body = json!({"account_id": account, "name": "a story"});
        text(&self.ask(Method::POST, "keys", Some(body)).await, "key")
    }

    /// The same, which may spend so much a day.
    pub async fn new_key(&self, account: i64, budget_day_nano: Option<i64>) -> NewKey {
        let body =
            json!({"account_id": account, "name": "a story", "budget_day_nano": budget_day_nano});
        self.ask(Method::POST, "keys", Some(body)).await
    }

    pub async fn balance(&self, account: i64) -> Balance {
        self.ask(Method::GET, &format!("accounts/{account}"), None).await
    }

    /// What an operator has earned so far, in nano.
    pub async fn earned(&self, operator: Operator) -> i64 {
        self.balance(operator.account_id).await.available
    }

    pub async fn operator(&self, name: &str) -> Operator {
        self.ask(Method::POST, "operators", Some(json!({"name": name}))).await
    }

    /// The operator as it is now.
    pub async fn operator_now(&self, operator: Operator) -> Operator {
        self.ask(Method::GET, &format!("operators/{}", operator.id), None).await
    }

    /// A one-time token to enrol a node with.
    pub async fn enrolment_token(&self, operator: Operator) -> String {
        let path = format!("operators/{}/enrolment-tokens", operator.id);
        text(&self.ask(Method::POST, &path, Some(json!({}))).await, "token")
    }

    /// Makes a node a scorer.
    pub async fn trust(&self, node: NodeId) {
        self.set_trusted(node, true).await;
    }

    /// Makes a scorer an ordinary node again.
    pub async fn distrust(&self, node: NodeId) {
        self.set_trusted(node, false).await;
    }

    async fn set_trusted(&self, node: NodeId, trusted: bool) {
        let body = json!({"trusted": trusted});
        let _: NodeView = self.ask(Method::PATCH, &format!("nodes/{node}"), Some(body)).await;
    }

    pub async fn ban(&self, node: NodeId, reason: &str) {
        let body = json!({"reason": reason});
        let _: NodeView = self.ask(Method::POST, &format!("nodes/{node}/ban"), Some(body)).await;
    }

    pub async fn unban(&self, node: NodeId) {
        let _: NodeView = self.ask(Method::POST, &format!("nodes/{node}/unban"), None).await;
    }

    pub async fn node(&self, node: NodeId) -> NodeView {
        self.ask(Method::GET, &format!("nodes/{node}"), None).await
    }

    /// The audits of a job's rounds.
    pub async fn audits(&self, job: &str) -> Vec<AuditView> {
        let page: Listing<AuditView> =
            self.ask(Method::GET, &format!("jobs/{job}/audits"), None).await;
        page.data
    }

    /// Alarms, and what waits.
    pub async fn verification(&self) -> VerificationView {
        self.ask(Method::GET, "verification", None).await
    }

    /// Waits until the gateway sees a node in this state.
    pub async fn node_is(&self, node: NodeId, state: &str) {
        wait_until(&format!("node {node} is {state}"), async || {
            (self.node(node).await.state == state).then_some(())
        })
        .await;
    }

    /// Waits until the gateway gives a node jobs.
    pub async fn node_serves(&self, node: NodeId) {
        wait_until(&format!("node {node} gets jobs"), async || {
            ["probation", "active"].contains(&self.node(node).await.state.as_str()).then_some(())
        })
        .await;
    }

    /// The job as it is now.
    pub async fn job_now(&self, id: &str) -> JobView {
        self.ask(Method::GET, &format!("jobs/{id}"), None).await
    }

    /// The job once it is settled, which may be a little after its client has the answer.
    pub async fn job(&self, id: &str) -> JobView {
        wait_until(&format!("job {id} is settled"), async || {
            Some(self.job_now(id).await).filter(|job| job.state != "running")
        })
        .await
    }

    /// All jobs, the last first.
    pub async fn jobs(&self) -> Vec<JobView> {
        let mut jobs = Vec::new();
        let mut path = "jobs".to_owned();
        loop {
            let page: Listing<JobView> = self.ask(Method::GET, &path, None).await;
            jobs.extend(page.data);
            let Some(next) = page.next else { return jobs };
            path = format!("jobs?after={next}");
        }
    }

    /// Waits until no job is running.
    pub async fn no_job_runs(&self) {
        wait_until("every job is settled", async || {
            let running: Listing<JobView> = self.ask(Method::GET, "jobs?state=running", None).await;
            running.data.is_empty().then_some(())
        })
        .await;
    }

    /// A new secret for an operator to log in with.
    pub async fn operator_secret(&self, operator: Operator) -> String {
        let path = format!("operators/{}/secret", operator.id);
        text(&self.ask(Method::POST, &path, None).await, "secret")
    }

    /// What admins did, the last first; the first page.
    pub async fn log(&self) -> Vec<Value> {
        let page: Listing<Value> = self.ask(Method::GET, "log", None).await;
        page.data
    }

    /// Compares the books with the payment provider; what was found.
    pub async fn reconcile(&self) -> Value {
        self.ask(Method::POST, "payments/reconcile", None).await
    }

    /// `/admin/v1/…`; an answer of any status. What is no JSON comes as text.
    pub async fn try_ask(&self, method: Method, path: &str, body: Value) -> Answer {
        let url = format!("{}/admin/v1/{path}", self.url);
        let mut request = self.http.request(method, url).bearer_auth(&self.token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("the gateway answers");
        let status = answer.status();
        let text = answer.text().await.expect("an answer has a body");
        Answer { status, body: serde_json::from_str(&text).unwrap_or(Value::String(text)) }
    }

    /// The `/admin/v1/…` answer as this type.
    ///
    /// # Panics
    /// On any answer that is not a success.
    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<Value>) -> T {
        let Answer { status, body } =
            self.try_ask(method.clone(), path, body.unwrap_or_default()).await;
        assert!(status.is_success(), "{method} {path}: {status}: {body:#}");
        let text = body.to_string();
        serde_json::from_value(body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}: {text}"))
    }
}

#[derive(Debug, Deserialize)]
struct Listing<T> {
    data: Vec<T>,
    next: Option<String>,
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no `{key}` in {value}")).to_owned()
}

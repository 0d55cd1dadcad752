//! What the admin API shows, as far as stories look at it.

use assay_protocol::{Bytes32, NodeId};
use serde::Deserialize;
use serde_json::Value;

/// An account's money, in nano.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct Balance {
    #[serde(rename = "available_nano")]
    pub available: i64,
    #[serde(rename = "held_nano")]
    pub held: i64,
}

/// An API key that was just made.
#[derive(Clone, Debug, Deserialize)]
pub struct NewKey {
    pub id: i64,
    pub key: String,
}

/// Someone who owns nodes.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct Operator {
    pub id: i64,
    pub account_id: i64,
    /// What of its earnings is not its own yet; known when it is looked up.
    pub immature_nano: Option<i64>,
}

/// Where a node stands.
#[derive(Clone, Debug, Deserialize)]
pub struct NodeView {
    pub id: NodeId,
    pub state: String,
    pub code: String,
    pub reason: String,
    /// The end of a quarantine.
    pub until_ms: Option<i64>,
    /// What it may answer for since its self-test.
    pub admitted: Vec<AdmittedView>,
    pub self_test_failure: Option<String>,
    pub trusted: bool,
    /// Right now.
    pub jobs_running: u32,
    pub reputation: Vec<ReputationView>,
    /// Pay that is not its own yet.
    #[serde(rename = "immature_nano")]
    pub immature: i64,
    pub forfeits: Vec<ForfeitView>,
}

/// What a ban on proof took.
#[derive(Clone, Debug, Deserialize)]
pub struct ForfeitView {
    #[serde(rename = "immature_nano")]
    pub immature: i64,
    #[serde(rename = "to_clients_nano")]
    pub to_clients: i64,
    #[serde(rename = "to_reserve_nano")]
    pub to_reserve: i64,
    pub refunds: Vec<RefundView>,
}

/// What the client of a refuted job got back.
#[derive(Clone, Debug, Deserialize)]
pub struct RefundView {
    pub job_id: String,
    #[serde(rename = "amount_nano")]
    pub amount: i64,
}

/// A model that a node may answer for.
#[derive(Clone, Debug, Deserialize)]
pub struct AdmittedView {
    pub model: String,
    pub class: Option<String>,
}

/// What a node's checks say of it with one model.
#[derive(Clone, Debug, Deserialize)]
pub struct ReputationView {
    pub correctness: f64,
    pub passes: f64,
    pub failures: f64,
    pub cusum: f64,
    pub proofs: u32,
    pub checks_due: f64,
    pub proven: bool,
}

/// What a person should look at.
#[derive(Clone, Debug, Deserialize)]
pub struct VerificationView {
    pub brakes: Vec<Value>,
    pub scorer_disputes: u64,
    pub audits_waiting: usize,
    pub audits_dropped: u64,
}

/// What was drawn for a round of a job.
#[derive(Clone, Debug, Deserialize)]
pub struct AuditView {
    pub round: u8,
    pub epoch: i64,
    pub answer_hash: Bytes32,
    pub q_ppm: u32,
    pub drawn: Option<bool>,
    pub result: Option<String>,
}

/// A job, with every node's part in it.
#[derive(Clone, Debug, Deserialize)]
pub struct JobView {
    pub id: String,
    /// `low`, `standard` or `high`.
    pub risk: String,
    pub state: String,
    pub reason: String,
    /// Why it failed.
    pub code: Option<String>,
    pub prompt_tokens: u32,
    pub max_tokens: u32,
    pub completion_tokens: u32,
    pub rounds: u8,
    #[serde(rename = "hold_nano")]
    pub hold: i64,
    #[serde(rename = "cost_nano")]
    pub cost: i64,
    #[serde(rename = "fee_nano")]
    pub fee: i64,
    #[serde(rename = "reserve_nano")]
    pub reserve: i64,
    #[serde(rename = "returned_nano")]
    pub returned: i64,
    #[serde(rename = "nodes")]
    pub parts: Vec<PartView>,
}

/// What one node did in a job, and what it got for it.
#[derive(Clone, Debug, Deserialize)]
pub struct PartView {
    #[serde(rename = "node_id")]
    pub node: NodeId,
    pub round: u8,
    pub role: String,
    pub outcome: String,
    pub reason: String,
    pub tokens: u32,
    #[serde(rename = "pay_nano")]
    pub pay: i64,
}

impl JobView {
    /// The part of a node as the writer of an answer.
    ///
    /// # Panics
    /// When it had none.
    pub fn part(&self, node: NodeId) -> &PartView {
        let mut parts = self.parts.iter().filter(|part| part.role == "generate");
        parts
            .find(|part| part.node == node)
            .unwrap_or_else(|| panic!("node {node} had no part in {self:#?}"))
    }

    /// Whether a node had any part.
    pub fn has_part(&self, node: NodeId) -> bool {
        self.parts.iter().any(|part| part.node == node)
    }
}

//! A node as the admin sees it: where it stands and why, what it serves, how honest it was, what it stands to lose.

use assay_protocol::{JobId, NodeId, ServedModel, StandingCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    clock,
    db::{ForfeitRow, NodeRow, Out, Refunded},
    nodes::Presence,
};

/// A node as it is known, and as it is now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Node {
    #[schema(value_type = String)]
    pub id: NodeId,
    pub operator_id: i64,
    pub name: String,
    /// Ed25519, as hex.
    pub public_key: String,
    /// Whether it scores other nodes' answers instead of answering.
    pub trusted: bool,
    /// `offline`, `enrolled`, `testing`, `probation`, `active`, `quarantined`, `draining` or `banned`.
    pub state: &'static str,
    /// Why it is in that state: a stable code …
    pub code: &'static str,
    /// … and a sentence.
    pub reason: String,
    /// The end of a quarantine.
    #[schema(required)]
    pub until_ms: Option<i64>,
    /// Models that it may answer for since this session's self-test.
    pub admitted: Vec<Admitted>,
    /// Why its last self-test failed, until one passes.
    #[schema(required)]
    pub self_test_failure: Option<String>,
    pub created_ms: i64,
    #[schema(required)]
    pub last_seen_ms: Option<i64>,
    /// Jobs that it holds right now; one that is connected to another gateway, some seconds ago.
    pub jobs_running: u32,
    /// By its own word.
    #[schema(required)]
    pub agent_version: Option<String>,
    /// By its own word; nothing but routing follows from it.
    pub serves: Vec<Serves>,
    /// Measured by the gateway that it is connected to; null while it is to none.
    #[schema(required)]
    pub performance: Option<NodePerformance>,
    /// One row for each model that this gateway hosts.
    pub reputation: Vec<Reputation>,
    /// Pay that is not its own yet, in 1e-9 credit: what it forfeits if it is banned on proof. Of a node that is connected to
    /// another gateway, some seconds ago.
    pub immature_nano: i64,
    /// What it forfeited, the last first.
    pub forfeits: Vec<Forfeit>,
}

/// What a ban on proof took from the operator's account.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Forfeit {
    pub at_ms: i64,
    /// All that was immature; more than was taken where the account had less.
    pub immature_nano: i64,
    /// To the clients of jobs that the model refuted after they were paid.
    pub to_clients_nano: i64,
    /// The rest, to the verification reserve.
    pub to_reserve_nano: i64,
    pub refunds: Vec<ForfeitRefund>,
}

/// What the client of a refuted job got back.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct ForfeitRefund {
    #[schema(value_type = String)]
    pub job_id: JobId,
    pub amount_nano: i64,
}

/// A model on a node.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Serves {
    pub model: String,
    pub runtime: String,
    pub execution_provider: String,
    pub precision: String,
    pub context_length: u32,
    /// Jobs at once.
    pub slots: u32,
    /// Whether it is the model that this gateway hosts under that name, by the manifest's hash.
    pub matches_manifest: bool,
}

/// A model that a connected node may answer for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Admitted {
    pub model: String,
    /// The class that its self-test found; null when it needed none.
    #[schema(required)]
    pub class: Option<String>,
    /// When the self-test passed; null when it needed none.
    #[schema(required)]
    pub tested_ms: Option<i64>,
}

/// How fast and dependable a node is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct NodePerformance {
    pub first_token_ms: f64,
    pub ms_per_token: f64,
    /// Share of accepted jobs that were finished.
    pub reliability: f64,
}

/// How honest a node has been with one model.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Reputation {
    pub model: String,
    /// Lower bound of the share of good answers, 0 to 1.
    pub correctness: f64,
    /// Decayed sum of passed checks.
    pub passes: f64,
    /// Decayed sum of failed checks.
    pub failures: f64,
    /// The ban test: quarantine at 5, and from 11.5 on a ban if a failure is proven.
    pub cusum: f64,
    /// Failures that a second scorer confirmed, or that need no model.
    pub proofs: u32,
    /// Checks of this weight are due before anything of the node goes unchecked again.
    pub checks_due: f64,
    /// Whether it may serve alone.
    pub proven: bool,
}

/// What is known of a node, put together.
pub(super) fn view(
    app: &App,
    row: NodeRow,
    now: Option<&Presence>,
    forfeits: Vec<ForfeitRow>,
) -> Node {
    let place = place(&row, now);
    let hello = now.and_then(|now| now.hello.as_ref());
    let serves = hello.iter().flat_map(|hello| &hello.models).map(|served| serves(app, served));
    Node {
        id: row.id,
        operator_id: row.operator.0,
        name: row.name,
        public_key: row.public_key.to_string(),
        trusted: row.trusted,
        state: place.state,
        code: place.code,
        reason: place.reason,
        until_ms: place.until_ms,
        admitted: now.into_iter().flat_map(admitted).collect(),
        self_test_failure: now.and_then(|now| now.test_failure.clone()),
        created_ms: row.created_ms,
        last_seen_ms: row.last_seen_ms,
        jobs_running: now.map_or(0, |now| u32::try_from(now.jobs.len()).unwrap_or(u32::MAX)),
        agent_version: hello.map(|hello| hello.agent_version.clone()),
        serves: serves.collect(),
        performance: now.map(|now| NodePerformance {
            first_token_ms: now.performance.first_token_ms,
            ms_per_token: now.performance.ms_per_token,
            reliability: now.performance.reliability,
        }),
        reputation: reputation(app, row.id),
        immature_nano: app.pay.immature(row.id, clock::now_ms()).0,
        forfeits: forfeits.into_iter().map(Forfeit::from).collect(),
    }
}

/// Where a node stands, as the API words it.
struct Place {
    state: &'static str,
    code: &'static str,
    reason: String,
    until_ms: Option<i64>,
}

/// A ban or a quarantine is there whether the node is connected or not.
fn place(row: &NodeRow, now: Option<&Presence>) -> Place {
    if row.is_banned() {
        // Without a code of its own it was banned before there were any.
        let code = row.out.as_ref().map_or(StandingCode::ByAdmin, |out| out.code);
        let (code, reason) = (code.as_str(), row.reason.clone());
        return Place { state: "banned", code, reason, until_ms: None };
    }
    match (&row.out, now.map(|now| &now.standing)) {
        (_, Some(standing)) => Place {
            state: standing.state.as_str(),
            code: standing.code.as_str(),
            reason: standing.reason.clone(),
            until_ms: standing.until_ms,
        },
        (Some(Out { code, reason, until_ms: Some(until_ms) }), None)
            if *until_ms > clock::now_ms() =>
        {
            let until_ms = Some(*until_ms);
            Place { state: "quarantined", code: code.as_str(), reason: reason.clone(), until_ms }
        }
        _ => Place {
            state: "offline",
            code: "offline",
            reason: "not connected".into(),
            until_ms: None,
        },
    }
}

fn admitted(now: &Presence) -> impl Iterator<Item = Admitted> {
    now.admitted.iter().map(|(model, tested)| Admitted {
        model: model.clone(),
        class: tested.class.clone(),
        tested_ms: tested.class.as_ref().map(|_| tested.at_ms),
    })
}

fn serves(app: &App, served: &ServedModel) -> Serves {
    let hosted = app.catalog.get(&served.id);
    Serves {
        model: served.id.clone(),
        runtime: served.runtime.clone(),
        execution_provider: served.execution_provider.clone(),
        precision: served.precision.clone(),
        context_length: served.context_length,
        slots: served.slots,
        matches_manifest: hosted
            .is_some_and(|hosted| hosted.text.manifest_hash == served.manifest_hash),
    }
}

fn reputation(app: &App, node: NodeId) -> Vec<Reputation> {
    let of = |model: &str| {
        let record = app.reputation.record(node, model);
        Reputation {
            model: model.to_owned(),
            correctness: record.evidence.correctness(),
            passes: record.evidence.passes,
            failures: record.evidence.failures,
            cusum: record.cusum,
            proofs: record.proofs,
            checks_due: record.checks_due,
            proven: record.is_proven(),
        }
    };
    app.catalog.iter().map(|model| of(model.id())).collect()
}

impl From<ForfeitRow> for Forfeit {
    fn from(row: ForfeitRow) -> Self {
        let refund =
            |Refunded { job, amount }| ForfeitRefund { job_id: job, amount_nano: amount.0 };
        Self {
            at_ms: row.at_ms,
            immature_nano: row.immature.0,
            to_clients_nano: row.to_clients.0,
            to_reserve_nano: row.to_reserve.0,
            refunds: row.refunds.into_iter().map(refund).collect(),
        }
    }
}

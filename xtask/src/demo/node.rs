//! Starts one node of the demo: an operator of its own, enrolled, running.

use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use super::{Admin, DataFolder};
use crate::{binaries::Binaries, command, paths, poll, process::Process, stop::Stop};

/// A node enrols and logs in within a second; a busy machine takes longer.
const ENROL_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a node is there for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Answers, honestly.
    Worker,
    /// Trusted by the gateway: scores the others' answers.
    Scorer,
    /// Answers like this kind of liar.
    Cheat(String),
}

impl Role {
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Worker => "worker",
            Self::Scorer => "scorer",
            Self::Cheat(_) => "cheat",
        }
    }
}

/// A running node.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Its operator logs in with it.
    pub(crate) secret: String,
    pub(crate) process: Process,
}

/// Where nodes are started.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub(super) gateway_url: &'a str,
    pub(super) admin: &'a Admin,
    pub(super) binaries: &'a Binaries,
    pub(super) data: &'a DataFolder,
    pub(super) stop: &'a Stop,
}

impl Node {
    /// Makes an operator of this name, and starts its node.
    pub(super) fn start(place: Place<'_>, name: &str, role: Role) -> anyhow::Result<Self> {
        let operator = place.admin.create_operator(name)?;
        let token = place.admin.create_enrolment_token(operator)?;
        let mut process = match &role {
            Role::Cheat(kind) => start_cheat(place, name, &token, kind)?,
            Role::Worker | Role::Scorer => start_agent(place, name, &token)?,
        };
        let id = wait_for_id(place, operator, &mut process)?;
        if role == Role::Scorer {
            place.admin.trust(&id)?;
        }
        let secret = place.admin.create_operator_secret(operator)?;
        Ok(Self { id, name: name.to_owned(), role, secret, process })
    }
}

fn start_agent(place: Place<'_>, name: &str, token: &str) -> anyhow::Result<Process> {
    let folder = place.data.folder(&format!("nodes/{name}"))?;
    let agent = || -> anyhow::Result<_> {
        let mut agent = place.binaries.command("node-agent")?;
        agent.arg("--data-folder").arg(&folder);
        Ok(agent)
    };
    let mut enrol = agent()?;
    enrol.args(["enrol", "--gateway", place.gateway_url, "--name", name]);
    command::output(enrol.env("ASSAY_NODE_TOKEN", token), place.stop)?;
    let mut run = agent()?;
    run.args(["run", "--threads", "1", "--model"]).arg(paths::demo_model());
    run.arg("--model").arg(paths::embedder_model());
    Process::start(name, &mut run, &place.data.path().join(format!("{name}.log")))
}

fn start_cheat(place: Place<'_>, name: &str, token: &str, kind: &str) -> anyhow::Result<Process> {
    let mut cheat = place.binaries.command("scripted-node")?;
    cheat.args([
        "--gateway",
        place.gateway_url,
        "--token",
        token,
        "--kind",
        kind,
        "--name",
        name,
        "--model",
    ]);
    cheat.arg(paths::demo_model());
    Process::start(name, &mut cheat, &place.data.path().join(format!("{name}.log")))
}

/// The id that the operator's only node got.
fn wait_for_id(place: Place<'_>, operator: i64, process: &mut Process) -> anyhow::Result<String> {
    let id = poll::until(ENROL_MAX, LOOK_EVERY, place.stop, || {
        process.must_run()?;
        let nodes = place.admin.nodes()?;
        let node = nodes.iter().find(|node| node["operator_id"].as_i64() == Some(operator));
        Ok(node.and_then(|node| node["id"].as_str()).map(str::to_owned))
    })?;
    id.with_context(|| format!("{} does not enrol:\n{}", process.name, process.tail()))
}

/// Whether the gateway gives this node jobs.
pub(super) fn is_active(nodes: &[Value], id: &str) -> bool {
    let serves = |state: &Value| state == "probation" || state == "active";
    nodes.iter().any(|node| node["id"].as_str() == Some(id) && serves(&node["state"]))
}

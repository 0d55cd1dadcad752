//! All of it as real processes: a gateway on SQLite, nodes of different operators, a scorer.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::{
    Admin, DataFolder, Node, Role, checkout,
    gateway::{Gateway, free_port},
    node::{Place, is_active},
};
use crate::{binaries::Binaries, http::Http, paths, poll, process::Process, stop::Stop};

/// 1,000 credits: more than a demo can spend in a year.
const CREDIT_CENTS: i64 = 100_000;
/// Loading models, logging in and the gateway's self-test together, on a busy machine.
const ACTIVE_MAX: Duration = Duration::from_secs(180);
const FIRST_CHAT_MAX: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Longer than the last settlement takes.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// How long everything may take to end in an orderly way.
const END_MAX: Duration = Duration::from_secs(10);
/// Fewer nodes cannot agree with each other: the key then asks for the low-risk policy.
const NODES_OF_STANDARD_RISK: usize = 2;

/// What a world is made of.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// A free one when absent.
    pub(crate) port: Option<u16>,
    /// Nodes that answer; the scorer comes on top.
    pub(crate) nodes: usize,
    /// The kind of liar that the last of them is.
    pub(crate) cheat: Option<String>,
    /// One more node, which lies, beside the honest ones.
    pub(crate) circle: bool,
    /// Of the gateway.
    pub(crate) config: Option<PathBuf>,
    /// Variables of the gateway, over that configuration.
    pub(crate) gateway_env: Vec<(String, String)>,
    pub(crate) keep: Option<PathBuf>,
}

/// Three honest nodes and a scorer, with the gateway's own settings.
impl Default for Settings {
    fn default() -> Self {
        Self {
            port: None,
            nodes: 3,
            cheat: None,
            circle: false,
            config: None,
            gateway_env: Vec::new(),
            keep: None,
        }
    }
}

/// It runs. Dropping it kills it and removes its data.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) gateway_url: String,
    pub(crate) key: String,
    pub(crate) model: String,
    pub(crate) admin: Admin,
    pub(crate) nodes: Vec<Node>,
    pub(crate) gateway: Process,
    /// The test checkout; ends with the world.
    _checkout: Process,
    pub(crate) data: DataFolder,
}

impl World {
    /// Starts everything, and returns once a first chat has been answered.
    pub(crate) fn start(
        settings: &Settings,
        binaries: &Binaries,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        ensure!(settings.nodes > 0, "a demo needs at least one node");
        let data = DataFolder::open(settings.keep.as_deref())?;
        let port = free_port(None)?;
        let gateway = Gateway::start(settings, checkout::gateway_env(port), binaries, &data, stop)?;
        let checkout = checkout::start(port, &gateway.url, binaries, &data)?;
        let admin = Admin::log_in(&gateway.url, &gateway.admin_secret)?;
        let risk = if settings.nodes < NODES_OF_STANDARD_RISK { "low" } else { "standard" };
        let key = admin.create_key(admin.create_account("demo")?, risk)?;
        checkout::top_up(&gateway.url, &key, CREDIT_CENTS, stop)?;
        let place = Place { gateway_url: &gateway.url, admin: &admin, binaries, data: &data, stop };
        let mut nodes = Vec::new();
        for (name, role) in cast(settings) {
            nodes.push(Node::start(place, &name, role)?);
        }
        let mut world = Self {
            gateway_url: gateway.url.clone(),
            key,
            model: model_id()?,
            admin,
            nodes,
            gateway: gateway.process,
            _checkout: checkout,
            data,
        };
        world.wait_until_active(stop)?;
        world.wait_for_first_chat(stop)?;
        Ok(world)
    }

    /// Ends in `/v1`.
    pub(crate) fn base_url(&self) -> String {
        format!("{}/v1", self.gateway_url)
    }

    /// # Errors
    /// A process ended that should run.
    fn must_run(&mut self) -> anyhow::Result<()> {
        self.gateway.must_run()?;
        self.nodes.iter_mut().try_for_each(|node| node.process.must_run())
    }

    fn wait_until_active(&mut self, stop: &Stop) -> anyhow::Result<()> {
        let active = poll::until(ACTIVE_MAX, LOOK_EVERY, stop, || {
            self.must_run()?;
            let known = self.admin.nodes()?;
            Ok(self.nodes.iter().all(|node| is_active(&known, &node.id)).then_some(()))
        })?;
        if active.is_some() {
            return Ok(());
        }
        let known = self.admin.nodes()?;
        match self.nodes.iter().find(|node| !is_active(&known, &node.id)) {
            Some(node) => bail!("{} is not active:\n{}", node.name, node.process.tail()),
            None => Ok(()),
        }
    }

    fn wait_for_first_chat(&mut self, stop: &Stop) -> anyhow::Result<()> {
        let http = Http::new();
        let url = format!("{}/chat/completions", self.base_url());
        let chat = self.chat("Hello!");
        let mut said = String::new();
        let answered = poll::until(FIRST_CHAT_MAX, LOOK_EVERY, stop, || {
            self.gateway.must_run()?;
            let answer = http.post(&url, &self.key, &chat)?;
            said = answer.said();
            // 5xx: not everybody is there yet. Anything else does not get better by waiting.
            ensure!(answer.is_ok() || answer.status >= 500, "the first chat failed: {said}");
            Ok(answer.is_ok().then_some(()))
        })?;
        answered.with_context(|| format!("the first chat failed: {said}\n{}", self.gateway.tail()))
    }

    /// Waits until no job runs, and has the gateway replay all money.
    ///
    /// # Errors
    /// A job does not end, or the books are not clean.
    pub(crate) fn audit(&self, stop: &Stop) -> anyhow::Result<()> {
        let idle = poll::until(IDLE_MAX, LOOK_EVERY, stop, || {
            Ok(self.admin.jobs_running()?.is_empty().then_some(()))
        })?;
        idle.context("some jobs do not end")?;
        self.admin.audit()
    }

    /// A chat request with one message.
    pub(crate) fn chat(&self, message: &str) -> Value {
        json!({ "model": self.model, "messages": [{ "role": "user", "content": message }] })
    }

    /// Ends everything in an orderly way: nodes first, then the gateway.
    pub(crate) fn end(mut self) {
        let deadline = Instant::now() + END_MAX;
        let left = || deadline.saturating_duration_since(Instant::now());
        self.nodes.iter_mut().for_each(|node| node.process.ask_to_end());
        for node in &mut self.nodes {
            node.process.end_within(left() / 2);
        }
        self.end_gateway(left());
    }

    fn end_gateway(&mut self, within: Duration) {
        self.gateway.ask_to_end();
        self.gateway.end_within(within);
    }
}

/// Who takes part, by name: the workers, the liar in the place of the last of them, the scorer.
fn cast(settings: &Settings) -> Vec<(String, Role)> {
    let mut cast: Vec<_> =
        (1..=settings.nodes).map(|number| (format!("node-{number}"), Role::Worker)).collect();
    if let (Some(kind), Some(last)) = (&settings.cheat, cast.last_mut()) {
        *last = ("cheat".to_owned(), Role::Cheat(kind.clone()));
    }
    if settings.circle {
        cast.push(("cheat".to_owned(), Role::Cheat("random".to_owned())));
    }
    cast.push(("scorer".to_owned(), Role::Scorer));
    cast
}

/// The name under which the shipped model is served.
fn model_id() -> anyhow::Result<String> {
    let path = paths::demo_model().join("manifest.json");
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: Value = serde_json::from_slice(&text).context("the model's manifest")?;
    Ok(manifest["id"].as_str().context("the model's manifest has an id")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cheat_takes_the_place_of_one_node_and_never_of_the_scorer() {
        let settings = Settings { cheat: Some("random".to_owned()), ..Settings::default() };
        let roles: Vec<_> = cast(&settings).into_iter().map(|(_, role)| role).collect();
        let cheat = Role::Cheat("random".to_owned());
        assert_eq!(roles, [Role::Worker, Role::Worker, cheat, Role::Scorer]);
    }
}

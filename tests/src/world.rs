//! One story's world: a gateway, its admin, a client with credit, and the nodes that join.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tempfile::TempDir;

use crate::{
    Admin, ChatClient, Gateway, Model, NodeAgent, Operator, Pace, ScriptedNode,
    binaries::demo_model,
    scripted::{Behaviour, Identity, Manners},
};

/// Enough for any story.
pub const CREDIT: i64 = 1_000_000_000;

/// Everything that a story needs. End it with [`World::finish`].
#[derive(Debug)]
pub struct World {
    pub gateway: Gateway,
    pub admin: Admin,
    /// Has [`CREDIT`] at the start.
    pub client: ChatClient,
    pub account: i64,
    pub model: Arc<Model>,
    joined: AtomicU32,
    folder: TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::with("").await
    }

    /// With these settings (TOML) over the stories' own.
    pub async fn with(settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for a story");
        let gateway = Gateway::start(folder.path(), settings).await;
        let admin = Admin::log_in(&gateway.url()).await;
        let (account, client) = funded(&admin, &gateway, CREDIT).await;
        let model = Model::demo();
        Self { gateway, admin, client, account, model, joined: AtomicU32::new(0), folder }
    }

    /// Where the story's files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Another client, with this much credit.
    pub async fn client_with(&self, nano: i64) -> (i64, ChatClient) {
        funded(&self.admin, &self.gateway, nano).await
    }

    /// An operator of their own name.
    pub async fn operator(&self) -> Operator {
        let number = self.joined.fetch_add(1, Ordering::Relaxed);
        self.admin.operator(&format!("operator {number}")).await
    }

    /// A scripted node of a new operator, ready for jobs.
    pub async fn scripted(&self, behaviour: Behaviour) -> ScriptedNode {
        self.scripted_of(self.operator().await, behaviour.into()).await
    }

    /// An honest scripted node of a new operator, ready for jobs.
    pub async fn honest(&self) -> ScriptedNode {
        self.scripted(Behaviour::Honest).await
    }

    /// A scripted node that sends at this pace.
    pub async fn paced(&self, behaviour: Behaviour, pace: impl Into<Pace>) -> ScriptedNode {
        let manners = Manners { pace: pace.into(), ..behaviour.into() };
        self.scripted_of(self.operator().await, manners).await
    }

    /// A scripted node of this operator, ready for jobs.
    pub async fn scripted_of(&self, operator: Operator, manners: Manners) -> ScriptedNode {
        let identity = self.enrol(operator).await;
        let node = ScriptedNode::connect(identity, operator, self.model.clone(), manners);
        node.is_active().await;
        node
    }

    /// An honest scripted node of a new operator, of which a proxy says that it comes from this address.
    pub async fn honest_from(&self, address: IpAddr) -> ScriptedNode {
        let operator = self.operator().await;
        let identity = Identity { address: Some(address), ..self.enrol(operator).await };
        let manners = Behaviour::Honest.into();
        let node = ScriptedNode::connect(identity, operator, self.model.clone(), manners);
        node.is_active().await;
        node
    }

    /// A scripted node that the gateway trusts to score.
    pub async fn scorer(&self) -> ScriptedNode {
        self.paced_scorer(Pace::Free).await
    }

    /// A scorer that sends its scores at this pace.
    pub async fn paced_scorer(&self, pace: impl Into<Pace>) -> ScriptedNode {
        self.scorer_with(self.model.clone(), pace).await
    }

    /// A scorer that runs this model, whatever it says that it runs.
    pub async fn scorer_with(&self, model: Arc<Model>, pace: impl Into<Pace>) -> ScriptedNode {
        let operator = self.operator().await;
        let identity = self.enrol(operator).await;
        self.admin.trust(identity.node).await;
        let manners = Manners { pace: pace.into(), ..Behaviour::Honest.into() };
        let node = ScriptedNode::connect(identity, operator, model, manners);
        node.is_active().await;
        node
    }

    /// A real node agent of a new operator, ready for jobs.
    pub async fn agent(&self) -> NodeAgent {
        let agent = self.start_agent().await;
        self.admin.node_serves(agent.id).await;
        agent
    }

    /// A real node agent that the gateway trusts to score.
    pub async fn scorer_agent(&self) -> NodeAgent {
        let agent = self.start_agent().await;
        self.admin.trust(agent.id).await;
        self.admin.node_serves(agent.id).await;
        agent
    }

    /// A new identity of an operator.
    pub async fn enrol(&self, operator: Operator) -> Identity {
        let token = self.admin.enrolment_token(operator).await;
        let name = format!("node {}", operator.id);
        Identity::enrol(&self.gateway.url(), &token, &name).await.expect("a fresh token enrols")
    }

    /// Ends the story: every job settles, the gateway ends in good order, nothing is held and the audit
    /// of its books is clean.
    pub async fn finish(mut self) {
        self.admin.no_job_runs().await;
        assert_eq!(self.admin.balance(self.account).await.held, 0, "nothing is held");
        self.gateway.terminate();
        let status = self.gateway.end().await;
        assert!(status.success(), "the gateway ended with {status}");
        self.books_are_clean();
    }

    /// What is always true of the books, whether the gateway runs or not.
    pub fn books_are_clean(&self) {
        let (clean, report) = self.gateway.audit();
        assert!(clean, "gateway audit:\n{report}");
    }

    async fn start_agent(&self) -> NodeAgent {
        self.start_agent_on(&[demo_model()]).await
    }

    /// A real node agent of a new operator that runs these models.
    pub(crate) async fn start_agent_on(&self, models: &[PathBuf]) -> NodeAgent {
        let operator = self.operator().await;
        let token = self.admin.enrolment_token(operator).await;
        let folder = self.folder().join(format!("node-{}", operator.id));
        NodeAgent::start(&folder, models, &self.gateway.url(), operator, &token)
    }
}

async fn funded(admin: &Admin, gateway: &Gateway, nano: i64) -> (i64, ChatClient) {
    let account = admin.account("a client").await;
    admin.grant(account, nano).await;
    let key = admin.key(account).await;
    (account, ChatClient::new(&gateway.url(), &key))
}

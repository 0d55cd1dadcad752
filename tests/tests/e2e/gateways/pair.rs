//! Two gateways on one database, and the nodes of one of them.

use std::time::{Duration, Instant};

use assay_gateway::db::Db;
use assay_tests::{
    Admin, Behaviour, Gate, Gateway, ScriptedNode, World, postgres::PostgresServer,
    scripted::Manners, world::CREDIT,
};
use tempfile::TempDir;

const ENDED_WITHIN: Duration = Duration::from_secs(20);
/// Jobs that run when a busy gateway is killed.
pub(super) const FLEET: usize = 110;

/// A world on PostgreSQL, and another gateway on its database.
pub(super) struct Pair {
    pub(super) world: World,
    pub(super) other: Gateway,
    pub(super) admin: Admin,
    pub(super) gates: [Gate; 3],
    pub(super) nodes: Vec<ScriptedNode>,
    pub(super) scorer: ScriptedNode,
    pub(super) db: Db,
    _folder: TempDir,
    _server: PostgresServer,
}

impl Pair {
    /// Nothing where PostgreSQL is not installed.
    pub(super) async fn start() -> Option<Self> {
        let Some(server) = PostgresServer::start().await else {
            eprintln!("PostgreSQL is not installed: not tested");
            return None;
        };
        let url = server.database("assay").await;
        let settings = format!("[gateway]\ndatabase_url = '{url}'");
        let world = World::with(&settings).await;
        let folder = tempfile::tempdir().expect("a folder for another gateway");
        let other = Gateway::start(folder.path(), &settings).await;
        let admin = Admin::log_in(&other.url()).await;
        let scorer = world.scorer().await;
        let gates = [Gate::closed(), Gate::closed(), Gate::closed()];
        let mut nodes = Vec::new();
        for gate in &gates {
            let slots = u32::try_from(FLEET).expect("few").next_power_of_two();
            let manners = Manners { pace: gate.into(), slots, ..Behaviour::Honest.into() };
            nodes.push(world.scripted_of(world.operator().await, manners).await);
        }
        let db = Db::open(&url).await.expect("one more connection");
        let (_folder, _server) = (folder, server);
        Some(Self { world, other, admin, gates, nodes, scorer, db, _folder, _server })
    }

    /// Kills the gateway that has the jobs, and waits until the other one has ended them.
    pub(super) async fn kill(&mut self) {
        self.world.gateway.kill_nine();
        let killed = Instant::now();
        self.admin.no_job_runs().await;
        let stuck = killed.elapsed();
        eprintln!("the last hold of the killed gateway ended after {stuck:?}");
        assert!(stuck < ENDED_WITHIN, "a hold was stuck for {stuck:?}");
    }

    /// The killed one comes back to nothing that it would end again.
    pub(super) async fn finish(mut self, spent: i64) {
        let balance = self.admin.balance(self.world.account).await;
        assert_eq!((balance.available, balance.held), (CREDIT - spent, 0));
        let (clean, report) = self.other.audit();
        assert!(clean, "{report}");
        self.db.close().await;
        self.world.gateway.start_again().await;
        self.world.admin = Admin::log_in(&self.world.gateway.url()).await;
        assert_eq!(self.world.admin.balance(self.world.account).await.available, CREDIT - spent);
        self.other.terminate();
        assert!(self.other.end().await.success());
        self.world.finish().await;
    }
}

//! What every part of the gateway shares.

#[cfg(test)]
pub(crate) mod fixtures;

use std::{fmt, fs, ops::Deref, sync::Arc};

use anyhow::Context;
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    auth::{GatewayKeys, KnownKeys},
    catalog::Catalog,
    clock,
    config::Config,
    db,
    db::Db,
    nodes::Registry,
    ownership,
    payments::Payments,
    receipts::{Log, Signatures},
    verification::{
        AuditLog, AuditQueue, Brakes, Disputes, Epochs, PayBook, ReputationBook, Weights,
    },
};

/// A handle on the whole gateway; clones are cheap and the same.
#[derive(Clone, Debug)]
pub struct App(Arc<AppInner>);

/// See [`App`].
pub struct AppInner {
    pub config: Config,
    pub db: Db,
    pub catalog: Catalog,
    /// The nodes that are connected now.
    pub nodes: Registry,
    /// How honest each node has been.
    pub reputation: ReputationBook,
    /// How much a passed check may count.
    pub weights: Weights,
    /// Classes in which independent owners fail together.
    pub brakes: Brakes,
    /// Scorers that contradict each other.
    pub disputes: Disputes,
    /// The secrets that audits are drawn with.
    pub epochs: Epochs,
    /// What is kept of audits.
    pub audits: AuditLog,
    /// Audits that wait for a scorer.
    pub audit_queue: AuditQueue,
    /// What nodes stand to lose.
    pub pay: PayBook,
    pub keys: GatewayKeys,
    /// Clients' keys.
    pub known_keys: Arc<KnownKeys>,
    /// Where money comes in, if the settings say so.
    pub payments: Payments,
    /// This run's, on the jobs that it opens.
    pub lease: ownership::Lease,
    /// How running jobs would be settled if it stopped now.
    pub checkpoints: ownership::Checkpoints,
    /// Holds that it may have taken.
    pub unconfirmed: ownership::Unconfirmed,
    /// The log that receipts are in.
    pub log: Log,
    /// What nodes signed about the jobs that run.
    pub signatures: Signatures,
    /// One permit for each job that may run.
    pub jobs_running: Arc<Semaphore>,
    /// Every task that must end before the process may: jobs with money, sessions.
    pub tasks: TaskTracker,
    /// Fires when open requests had their time: sessions and jobs end themselves now.
    pub shutdown: CancellationToken,
}

impl App {
    /// Opens everything that the settings name, brings the schema up to date and gives back the holds
    /// of jobs that an earlier run left open.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let (db, keys) = open_store(&config).await?;
        let app = Self::open(config, db, keys).await?;
        ownership::reap(&app.db, app.keys.gateway_id())
            .await
            .context("cannot end the jobs of the last run")?;
        let dropped = db::audits::drop_queued(&app.db, app.keys.gateway_id(), clock::now_ms());
        dropped.await.context("cannot end the audits of the last run")?;
        Ok(app)
    }

    /// Loads the models and what is known of the nodes; the database must be migrated.
    pub async fn open(config: Config, db: Db, keys: GatewayKeys) -> anyhow::Result<Self> {
        let catalog = Catalog::load(&config.models).context("cannot load the models")?;
        let payments = Payments::new(&config.payments).map_err(anyhow::Error::msg)?;
        let known = db::reputation::load_all(&db).await.context("cannot load reputations")?;
        let (epoch_ms, now_ms) = (config.verification.epoch_ms(), clock::now_ms());
        let epochs = Epochs::open(&db, keys.gateway_id(), epoch_ms, now_ms).await;
        let pay = PayBook::load(&db, config.economy, now_ms).await;
        let lease = ownership::Lease::take(&db, keys.gateway_id()).await;
        let lease = lease.context("cannot take a lease on jobs")?;
        let known_keys = KnownKeys::load(&db).await;
        let log = Log::open(&db, &keys).await.context("cannot go on with the log of receipts")?;
        Ok(Self(Arc::new(AppInner {
            lease,
            checkpoints: ownership::Checkpoints::default(),
            unconfirmed: ownership::Unconfirmed::default(),
            log,
            signatures: Signatures::default(),
            reputation: ReputationBook::new(known),
            weights: Weights::default(),
            brakes: Brakes::default(),
            disputes: Disputes::default(),
            epochs: epochs.context("cannot make the audits' secrets")?,
            audits: AuditLog::default(),
            audit_queue: AuditQueue::default(),
            pay: pay.context("cannot load what nodes were paid")?,
            jobs_running: Arc::new(Semaphore::new(config.serving.jobs_running_max)),
            nodes: Registry::new(now_ms.unsigned_abs()),
            known_keys: Arc::new(known_keys.context("cannot load the API keys")?),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            payments,
            config,
            db,
            catalog,
            keys,
        })))
    }
}

/// The database, its schema up to date, and the gateway's keys.
pub async fn open_store(config: &Config) -> anyhow::Result<(Db, GatewayKeys)> {
    let dir = &config.gateway.data_dir;
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let keys = GatewayKeys::open(dir, rand::random())
        .with_context(|| format!("cannot use the key file in {}", dir.display()))?;
    let db = Db::open(&config.gateway.database_url()).await.context("cannot open the database")?;
    db.migrate().await.context("cannot bring the database up to date")?;
    Ok((db, keys))
}

impl App {
    /// Waits until the gateway is shutting down and the last job is settled: until then nodes are
    /// needed, to sign and to score what is still to be judged.
    pub async fn quiet(&self) {
        self.shutdown.cancelled().await;
        let all = u32::try_from(self.config.serving.jobs_running_max).unwrap_or(u32::MAX);
        let _ = self.jobs_running.acquire_many(all).await;
    }
}

impl Deref for App {
    type Target = AppInner;

    fn deref(&self) -> &AppInner {
        &self.0
    }
}

impl fmt::Debug for AppInner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppInner").field("gateway", &self.keys.gateway_id()).finish_non_exhaustive()
    }
}

//! A process that stands for a gateway: it opens jobs, notes what was delivered, settles some, gives up others and
//! forgets a few, as fast as it can, until it is killed.

use std::{path::PathBuf, sync::Arc, time::Duration};

use assay_gateway::{
    auth::GatewayKeys,
    db::{Db, OpenJobError, jobs, leases},
    ownership::{LEASE_MS, Lease},
    sealer::seal_all,
};
use assay_ledger::Nano;
use clap::Parser;
use rand::{Rng, SeedableRng, rngs::StdRng};
use tokio::task::JoinSet;

use super::{
    again,
    books::{CLIENTS, NODES},
    crowd::{Crowd, TOKENS},
    history::{Event, Scribe},
};

/// Jobs at once.
const JOBS_AT_ONCE: u64 = 24;
/// Between two renewals of the lease, and between two looks for journals to seal.
const RENEW_EACH: Duration = Duration::from_secs(1);
const SEAL_EACH: Duration = Duration::from_millis(20);

/// Moves money until it is killed.
#[derive(Clone, Debug, Parser)]
#[command(name = "ledger-worker", version)]
pub struct Work {
    /// A database that [`super::Books`] made.
    #[arg(long)]
    url: String,
    /// The gateway that it stands for.
    #[arg(long)]
    gateway: String,
    #[arg(long)]
    seed: u64,
    /// What it asks and is told.
    #[arg(long)]
    history: PathBuf,
}

/// What all of its tasks share.
#[derive(Debug)]
struct Desk {
    db: Db,
    gateway: String,
    lease: Lease,
    crowd: Crowd,
    scribe: Scribe,
}

impl Work {
    /// # Errors
    /// When the database refuses something that it must not.
    pub async fn run(self) -> anyhow::Result<()> {
        let db = Db::open(&self.url).await?;
        let lease = again(async || Lease::take(&db, &self.gateway).await).await?;
        let (crowd, scribe) = (Crowd::known(CLIENTS, NODES), Scribe::create(&self.history)?);
        let desk = Arc::new(Desk { db, gateway: self.gateway, lease, crowd, scribe });
        let mut tasks = JoinSet::new();
        for at in 0..JOBS_AT_ONCE {
            let mut random = StdRng::seed_from_u64(self.seed * JOBS_AT_ONCE + at);
            let desk = desk.clone();
            tasks.spawn(async move {
                loop {
                    desk.job(&mut random).await?;
                }
            });
        }
        let renewing = desk.clone();
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(RENEW_EACH).await;
                let lease = renewing.lease.current();
                again(async || leases::renew(&renewing.db, lease, LEASE_MS).await).await?;
            }
        });
        let keys = GatewayKeys::from_seed([self.seed.to_le_bytes()[0]; 32]);
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(SEAL_EACH).await;
                again(async || seal_all(&desk.db, &keys).await).await?;
            }
        });
        match tasks.join_next().await {
            Some(ended) => ended?,
            None => Ok(()),
        }
    }
}

impl Desk {
    async fn job(&self, random: &mut StdRng) -> anyhow::Result<()> {
        let mut job = self.crowd.job(random);
        job.gateway.clone_from(&self.gateway);
        job.lease = Some(self.lease.current());
        self.scribe.write(job.id, Event::Opening)?;
        again(async || match jobs::open(&self.db, &job).await {
            Err(OpenJobError::Store(error)) => Err(error),
            done => Ok(done),
        })
        .await??;
        self.scribe.write(job.id, Event::Opened)?;
        let mut tokens = 0;
        for _ in 0..random.random_range(0..3) {
            tokens = (tokens + random.random_range(1..60)).min(TOKENS);
            self.scribe.write(job.id, Event::Noting(tokens))?;
            let note = self.crowd.checkpoint(&job, tokens, random);
            again(async || leases::checkpoint(&self.db, vec![note.clone()]).await).await?;
            self.scribe.write(job.id, Event::Noted(tokens))?;
        }
        let end = match random.random_range(0..10) {
            0..6 => self.crowd.end(&job, random),
            6..9 => self.crowd.released(&job),
            // Whoever comes after has to end it.
            _ => return Ok(()),
        };
        let Nano(cost) = end.charge.cost;
        self.scribe.write(job.id, Event::Ending(cost))?;
        again(async || jobs::end(&self.db, &end).await).await?;
        Ok(self.scribe.write(job.id, Event::Ended(cost))?)
    }
}

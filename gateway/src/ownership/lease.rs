//! The lease of this run of the gateway on the jobs that it opens.

use std::sync::atomic::{AtomicI64, Ordering};

use super::LEASE_MS;
use crate::{
    app::App,
    db::{self, Db, DbError, LeaseId},
};

/// See the head of this file.
#[derive(Debug)]
pub struct Lease(AtomicI64);

impl Lease {
    /// Takes one. All earlier ones of this gateway are lost: its data folder is this run's alone.
    pub async fn take(db: &Db, gateway: &str) -> Result<Self, DbError> {
        db::leases::lose_all_of(db, gateway).await?;
        let LeaseId(id) = db::leases::take(db, gateway, LEASE_MS).await?;
        Ok(Self(AtomicI64::new(id)))
    }

    /// The one that new jobs are opened under.
    pub fn current(&self) -> LeaseId {
        LeaseId(self.0.load(Ordering::Acquire))
    }

    /// Makes it last. If it was lost, others end the jobs of before, and new jobs get a new one.
    pub(super) async fn renew(&self, app: &App) -> Result<(), DbError> {
        if db::leases::renew(&app.db, self.current(), LEASE_MS).await? {
            return Ok(());
        }
        let gateway = app.keys.gateway_id();
        let LeaseId(id) = db::leases::take(&app.db, gateway, LEASE_MS).await?;
        tracing::error!(lease = id, "the lease on running jobs was lost; they may end elsewhere");
        self.0.store(id, Ordering::Release);
        Ok(())
    }
}

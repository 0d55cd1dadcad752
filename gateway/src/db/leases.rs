//! Leases: a run of a gateway owns its jobs as long as it renews its lease, in the database's own time.
//! Jobs of a lost lease, and jobs past their deadline, may be ended by whoever finds them.

use assay_ledger::{Nano, Settlement};
use assay_protocol::{JobId, NodeId};
use serde::{Deserialize, Serialize};

use super::{
    Db, DbError,
    engine::retried,
    statement::statements,
    value::{Record, Row, args, columns},
    writer::Request,
};

statements! { "leases";
    plain INSERT = "insert into lease (id, gateway, state, until_ms)
        select cast($1 as bigint), cast($2 as text), 'held', now_ms + cast($3 as bigint) from clock";
    plain RENEW = "update lease set until_ms = (select now_ms from clock) + $2
        where id = $1 and state = 'held'";
    plain LOSE = "update lease set state = 'lost'
        where state = 'held' and until_ms < (select now_ms from clock)";
    plain LOSE_ALL_OF = "update lease set state = 'lost' where gateway = $1 and state = 'held'";
    plain ORPHANS = "select job.id, job.hold, settlement from job
        left join lease on lease.id = job.lease left join checkpoint on checkpoint.job = job.id
        where job.state = 'running' and (lease.state = 'lost' or (lease.id is null and job.gateway = $1)
            or job.deadline_ms < (select now_ms from clock))
        order by job.created_ms limit $2";
    plain FORGET = "delete from checkpoint where not exists
        (select 1 from job where job.id = checkpoint.job and job.state = 'running')";
}

/// Orphans that one call returns at most.
const ORPHANS_MAX: i64 = 1_000;

/// A lease's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LeaseId(pub i64);
columns!(ints: LeaseId; words: );

/// How a running job would be settled if its gateway stopped now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub job: JobId,
    pub settlement: CheckpointSettlement,
}

/// Who would be paid for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointSettlement {
    /// What the client had got.
    pub completion_tokens: u32,
    pub round: u8,
    pub charge: Settlement,
    /// The nodes that stand behind it, each with its pay, in the order of the charge's pays.
    pub parts: Vec<CheckpointPart>,
}

/// One of those nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointPart {
    pub node: NodeId,
    pub tokens: u32,
    pub pay: Nano,
    pub elapsed_ms: i64,
}

/// A running job that nobody owns any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    pub id: JobId,
    pub hold: Nano,
    /// The last one, if there was any.
    pub settlement: Option<CheckpointSettlement>,
}

/// Takes a lease for this long.
pub async fn take(db: &Db, gateway: &str, length_ms: i64) -> Result<LeaseId, DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        let id = LeaseId(tx.next_id("lease").await?);
        tx.execute(&INSERT, args![id, gateway, length_ms]).await?;
        tx.commit().await?;
        Ok(id)
    })
    .await
}

/// Has it last this long from now on. False when it was lost: its jobs are others' to end.
pub async fn renew(db: &Db, id: LeaseId, length_ms: i64) -> Result<bool, DbError> {
    Ok(db.execute(&RENEW, args![id, length_ms]).await? == 1)
}

/// Declares the leases lost that were not renewed in time.
pub async fn lose_expired(db: &Db) -> Result<(), DbError> {
    db.execute(&LOSE, args![]).await?;
    Ok(())
}

/// Declares all of a gateway's leases lost, before it takes a new one: its data folder is locked, so no
/// other run of it is alive.
pub async fn lose_all_of(db: &Db, gateway: &str) -> Result<(), DbError> {
    db.execute(&LOSE_ALL_OF, args![gateway]).await?;
    db.execute(&FORGET, args![]).await?;
    Ok(())
}

/// Running jobs of lost leases, past their deadline, or of this gateway and from before there were leases;
/// the oldest first, at most 1,000.
pub async fn orphans(db: &Db, gateway: &str) -> Result<Vec<Orphan>, DbError> {
    db.all(&ORPHANS, args![gateway, ORPHANS_MAX]).await
}

/// Notes how these jobs would be settled.
pub async fn checkpoint(db: &Db, checkpoints: Vec<Checkpoint>) -> Result<(), DbError> {
    db.write(Request::Checkpoint(checkpoints)).await?;
    Ok(())
}

impl Record for Orphan {
    fn read(row: &Row) -> Result<Self, DbError> {
        let settlement: Option<String> = row.maybe("settlement")?;
        let settlement = settlement.map(|json| {
            serde_json::from_str(&json)
                .map_err(|error| DbError::Corrupt(format!("a checkpoint: {error}")))
        });
        let (id, hold) = (row.get("id")?, row.get("hold")?);
        Ok(Self { id, hold, settlement: settlement.transpose()? })
    }
}

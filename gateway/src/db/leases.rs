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
            or job.deadline_ms < (select now_ms from clock)) and job.id > $2
        order by job.id limit $3";
    plain LET_GO = "update job set deadline_ms = 0 where id = $1 and state = 'running'";
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
    /// Everybody who got the work, these nodes among them; nobody in a note of an older gateway.
    #[serde(default)]
    pub asked: Vec<CheckpointAsked>,
}

/// A node that got the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointAsked {
    pub node: NodeId,
    /// From 1.
    pub round: u8,
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

/// A row that looks like one.
#[derive(Debug)]
pub struct FoundOrphan {
    /// The next ones come after it.
    pub id: String,
    /// What it says, unless it cannot be read.
    pub orphan: Result<Orphan, DbError>,
}

impl CheckpointSettlement {
    /// Nothing was delivered: the hold is given back.
    pub fn nothing(held: Nano) -> Self {
        let (charge, parts, asked) = (Settlement::nothing(held), Vec::new(), Vec::new());
        Self { completion_tokens: 0, round: 0, charge, parts, asked }
    }
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
/// by their ids, which ascend with the time, at most 1,000 after this one.
pub async fn orphans(db: &Db, gateway: &str, after: &str) -> Result<Vec<FoundOrphan>, DbError> {
    db.all(&ORPHANS, args![gateway, after, ORPHANS_MAX]).await
}

/// Leaves a running job to whoever looks for orphans.
pub async fn let_go(db: &Db, job: JobId) -> Result<(), DbError> {
    db.execute(&LET_GO, args![job]).await?;
    Ok(())
}

/// Notes how these jobs would be settled.
pub async fn checkpoint(db: &Db, checkpoints: Vec<Checkpoint>) -> Result<(), DbError> {
    db.write(Request::Checkpoint(checkpoints)).await?;
    Ok(())
}

impl Record for Orphan {
    fn read(row: &Row) -> Result<Self, DbError> {
        let (id, hold) = (row.get("id")?, row.get("hold")?);
        let settlement: Option<String> = row.maybe("settlement")?;
        let settlement = settlement.and_then(|json| {
            let read = serde_json::from_str(&json);
            read.inspect_err(|error| {
                tracing::error!(job = %id, %error, "a checkpoint cannot be read: nothing will be charged");
            })
            .ok()
        });
        Ok(Self { id, hold, settlement })
    }
}

impl Record for FoundOrphan {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self { id: row.get("id")?, orphan: Orphan::read(row) })
    }
}

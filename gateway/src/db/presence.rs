//! Which nodes are connected to which gateway right now, so that each of several gateways can tell the truth about all.
//! What a gateway wrote counts as long as the lease of that run is held.

use assay_protocol::NodeId;

use super::{
    Db, DbError, LeaseId, OperatorId,
    engine::retried,
    statement::statements,
    value::{Record, Row, args},
};

statements! { "presence";
    // A node that went to another gateway is that one's, unless that one is gone.
    plain PUT = "insert into presence (node, lease, since_ms, seen) values ($1, $2, $3, $4)
        on conflict (node) do update set lease = excluded.lease, since_ms = excluded.since_ms,
            seen = excluded.seen
        where presence.lease = excluded.lease or presence.since_ms <= excluded.since_ms
            or not exists (select 1 from lease where lease.id = presence.lease and state = 'held'
                and until_ms >= (select now_ms from clock))";
    plain REMOVE = "delete from presence where node = $1 and lease = $2";
    plain REMOVE_ALL = "delete from presence where lease = $1";
    plain FIND = "select node, seen from presence join lease on lease.id = presence.lease
        where node = $1 and state = 'held' and until_ms >= (select now_ms from clock)";
    plain OF_OPERATOR = "select presence.node, seen from presence
        join lease on lease.id = presence.lease join node on node.id = presence.node
        where node.operator = $1 and state = 'held' and until_ms >= (select now_ms from clock)
        order by presence.node limit $2";
}

/// Nodes that one transaction writes down.
const NODES_PER_COMMIT: usize = 256;
/// Nodes of one operator that are looked at.
const OF_OPERATOR_MAX: i64 = 10_000;

/// A node that is connected here.
#[derive(Clone, Debug)]
pub struct PresentNode {
    pub node: NodeId,
    pub since_ms: i64,
    /// JSON.
    pub seen: String,
}

/// A node that is connected to some gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenNode {
    pub node: NodeId,
    /// JSON.
    pub seen: String,
}

/// Writes down who is here, or is here otherwise, and who is not any more.
pub async fn write(
    db: &Db,
    lease: LeaseId,
    here: &[PresentNode],
    gone: &[NodeId],
) -> Result<(), DbError> {
    for nodes in here.chunks(NODES_PER_COMMIT) {
        retried(async || {
            let mut tx = db.begin().await?;
            for PresentNode { node, since_ms, seen } in nodes {
                tx.execute(&PUT, args![*node, lease, *since_ms, seen]).await?;
            }
            tx.commit().await
        })
        .await?;
    }
    for nodes in gone.chunks(NODES_PER_COMMIT) {
        retried(async || {
            let mut tx = db.begin().await?;
            for node in nodes {
                tx.execute(&REMOVE, args![*node, lease]).await?;
            }
            tx.commit().await
        })
        .await?;
    }
    Ok(())
}

/// Nobody is here any more.
pub async fn leave(db: &Db, lease: LeaseId) -> Result<(), DbError> {
    db.execute(&REMOVE_ALL, args![lease]).await?;
    Ok(())
}

/// A node as the gateway that it is connected to sees it; nothing where it is connected to none.
pub async fn find(db: &Db, node: NodeId) -> Result<Option<SeenNode>, DbError> {
    db.optional(&FIND, args![node]).await
}

/// An operator's nodes that are connected to any gateway.
pub async fn of_operator(db: &Db, operator: OperatorId) -> Result<Vec<SeenNode>, DbError> {
    db.all(&OF_OPERATOR, args![operator, OF_OPERATOR_MAX]).await
}

impl Record for SeenNode {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self { node: row.get("node")?, seen: row.get("seen")? })
    }
}

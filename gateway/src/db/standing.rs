//! Nodes that are out: in quarantine until a time, or banned. Written when it happens, read at log-in and after each change.

use assay_protocol::{NodeId, StandingCode};
use serde::Serialize;

use super::{
    Actor, Db, DbError, Standing, changes,
    engine::retried,
    nodes,
    statement::statements,
    transaction::Tx,
    value::{args, columns},
};

statements! { "standing";
    plain PUT = "insert into node_standing (node, code, reason, until_ms, at_ms)
        values ($1, $2, $3, $4, $5)
        on conflict (node) do update set code = excluded.code, reason = excluded.reason,
            until_ms = excluded.until_ms, at_ms = excluded.at_ms";
    plain REMOVE = "delete from node_standing where node = $1";
    plain END_QUARANTINE = "delete from node_standing where node = $1 and until_ms is not null";
}
columns!(ints: ; words: StandingCode);

/// Why a node is out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Out {
    pub code: StandingCode,
    /// For its operator.
    pub reason: String,
    /// The end of a quarantine; nothing for a ban.
    pub until_ms: Option<i64>,
}

/// Keeps a node out until a time.
///
/// # Errors
/// Those of the engine; an unknown node is one.
pub async fn quarantine(db: &Db, node: NodeId, out: &Out, at_ms: i64) -> Result<(), DbError> {
    let Out { code, reason, until_ms } = out;
    retried(async || {
        let mut tx = db.begin().await?;
        let args = args![node, *code, reason, until_ms.unwrap_or(at_ms), at_ms];
        tx.execute(&PUT, args).await?;
        changes::of_node(&mut tx, node).await?;
        tx.commit().await
    })
    .await
}

/// The quarantine is over: the node was tested anew. A ban stays.
pub async fn end_quarantine(db: &Db, node: NodeId) -> Result<(), DbError> {
    db.execute(&END_QUARANTINE, args![node]).await?;
    Ok(())
}

/// An admin bans a node, and says why.
///
/// # Errors
/// `NotFound`.
pub async fn ban(db: &Db, node: NodeId, reason: &str, by: &Actor) -> Result<(), DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        put_ban(&mut tx, node, StandingCode::ByAdmin, reason, by.at_ms).await?;
        by.did(&mut tx, "node.ban", node, reason).await?;
        tx.commit().await
    })
    .await
}

/// A ban, in the transaction that takes what the node forfeits or logs who banned it.
pub(super) async fn put_ban(
    tx: &mut Tx,
    node: NodeId,
    code: StandingCode,
    reason: &str,
    at_ms: i64,
) -> Result<(), DbError> {
    nodes::set_standing(tx, node, Standing::Banned, reason).await?;
    tx.execute(&PUT, args![node, code, reason, None::<i64>, at_ms]).await?;
    changes::of_node(tx, node).await
}

/// An admin lets a node serve again, from a ban or a quarantine.
///
/// # Errors
/// `NotFound`.
pub async fn let_back(db: &Db, node: NodeId, by: &Actor) -> Result<(), DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        nodes::set_standing(&mut tx, node, Standing::Enrolled, "").await?;
        tx.execute(&REMOVE, args![node]).await?;
        changes::of_node(&mut tx, node).await?;
        by.did(&mut tx, "node.unban", node, "").await?;
        tx.commit().await
    })
    .await
}

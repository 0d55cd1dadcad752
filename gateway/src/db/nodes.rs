//! Nodes: their keys, owners, and whether they may serve.

use assay_ledger::AccountId;
use assay_protocol::{Bytes32, NodeId};
use serde::Serialize;

use super::{
    Actor, Db, DbError, OperatorId, Out, Page, Paged, changes,
    engine::retried,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args, columns},
};

statements! { "nodes";
    plain FIND = "select node.id, public_key, operator, account, node.name, trusted, standing, node.reason,
            node.created_ms, last_seen_ms, node_standing.code as out_code,
            node_standing.reason as out_reason, node_standing.until_ms as out_until_ms
        from node join operator on operator.id = node.operator
        left join node_standing on node_standing.node = node.id where node.id = $1";
    plain LIST = "select node.id, public_key, operator, account, node.name, trusted, standing, node.reason,
            node.created_ms, last_seen_ms, node_standing.code as out_code,
            node_standing.reason as out_reason, node_standing.until_ms as out_until_ms
        from node join operator on operator.id = node.operator
        left join node_standing on node_standing.node = node.id
        where node.id > $1 order by node.id limit $2";
    plain PUBLIC_KEYS = "select id, public_key from node order by id limit $1";
    plain LIST_OF = "select node.id, public_key, operator, account, node.name, trusted, standing, node.reason,
            node.created_ms, last_seen_ms, node_standing.code as out_code,
            node_standing.reason as out_reason, node_standing.until_ms as out_until_ms
        from node join operator on operator.id = node.operator
        left join node_standing on node_standing.node = node.id
        where operator = $1 and node.id > $2 order by node.id limit $3";
    plain SET_TRUSTED = "update node set trusted = $2 where id = $1";
    plain SET_STANDING = "update node set standing = $2, reason = $3 where id = $1";
    plain SET_LAST_SEEN = "update node set last_seen_ms = $2 where id = $1";
}

/// Nodes whose keys one call returns.
const PUBLIC_KEYS_MAX: u32 = 50_000;

/// Whether a node may serve at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Enrolled,
    Banned,
}

/// A node as it is known, connected or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeRow {
    pub id: NodeId,
    pub public_key: Bytes32,
    pub operator: OperatorId,
    /// The operator's account, which pay goes to.
    pub account: AccountId,
    pub name: String,
    /// Whether an admin made it a scorer.
    pub trusted: bool,
    pub standing: Standing,
    /// Why it is banned; empty otherwise.
    pub reason: String,
    /// Why it is out, for a while or for good.
    pub out: Option<Out>,
    pub created_ms: i64,
    pub last_seen_ms: Option<i64>,
}

impl NodeRow {
    /// Whether it may not serve.
    pub fn is_banned(&self) -> bool {
        self.standing == Standing::Banned
    }
}

/// The node.
pub async fn find(db: &Db, id: NodeId) -> Result<Option<NodeRow>, DbError> {
    db.optional(&FIND, args![id]).await
}

/// An operator's nodes, by id.
pub async fn list_of(
    db: &Db,
    operator: OperatorId,
    page: &Page,
) -> Result<Paged<NodeRow>, DbError> {
    let rows = db.all(&LIST_OF, args![operator, page.after_name(), page.fetch()]).await?;
    Ok(Paged::cut(rows, page, |row: &NodeRow| row.id.to_string()))
}

/// All nodes, by id.
pub async fn list(db: &Db, page: &Page) -> Result<Paged<NodeRow>, DbError> {
    let rows = db.all(&LIST, args![page.after_name(), page.fetch()]).await?;
    Ok(Paged::cut(rows, page, |row: &NodeRow| row.id.to_string()))
}

/// What nodes sign with, at most [`PUBLIC_KEYS_MAX`].
pub async fn public_keys(db: &Db) -> Result<Vec<(NodeId, Bytes32)>, DbError> {
    let rows: Vec<PublicKey> = db.all(&PUBLIC_KEYS, args![PUBLIC_KEYS_MAX]).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.key)).collect())
}

/// An admin makes it a scorer, or an ordinary node again.
///
/// # Errors
/// `NotFound`.
pub async fn set_trusted(db: &Db, id: NodeId, trusted: bool, by: &Actor) -> Result<(), DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        is_there(id, tx.execute(&SET_TRUSTED, args![id, trusted]).await?)?;
        changes::of_node(&mut tx, id).await?;
        let detail = if trusted { "trusted" } else { "not trusted" };
        by.did(&mut tx, "node.trust", id, detail).await?;
        tx.commit().await
    })
    .await
}

/// Notes when it was last connected.
///
/// # Errors
/// `NotFound`.
pub async fn set_last_seen(db: &Db, id: NodeId, at_ms: i64) -> Result<(), DbError> {
    is_there(id, db.execute(&SET_LAST_SEEN, args![id, at_ms]).await?)
}

/// Enrolled or banned, in the transaction that says why.
///
/// # Errors
/// `NotFound`.
pub(super) async fn set_standing(
    tx: &mut Tx,
    id: NodeId,
    standing: Standing,
    reason: &str,
) -> Result<(), DbError> {
    is_there(id, tx.execute(&SET_STANDING, args![id, standing, reason]).await?)
}

/// What a change of one node changed.
fn is_there(id: NodeId, rows: u64) -> Result<(), DbError> {
    match rows {
        0 => Err(DbError::NotFound(format!("node {id}"))),
        _ => Ok(()),
    }
}

impl Standing {
    /// The word in the store and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::Banned => "banned",
        }
    }

    /// Reads that word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Enrolled, Self::Banned].into_iter().find(|standing| standing.as_str() == word)
    }
}
columns!(ints: ; words: Standing);

struct PublicKey {
    id: NodeId,
    key: Bytes32,
}

impl Record for PublicKey {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self { id: row.get("id")?, key: row.get("public_key")? })
    }
}

impl Record for NodeRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            public_key: row.get("public_key")?,
            operator: row.get("operator")?,
            account: row.get("account")?,
            name: row.get("name")?,
            trusted: row.get("trusted")?,
            standing: row.get("standing")?,
            reason: row.get("reason")?,
            out: out(row)?,
            created_ms: row.get("created_ms")?,
            last_seen_ms: row.maybe("last_seen_ms")?,
        })
    }
}

fn out(row: &Row) -> Result<Option<Out>, DbError> {
    let Some(code) = row.maybe("out_code")? else { return Ok(None) };
    let (reason, until_ms) = (row.get("out_reason")?, row.maybe("out_until_ms")?);
    Ok(Some(Out { code, reason, until_ms }))
}

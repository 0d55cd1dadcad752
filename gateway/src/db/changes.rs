//! Which nodes stand otherwise than before, are trusted otherwise, or are of an operator with another payout address:
//! numbered, so that each gateway looks only at what it does not know yet.

use assay_protocol::NodeId;

use super::{
    Db, DbError, OperatorId,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "changes";
    plain LAST = "select next - 1 as number from counter where name = 'standing'";
    // Whoever has the number has the node: nobody waits for the one with the other.
    locking LOCK_NODE = "select id from node where id = $1";
    plain NODE = "update node set changed = $2 where id = $1";
    plain OPERATOR = "update operator set changed = $2 where id = $1";
    plain SINCE = "select id from node where id > $2
            and (changed > $1 or operator in (select id from operator where changed > $1))
        order by id limit $3";
}

/// Nodes read at once.
const ROWS_PER_FETCH: i64 = 1_000;

/// The number of the last change.
pub async fn last(db: &Db) -> Result<i64, DbError> {
    let found: Option<Number> = db.optional(&LAST, args![]).await?;
    found.map(|found| found.0).ok_or_else(|| DbError::Corrupt("no counter standing".into()))
}

/// All nodes that something changed about after the change of this number.
pub async fn since(db: &Db, number: i64) -> Result<Vec<NodeId>, DbError> {
    let mut all: Vec<NodeId> = Vec::new();
    loop {
        let after = all.last().map(NodeId::to_string).unwrap_or_default();
        let page: Vec<Changed> = db.all(&SINCE, args![number, after, ROWS_PER_FETCH]).await?;
        let last = (page.len() as i64) < ROWS_PER_FETCH;
        all.extend(page.into_iter().map(|changed| changed.0));
        if last {
            return Ok(all);
        }
    }
}

/// Where a node stands changed in this transaction, or its trust did. Told after all that but for the admins' log: until
/// the commit nobody else gets a number, so they ascend with the commits.
pub(super) async fn of_node(tx: &mut Tx, node: NodeId) -> Result<(), DbError> {
    let _: Option<Changed> = tx.optional(&LOCK_NODE, args![node]).await?;
    let number = tx.next_id("standing").await?;
    tx.execute(&NODE, args![node, number]).await?;
    Ok(())
}

/// The same, of the payout address of an operator, which is locked.
pub(super) async fn of_operator(tx: &mut Tx, operator: OperatorId) -> Result<(), DbError> {
    let number = tx.next_id("standing").await?;
    tx.execute(&OPERATOR, args![operator, number]).await?;
    Ok(())
}

struct Number(i64);

struct Changed(NodeId);

impl Record for Number {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("number").map(Self)
    }
}

impl Record for Changed {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("id").map(Self)
    }
}

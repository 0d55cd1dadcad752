//! One-time tokens that make nodes.

use assay_protocol::{Bytes32, NodeId};

use super::{
    Bound, By, Db, DbError, NodeRow, OperatorId,
    engine::retried,
    nodes, operators,
    statement::statements,
    transaction::Tx,
    value::{Count, Record, Row, args},
};

statements! { "enrolments";
    plain INSERT = "insert into enrolment (token_hash, operator, created_ms, expires_ms)
        values ($1, $2, $3, $4)";
    plain OPEN = "select count(*) as number from enrolment
        where operator = $1 and node is null and expires_ms > $2";
    locking LOCK = "select operator, expires_ms, node from enrolment where token_hash = $1";
    plain INSERT_NODE = "insert into node
            (id, public_key, operator, name, trusted, standing, reason, created_ms)
        values ($1, $2, $3, $4, 0, 'enrolled', '', $5) on conflict do nothing";
    plain SPEND = "update enrolment set node = $2 where token_hash = $1 and node is null";
    plain PUBLIC_KEY = "select public_key from node where id = $1";
}

/// Unused tokens that an operator may have at once.
pub const OPEN_MAX: u32 = 100;

/// A token to keep; only its hash is.
#[derive(Clone, Debug)]
pub struct NewEnrolment {
    pub token_hash: Bytes32,
    pub operator: OperatorId,
    pub created_ms: i64,
    pub expires_ms: i64,
}

/// What a node brings to become one.
#[derive(Clone, Debug)]
pub struct Redeem {
    pub token_hash: Bytes32,
    /// The id it gets, made by the caller.
    pub node: NodeId,
    pub public_key: Bytes32,
    pub name: String,
    pub now_ms: i64,
}

/// Why a token makes no node.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    #[error("the enrolment token is not known")]
    Unknown,
    #[error("the enrolment token has expired: ask the operator for a new one")]
    Expired,
    #[error("the enrolment token was used by another node: ask the operator for a new one")]
    Used,
    #[error("this key is enrolled already: make a new one, or use the node that has it")]
    KeyTaken,
    #[error(transparent)]
    Store(#[from] DbError),
}

/// Keeps a token.
///
/// # Errors
/// `NotFound` when the operator does not exist, `Conflict` when the hash is known, `Full` when too many are unused.
pub async fn create(db: &Db, new: &NewEnrolment, by: By<'_>) -> Result<(), DbError> {
    let NewEnrolment { token_hash, operator, created_ms, expires_ms } = new;
    retried(async || {
        let mut tx = db.begin().await?;
        operators::lock(&mut tx, *operator).await?;
        let open: Option<Count> = tx.optional(&OPEN, args![*operator, *created_ms]).await?;
        if open.is_some_and(|open| open.0 >= OPEN_MAX) {
            return Err(DbError::Full(Bound::EnrolmentTokens(OPEN_MAX)));
        }
        tx.execute(&INSERT, args![*token_hash, *operator, *created_ms, *expires_ms]).await?;
        by.did(&mut tx, "enrolment.create", operator.0, format!("expires {expires_ms}")).await?;
        tx.commit().await
    })
    .await
}

/// Spends a token on a node. The same key may ask again, if it missed the answer: it gets the same node.
pub async fn redeem(db: &Db, redeem: &Redeem) -> Result<NodeRow, RedeemError> {
    let node = retried(async || {
        let mut tx = db.begin().await?;
        let node = spend(&mut tx, redeem).await?;
        tx.commit().await?;
        Ok(node)
    })
    .await??;
    let row = nodes::find(db, node).await?;
    Ok(row.ok_or_else(|| DbError::NotFound(format!("node {node}")))?)
}

/// The node that the token makes or made; the inner error is the caller's.
async fn spend(tx: &mut Tx, redeem: &Redeem) -> Result<Result<NodeId, RedeemError>, DbError> {
    let Redeem { token_hash, node, public_key, name, now_ms } = redeem;
    let Some(token) = tx.optional::<Token>(&LOCK, args![*token_hash]).await? else {
        return Ok(Err(RedeemError::Unknown));
    };
    if let Some(node) = token.node {
        let key: Option<PublicKey> = tx.optional(&PUBLIC_KEY, args![node]).await?;
        let same = key.is_some_and(|key| key.0 == *public_key);
        return Ok(if same { Ok(node) } else { Err(RedeemError::Used) });
    }
    if token.expires_ms <= *now_ms {
        return Ok(Err(RedeemError::Expired));
    }
    let args = args![*node, *public_key, token.operator, name, *now_ms];
    if tx.execute(&INSERT_NODE, args).await? == 0 {
        return Ok(Err(RedeemError::KeyTaken));
    }
    let spent = tx.execute(&SPEND, args![*token_hash, *node]).await?;
    assert_eq!(spent, 1, "a locked, unspent token is spent once");
    Ok(Ok(*node))
}

struct PublicKey(Bytes32);

struct Token {
    operator: OperatorId,
    expires_ms: i64,
    node: Option<NodeId>,
}

impl Record for Token {
    fn read(row: &Row) -> Result<Self, DbError> {
        let (operator, expires_ms) = (row.get("operator")?, row.get("expires_ms")?);
        Ok(Self { operator, expires_ms, node: row.maybe("node")? })
    }
}

impl Record for PublicKey {
    fn read(row: &Row) -> Result<Self, DbError> {
        row.get("public_key").map(Self)
    }
}

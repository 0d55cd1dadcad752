//! Invitations: one-time tokens with which somebody becomes an operator.

use assay_ledger::AccountKind;
use assay_protocol::Bytes32;

use super::{
    Actor, Db, DbError, OperatorId, Page, Paged, accounts,
    engine::retried,
    logins, operators,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "invitations";
    plain INSERT = "insert into invitation (id, token_hash, note, created_ms, expires_ms)
        values ($1, $2, $3, $4, $5)";
    locking LOCK = "select id, note, created_ms, expires_ms, operator from invitation where token_hash = $1";
    plain SPEND = "update invitation set operator = $2 where id = $1 and operator is null";
    plain LIST = "select id, note, created_ms, expires_ms, operator from invitation
        where id < $1 order by id desc limit $2";
}

/// An invitation to keep; of its token only the hash.
#[derive(Clone, Debug)]
pub struct NewInvitation {
    pub token_hash: Bytes32,
    /// For whom; for people.
    pub note: String,
    pub created_ms: i64,
    pub expires_ms: i64,
}

/// An invitation as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRow {
    pub id: i64,
    pub note: String,
    pub created_ms: i64,
    pub expires_ms: i64,
    /// Who came of it.
    pub operator: Option<OperatorId>,
}

/// Somebody who has an invitation.
#[derive(Clone, Debug)]
pub struct SignUp {
    pub token_hash: Bytes32,
    pub name: String,
    /// Of the secret that they will log in with.
    pub secret_hash: Bytes32,
    pub now_ms: i64,
}

/// Why an invitation makes no operator.
#[derive(Debug, thiserror::Error)]
pub enum SignUpError {
    #[error("this invitation is not known")]
    Unknown,
    #[error("this invitation has expired: ask for a new one")]
    Expired,
    #[error("this invitation was used: ask for a new one")]
    Used,
    #[error(transparent)]
    Store(#[from] DbError),
}

/// An admin invites somebody; the invitation's number.
pub async fn create(db: &Db, new: &NewInvitation, by: &Actor) -> Result<i64, DbError> {
    let NewInvitation { token_hash, note, created_ms, expires_ms } = new;
    retried(async || {
        let mut tx = db.begin().await?;
        let id = tx.next_id("invitation").await?;
        tx.execute(&INSERT, args![id, *token_hash, note, *created_ms, *expires_ms]).await?;
        by.did(&mut tx, "invitation.create", id, &**note).await?;
        tx.commit().await?;
        Ok(id)
    })
    .await
}

/// All invitations, the last first.
pub async fn list(db: &Db, page: &Page) -> Result<Paged<InvitationRow>, DbError> {
    let rows = db.all(&LIST, args![page.before_number()?, page.fetch()]).await?;
    Ok(Paged::cut(rows, page, |row: &InvitationRow| row.id.to_string()))
}

/// Makes an operator with an account and a secret, and uses the invitation up.
pub async fn sign_up(db: &Db, sign_up: &SignUp) -> Result<OperatorId, SignUpError> {
    retried(async || {
        let mut tx = db.begin().await?;
        let operator = spend(&mut tx, sign_up).await?;
        tx.commit().await?;
        Ok(operator)
    })
    .await?
}

/// The inner error is the caller's.
async fn spend(tx: &mut Tx, sign_up: &SignUp) -> Result<Result<OperatorId, SignUpError>, DbError> {
    let SignUp { token_hash, name, secret_hash, now_ms } = sign_up;
    let Some(row) = tx.optional::<InvitationRow>(&LOCK, args![*token_hash]).await? else {
        return Ok(Err(SignUpError::Unknown));
    };
    if row.operator.is_some() {
        return Ok(Err(SignUpError::Used));
    }
    if row.expires_ms <= *now_ms {
        return Ok(Err(SignUpError::Expired));
    }
    let account = accounts::insert(tx, AccountKind::Operator, name, *now_ms).await?;
    let operator = operators::insert(tx, account.id, name, *now_ms).await?;
    logins::insert_secret(tx, operator, *secret_hash, *now_ms).await?;
    let spent = tx.execute(&SPEND, args![row.id, operator]).await?;
    assert_eq!(spent, 1, "a locked, unspent invitation is spent once");
    Ok(Ok(operator))
}

impl Record for InvitationRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            note: row.get("note")?,
            created_ms: row.get("created_ms")?,
            expires_ms: row.get("expires_ms")?,
            operator: row.maybe("operator")?,
        })
    }
}

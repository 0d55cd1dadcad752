//! What admins did. Whatever only an admin can have done takes an [`Actor`], and writes its line in the very
//! transaction that does it: no end of the program, however sudden, leaves an act without its line.

use serde::Serialize;

use super::{
    Db, DbError, Page, Paged,
    engine::retried,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "admin_log";
    plain INSERT = "insert into admin_log (id, at_ms, actor, action, subject, detail)
        values ($1, $2, $3, $4, $5, $6)";
    plain LIST = "select id, at_ms, actor, action, subject, detail from admin_log
        where id < $1 order by id desc limit $2";
}

/// Somebody who acts as an admin, at this moment.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Who, and in which session.
    pub name: String,
    pub at_ms: i64,
}

/// On whose word something is done that not only admins do.
#[derive(Clone, Copy, Debug)]
pub enum By<'a> {
    Admin(&'a Actor),
    /// Whoever it belongs to, or the gateway by itself: that is nothing for the admins' log.
    Own,
}

/// What an admin did, in the words of the log; never with a secret.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) actor: Actor,
    /// In a word: `credits.grant`, `node.ban`.
    pub(super) action: &'static str,
    /// On what: a node's id, an account's number.
    pub(super) subject: String,
    pub(super) detail: String,
}

/// The same, as it was logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActionRow {
    pub id: i64,
    pub at_ms: i64,
    pub actor: String,
    pub action: String,
    pub subject: String,
    pub detail: String,
}

impl Actor {
    /// Writes down what this transaction does for them. Let it be the last thing before the commit: the
    /// numbers of the lines are everybody's.
    pub(super) async fn did(
        &self,
        tx: &mut Tx,
        action: &'static str,
        subject: impl ToString,
        detail: impl Into<String>,
    ) -> Result<(), DbError> {
        let (actor, subject, detail) = (self.clone(), subject.to_string(), detail.into());
        write(tx, &[&Line { actor, action, subject, detail }]).await
    }
}

impl By<'_> {
    /// The same, where it was an admin.
    pub(super) async fn did(
        &self,
        tx: &mut Tx,
        action: &'static str,
        subject: impl ToString,
        detail: impl Into<String>,
    ) -> Result<(), DbError> {
        match self {
            Self::Admin(actor) => actor.did(tx, action, subject, detail).await,
            Self::Own => Ok(()),
        }
    }
}

/// Writes lines in the transaction that does what they say.
pub(super) async fn write(tx: &mut Tx, lines: &[&Line]) -> Result<(), DbError> {
    for Line { actor: Actor { name, at_ms }, action, subject, detail } in lines {
        let id = tx.next_id("admin_log").await?;
        tx.execute(&INSERT, args![id, *at_ms, name, *action, subject, detail]).await?;
        tracing::info!(action, subject, "admin action");
    }
    Ok(())
}

/// Logs what changes nothing in the store itself. Before it is done: a line too many is better than none.
pub async fn append(
    db: &Db,
    actor: &Actor,
    action: &'static str,
    subject: &str,
    detail: &str,
) -> Result<(), DbError> {
    retried(async || {
        let mut tx = db.begin().await?;
        actor.did(&mut tx, action, subject, detail).await?;
        tx.commit().await
    })
    .await
}

/// All actions, the last first.
pub async fn list(db: &Db, page: &Page) -> Result<Paged<ActionRow>, DbError> {
    let rows = db.all(&LIST, args![page.before_number()?, page.fetch()]).await?;
    Ok(Paged::cut(rows, page, |row: &ActionRow| row.id.to_string()))
}

impl Record for ActionRow {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            at_ms: row.get("at_ms")?,
            actor: row.get("actor")?,
            action: row.get("action")?,
            subject: row.get("subject")?,
            detail: row.get("detail")?,
        })
    }
}

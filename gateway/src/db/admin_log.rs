//! What admins did.

use serde::Serialize;

use super::{
    Db, DbError, Page, Paged,
    engine::retried,
    statement::statements,
    value::{Record, Row, args},
};

statements! { "admin_log";
    plain INSERT = "insert into admin_log (id, at_ms, actor, action, subject, detail)
        values ($1, $2, $3, $4, $5, $6)";
    plain LIST = "select id, at_ms, actor, action, subject, detail from admin_log
        where id < $1 order by id desc limit $2";
}

/// Something an admin did; never with a secret.
#[derive(Clone, Debug)]
pub struct NewAction {
    pub at_ms: i64,
    pub actor: String,
    /// In a word: `grant`, `ban`.
    pub action: String,
    /// On what: a node's id, an account's number.
    pub subject: String,
    pub detail: String,
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

/// Logs an action.
pub async fn append(db: &Db, new: &NewAction) -> Result<(), DbError> {
    let NewAction { at_ms, actor, action, subject, detail } = new;
    retried(async || {
        let mut tx = db.begin().await?;
        let id = tx.next_id("admin_log").await?;
        tx.execute(&INSERT, args![id, *at_ms, actor, action, subject, detail]).await?;
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

//! The checks that made a node's record, each with what it added and the sums after it.

use assay_protocol::{JobId, NodeId};
use assay_verifier::reputation::Evidence;

use super::EvidenceDelta;
use crate::db::{
    Db, DbError, Page, Paged,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "reputation::history";
    // The row of the sums is this transaction's until it ends, so its number of checks is this check's.
    plain NOTE = "insert into reputation_check
            (node, model, number, job, at_ms, pass_micro, fail_micro, passes_micro, failures_micro)
        select node, model, checks, cast($3 as text), cast($4 as bigint), cast($5 as bigint),
            cast($6 as bigint), passes_micro, failures_micro
        from reputation where node = $1 and model = $2";
    // An absent filter is an empty text.
    plain LIST = "select model, number, job, at_ms, pass_micro, fail_micro, passes_micro, failures_micro
        from reputation_check where node = $1 and ($2 = '' or model = $2)
            and (at_ms < $3 or (at_ms = $3 and model || '/' || cast(1000000000 + number as text) < $4))
        order by at_ms desc, model || '/' || cast(1000000000 + number as text) desc limit $5";
}

/// One check of a node, as its record has it.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckRow {
    pub model: String,
    /// From 1, for this node and model.
    pub number: i64,
    pub job: JobId,
    pub at_ms: i64,
    pub passed: bool,
    /// What it could teach, 0 to 1.
    pub weight: f64,
    /// The sums after it.
    pub evidence: Evidence,
}

/// A node's checks, the last first; with one model, if wanted.
pub async fn of_node(
    db: &Db,
    node: NodeId,
    model: Option<&str>,
    page: &Page,
) -> Result<Paged<CheckRow>, DbError> {
    let (time, name) = page.before_time()?;
    let args = args![node, model.unwrap_or_default(), time, name, page.fetch()];
    let rows = db.all(&LIST, args).await?;
    Ok(Paged::cut(rows, page, |row: &CheckRow| {
        format!("{}.{}/{}", row.at_ms, row.model, 1_000_000_000 + row.number)
    }))
}

/// Notes a check whose sums were just written. One that taught nothing leaves none.
pub(super) async fn note(
    tx: &mut Tx,
    node: NodeId,
    model: &str,
    job: JobId,
    delta: EvidenceDelta,
    at_ms: i64,
) -> Result<(), DbError> {
    if delta.teaches() {
        let EvidenceDelta { pass_micro, fail_micro, .. } = delta;
        tx.execute(&NOTE, args![node, model, job, at_ms, pass_micro, fail_micro]).await?;
    }
    Ok(())
}

impl Record for CheckRow {
    #[expect(clippy::cast_precision_loss, reason = "the sums stay under 2^40")]
    fn read(row: &Row) -> Result<Self, DbError> {
        let units = |column: &str| Ok::<_, DbError>(row.get::<i64>(column)? as f64 / 1e6);
        let (pass, fail) = (units("pass_micro")?, units("fail_micro")?);
        Ok(Self {
            model: row.get("model")?,
            number: row.get("number")?,
            job: row.get("job")?,
            at_ms: row.get("at_ms")?,
            passed: fail == 0.0,
            weight: pass.max(fail),
            evidence: Evidence {
                passes: units("passes_micro")?,
                failures: units("failures_micro")?,
            },
        })
    }
}

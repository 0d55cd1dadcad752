//! Ends a job exactly once: the hold is settled or given back, and every node's part is written.

use assay_ledger::{Command, Digest, Nano, Rejected};

use super::{JobEnd, JobNodeEnd, open::hold_of};
use crate::db::{
    Db, DbError,
    engine::retried,
    posting::{JournalHead, post},
    reputation,
    statement::statements,
    transaction::Tx,
    value::{Record, Row, args},
};

statements! { "jobs::end";
    locking LOCK = "select model, hold, end_digest from job where id = $1";
    plain END = "update job set state = $2, finish = $3, completion_tokens = $4, rounds = $5, cost = $6,
            fee = $7, reserve = $8, returned = $9, reason = $10, verdict = $11, ended_ms = $12,
            end_digest = $13
        where id = $1 and state = 'running'";
    plain INSERT_NODE = "insert into job_node
            (job, part, round, role, node, outcome, reason, evidence, tokens, pay, elapsed_ms)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
}

/// Ends a job. The same end told again is fine and changes nothing.
///
/// # Errors
/// `NotFound`; `Conflict` when the job ended otherwise before; `Wrong` when the end contradicts itself;
/// `Rejected` when the charge does not account for the hold.
pub async fn end(db: &Db, end: &JobEnd) -> Result<(), DbError> {
    end.check()?;
    let digest = end.digest();
    retried(async || {
        let journal = db.next_journal_id().await?;
        let mut tx = db.begin().await?;
        let job: Option<Job> = tx.optional(&LOCK, args![end.id]).await?;
        let job = job.ok_or_else(|| DbError::NotFound(format!("job {}", end.id)))?;
        match job.end_digest {
            Some(first) if first == digest => return Ok(()),
            Some(_) => return Err(DbError::Conflict(format!("job {} ended otherwise", end.id))),
            None if end.charge.accounts_for(job.hold) => {}
            None => return Err(Rejected::NotAccountedFor { held: job.hold }.into()),
        }
        end_hold(&mut tx, end, journal).await?;
        end_row(&mut tx, end, digest).await?;
        end_parts(&mut tx, end, &job.model).await?;
        tx.commit().await
    })
    .await
}

async fn end_hold(tx: &mut Tx, end: &JobEnd, journal: i64) -> Result<(), DbError> {
    let hold = hold_of(end.id);
    let command = if end.charge.is_nothing() {
        Command::Void { hold }
    } else {
        Command::Settle { hold, settlement: end.charge.clone() }
    };
    let head = JournalHead { id: journal, note: "", at_ms: end.ended_ms };
    let posting = post(tx, head, &command).await?;
    assert!(!posting.repeated, "job {} runs, so its hold cannot have ended", end.id);
    Ok(())
}

async fn end_row(tx: &mut Tx, end: &JobEnd, digest: Digest) -> Result<(), DbError> {
    let JobEnd { id, state, finish, completion_tokens, rounds, reason, verdict, .. } = end;
    let charge = &end.charge;
    let args = args![
        *id,
        *state,
        finish.as_ref(),
        *completion_tokens,
        *rounds,
        charge.cost,
        charge.fee,
        charge.reserve,
        charge.returned,
        reason,
        verdict.as_ref(),
        end.ended_ms,
        digest,
    ];
    let changed = tx.execute(&END, args).await?;
    assert_eq!(changed, 1, "job {id} was locked while it ran");
    Ok(())
}

/// Nodes in the order of their ids, so that no two jobs wait for each other's reputations.
async fn end_parts(tx: &mut Tx, end: &JobEnd, model: &str) -> Result<(), DbError> {
    let mut parts: Vec<(i64, &JobNodeEnd)> = (0..).zip(&end.nodes).collect();
    parts.sort_by_key(|(_, part)| part.node);
    for (at, part) in parts {
        let JobNodeEnd { node, round, role, outcome, reason, evidence, .. } = part;
        let JobNodeEnd { tokens, pay, elapsed_ms, reputation, .. } = *part;
        let outcome = outcome.as_str();
        let args = args![
            end.id, at, *round, *role, *node, outcome, reason, evidence, tokens, pay, elapsed_ms
        ];
        tx.execute(&INSERT_NODE, args).await?;
        if let Some(delta) = reputation {
            reputation::record(tx, *node, model, delta, end.ended_ms).await?;
        }
    }
    Ok(())
}

struct Job {
    model: String,
    hold: Nano,
    end_digest: Option<Digest>,
}

impl Record for Job {
    fn read(row: &Row) -> Result<Self, DbError> {
        let (model, hold) = (row.get("model")?, row.get("hold")?);
        Ok(Self { model, hold, end_digest: row.maybe("end_digest")? })
    }
}

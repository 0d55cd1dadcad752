//! Opens a job: its row and its hold, or neither.

use assay_ledger::{Command, HoldId, Nano, Rejected};
use assay_protocol::JobId;

use super::NewJob;
use crate::db::{
    Db, DbError,
    engine::retried,
    posting::{JournalHead, post},
    statement::statements,
    value::args,
};

statements! { "jobs::open";
    plain INSERT = "insert into job (id, gateway, account, api_key, model, policy, prompt_tokens,
            max_tokens, hold, created_ms, state, completion_tokens, rounds, cost, fee, reserve,
            returned, reason)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'running', 0, 0, 0, 0, 0, 0, '')";
}

/// Why a job is not opened. Nothing is held then.
#[derive(Debug, thiserror::Error)]
pub enum OpenJobError {
    #[error("{available} credits are available, the job may cost {needed}")]
    InsufficientCredit { available: Nano, needed: Nano },
    #[error(transparent)]
    Store(#[from] DbError),
}

/// Holds the highest cost and writes the job's row. Once more with the same id, account and hold changes
/// nothing.
///
/// # Errors
/// [`OpenJobError`].
pub async fn open(db: &Db, job: &NewJob) -> Result<(), OpenJobError> {
    let hold = Command::Hold { hold: hold_of(job.id), account: job.account, amount: job.hold };
    let opened = retried(async || {
        let head = JournalHead { id: db.next_journal_id().await?, note: "", at_ms: job.created_ms };
        let mut tx = db.begin().await?;
        if post(&mut tx, head, &hold).await?.repeated {
            return Ok(());
        }
        let NewJob { id, gateway, account, key, model, policy, .. } = job;
        let NewJob { prompt_tokens, max_tokens, hold, created_ms, .. } = *job;
        let tokens = (prompt_tokens, max_tokens);
        let args = args![
            *id, gateway, *account, *key, model, policy, tokens.0, tokens.1, hold, created_ms
        ];
        tx.execute(&INSERT, args).await?;
        tx.commit().await
    });
    opened.await.map_err(|error| match error {
        DbError::Rejected(Rejected::InsufficientCredit { available, needed }) => {
            OpenJobError::InsufficientCredit { available, needed }
        }
        other => OpenJobError::Store(other),
    })
}

/// A job's hold has the job's id.
pub(super) fn hold_of(job: JobId) -> HoldId {
    HoldId(job.0.as_u128())
}

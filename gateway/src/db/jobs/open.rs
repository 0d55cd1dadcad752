//! Opens a job: its row and its hold, or neither.

use assay_ledger::{HoldId, Nano, Rejected};
use assay_protocol::JobId;

use super::NewJob;
use crate::db::{Db, DbError, bulk::bulks, transaction::Tx, value::Arg, writer::Request};

bulks! { "jobs::open";
    plain INSERT = "insert into job (id, gateway, account, api_key, model, policy, prompt_tokens,
            max_tokens, hold, created_ms, lease, deadline_ms, state, completion_tokens, rounds, cost,
            fee, reserve, returned, reason) values ",
        "($, $, $, $, $, $, $, $, $, $, $, (select now_ms from clock) + $, 'running', 0, 0, 0, 0, 0, 0, '')",
        "";
}

/// Why a job is not opened. Nothing is held then.
#[derive(Debug, thiserror::Error)]
pub enum OpenJobError {
    #[error("{available} credits are available, the job may cost {needed}")]
    InsufficientCredit { available: Nano, needed: Nano },
    #[error("the account has {max} jobs running, which is the most it may have at once")]
    TooManyHolds { max: u32 },
    #[error("{left} of the key's budget for today is left, the job may cost {needed}")]
    OverBudget { left: Nano, needed: Nano },
    #[error(transparent)]
    Store(#[from] DbError),
}

/// Holds the highest cost and writes the job's row. Once more with the same id, account and hold changes
/// nothing.
///
/// # Errors
/// [`OpenJobError`].
pub async fn open(db: &Db, job: &NewJob) -> Result<(), OpenJobError> {
    open_all(db, vec![job.clone()]).await
}

/// Opens all of these jobs of one request, or none: at most [`JOBS_AT_ONCE_MAX`], of one account and key.
///
/// # Errors
/// [`OpenJobError`].
pub async fn open_all(db: &Db, jobs: Vec<NewJob>) -> Result<(), OpenJobError> {
    match db.write(Request::Open(jobs)).await {
        Ok(_) => Ok(()),
        Err(DbError::Rejected(Rejected::InsufficientCredit { available, needed })) => {
            Err(OpenJobError::InsufficientCredit { available, needed })
        }
        Err(DbError::TooManyHolds { max }) => Err(OpenJobError::TooManyHolds { max }),
        Err(DbError::OverBudget { left, needed }) => Err(OpenJobError::OverBudget { left, needed }),
        Err(other) => Err(OpenJobError::Store(other)),
    }
}

/// The choices that one request may have.
pub const JOBS_AT_ONCE_MAX: usize = 128;

/// A job's hold has the job's id.
pub(in crate::db) fn hold_of(job: JobId) -> HoldId {
    HoldId(job.0.as_u128())
}

/// Writes the rows of jobs whose holds were just taken.
pub(in crate::db) async fn insert_all(tx: &mut Tx, jobs: &[&NewJob]) -> Result<(), DbError> {
    let mut args: Vec<Arg> = Vec::with_capacity(jobs.len() * 12);
    for job in jobs {
        let NewJob { id, gateway, account, key, model, policy, .. } = job;
        let NewJob { prompt_tokens, max_tokens, hold, created_ms, .. } = **job;
        args.extend([(*id).into(), gateway.into(), (*account).into(), (*key).into()]);
        args.extend([model.into(), policy.into(), prompt_tokens.into(), max_tokens.into()]);
        args.extend([hold.into(), created_ms.into(), job.lease.into(), job.lasts_ms_max.into()]);
    }
    tx.execute_all(&INSERT, &args).await?;
    Ok(())
}

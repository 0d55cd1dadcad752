//! One step of a withdrawal: a single conditional write, whoever asks and however often.

use assay_ledger::{Command, HoldId};
use uuid::Uuid;

use super::{WithdrawalRow, WithdrawalState};
use crate::db::{
    By, Db, DbError,
    engine::retried,
    posting::{JournalHead, post},
    statement::statements,
    value::args,
};

statements! { "withdrawals::advance";
    locking LOCK = "select id, operator, account, amount, address, rail, state, reason, reference, created_ms,
            changed_ms, ended_ms from withdrawal where id = $1";
    plain MOVE = "update withdrawal set state = $2, reason = $3, reference = $4, changed_ms = $5, ended_ms = $6
        where id = $1";
}

/// Where a withdrawal goes next, and on whose word.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    pub to: WithdrawalState,
    /// Why it comes to nothing.
    pub reason: &'a str,
    /// What proves that it was sent.
    pub reference: Option<&'a str>,
    pub by: By<'a>,
    pub at_ms: i64,
}

/// A withdrawal after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advanced {
    pub row: WithdrawalRow,
    /// Whether it was this step that moved it.
    pub moved: bool,
}

impl<'a> Step<'a> {
    /// With nothing to say about it.
    pub fn to(to: WithdrawalState, by: By<'a>, at_ms: i64) -> Self {
        Self { to, reason: "", reference: None, by, at_ms }
    }
}

/// Moves a withdrawal on, and ends its hold where that is its end. Once more the same changes nothing.
///
/// # Errors
/// `NotFound`; `Conflict` when it cannot go there from where it is, or was sent with another reference.
pub async fn advance(db: &Db, id: &str, step: Step<'_>) -> Result<Advanced, DbError> {
    let Step { to, reason, reference, by, at_ms } = step;
    let reference = reference.map(str::to_owned);
    retried(async || {
        let head = JournalHead { id: db.next_journal_id().await?, note: "withdrawal", at_ms };
        let mut tx = db.begin().await?;
        let row: Option<WithdrawalRow> = tx.optional(&LOCK, args![id]).await?;
        let row = row.ok_or_else(|| DbError::NotFound(format!("withdrawal {id}")))?;
        if row.state == to && (to != WithdrawalState::Sent || row.reference == reference) {
            return Ok(Advanced { row, moved: false });
        }
        if !row.state.leads_to(to) {
            return Err(DbError::Conflict(match (row.state, row.reference) {
                (WithdrawalState::Sent, Some(reference)) => {
                    format!("this withdrawal is sent, with the reference {reference}")
                }
                (state, _) => {
                    format!("this withdrawal is {}, not to be {}", state.as_str(), to.as_str())
                }
            }));
        }
        let hold =
            id.parse().map_err(|_| DbError::Corrupt(format!("withdrawal {id} is no UUID")))?;
        let hold = HoldId(Uuid::as_u128(&hold));
        match to {
            WithdrawalState::Sent => {
                post(&mut tx, head, &Command::SendOut { hold }).await?;
            }
            ended if ended.is_end() => {
                post(&mut tx, head, &Command::Void { hold }).await?;
            }
            _ => {}
        }
        let ended_ms = to.is_end().then_some(at_ms);
        tx.execute(&MOVE, args![id, to, reason, reference.as_ref(), at_ms, ended_ms]).await?;
        let detail = match to {
            WithdrawalState::Approved => format!("{} nano", row.amount.0),
            WithdrawalState::Sent => reference.clone().unwrap_or_default(),
            WithdrawalState::Exported => format!("to the rail {}", row.rail),
            _ => reason.to_owned(),
        };
        by.did(&mut tx, action(to), id, detail).await?;
        tx.commit().await?;
        let reason = reason.to_owned();
        let reference = reference.clone();
        let row =
            WithdrawalRow { state: to, reason, reference, changed_ms: at_ms, ended_ms, ..row };
        Ok(Advanced { row, moved: true })
    })
    .await
}

/// The step's word in the log of admins.
fn action(to: WithdrawalState) -> &'static str {
    match to {
        WithdrawalState::AwaitingApproval => "withdrawal.request",
        WithdrawalState::Approved => "withdrawal.approve",
        WithdrawalState::Exported => "withdrawal.export",
        WithdrawalState::Sent => "withdrawal.sent",
        WithdrawalState::Failed => "withdrawal.failed",
        WithdrawalState::Rejected => "withdrawal.reject",
        WithdrawalState::Cancelled => "withdrawal.cancel",
    }
}

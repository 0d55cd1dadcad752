//! Earnings on their way out: what is mature, what may leave within a day, and handing it to the rail.

use std::time::Duration;

use assay_ledger::{Maturity, Nano};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior, interval};
use uuid::Uuid;

use super::rails::{PayoutOrder, PayoutRail, RailAnswer, RailKind, Sender};
use crate::{
    app::App,
    clock,
    db::{
        self, By, Db, DbError, OperatorId, Page,
        withdrawals::{
            Caps, Funds, NewWithdrawal, Step, WithdrawError, WithdrawalRow, WithdrawalState,
        },
    },
};

/// How often earnings are written down and approved withdrawals are handed on.
const EACH: Duration = Duration::from_secs(30);
/// Jobs that one transaction writes down.
const SWEEP_JOBS: i64 = 200;
/// Transactions that somebody who looks waits for; the rest is written down meanwhile.
const SWEEPS_MAX: u32 = 50;
/// Pages of withdrawals that one run looks at.
const PAGES_MAX: u32 = 50;
/// Whoever gives an order to a rail has heard of it after this long, or never will.
const HEARD_WITHIN_MS: i64 = 60_000;

/// `[payouts]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PayoutSettings {
    /// `manual` or `demo`.
    pub rail: RailKind,
    /// A changed payout address counts after this long; the first one at once.
    pub address_cooling_minutes: u32,
    /// The smallest withdrawal.
    pub withdrawal_nano_min: i64,
    /// Within a day: one operator's withdrawals, and everybody's.
    pub day_operator_nano_max: i64,
    pub day_total_nano_max: i64,
    /// Whoever takes out more than this within a day waits for an admin's yes.
    pub approval_above_nano: i64,
}

impl Default for PayoutSettings {
    fn default() -> Self {
        Self {
            rail: RailKind::Manual,
            address_cooling_minutes: 72 * 60,
            withdrawal_nano_min: 1_000_000_000,
            day_operator_nano_max: 1_000_000_000_000,
            day_total_nano_max: 10_000_000_000_000,
            approval_above_nano: 100_000_000_000,
        }
    }
}

impl PayoutSettings {
    /// What could not work, and why.
    pub fn wrong(&self) -> Option<(&'static str, &'static str)> {
        let amounts = [
            self.withdrawal_nano_min,
            self.day_operator_nano_max,
            self.day_total_nano_max,
            self.approval_above_nano.saturating_add(1),
        ];
        amounts.iter().any(|amount| *amount < 1).then_some(("payouts", "amounts must be positive"))
    }

    fn caps(&self, maturity: Maturity, now_ms: i64) -> Caps {
        Caps {
            maturity,
            now_ms,
            day_operator: Nano(self.day_operator_nano_max),
            day_total: Nano(self.day_total_nano_max),
            approval_above: Nano(self.approval_above_nano),
        }
    }
}

/// Writes earnings down and hands approved withdrawals to the rail, until the gateway stops.
pub async fn run(app: App) {
    let mut each = interval(EACH);
    each.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = each.tick() => {}
            () = app.shutdown.cancelled() => return,
        }
        if let Err(error) = once(&app).await {
            tracing::warn!(%error, "payouts were not looked after this time");
        }
    }
}

async fn once(app: &App) -> Result<(), DbError> {
    // Withdrawals wait no longer than this for a crowd of jobs; the next run goes on at once then.
    let until = Instant::now() + EACH;
    let more = || Instant::now() < until && !app.shutdown.is_cancelled();
    catch_up(&app.db, SWEEP_JOBS, more).await?;
    if db::ledger_state::withdrawals_stopped(&app.db).await?.is_some() {
        return Ok(());
    }
    deliver(&app.db, app.config.payouts.rail.rail(), clock::now_ms()).await
}

/// Gives what is approved to a rail that sends by itself, and asks it about what was given to it and not heard of:
/// whoever gave it may have stopped before it heard, and it is not given twice.
pub(crate) async fn deliver(db: &Db, rail: &dyn PayoutRail, now_ms: i64) -> Result<(), DbError> {
    let Some(sender) = rail.sender() else { return Ok(()) };
    for row in all_of(db, rail, WithdrawalState::Approved).await? {
        let id = row.id.clone();
        if let Err(error) = send(db, sender, row).await {
            tracing::warn!(withdrawal = id, %error, "a withdrawal was not sent this time");
        }
    }
    for row in all_of(db, rail, WithdrawalState::Exported).await? {
        if row.changed_ms > now_ms - HEARD_WITHIN_MS {
            continue;
        }
        let (id, answer) = (row.id.clone(), sender.learn(PayoutOrder::of(&row)));
        match note(db, row, answer).await {
            Ok(row) if row.state == WithdrawalState::Exported => {
                tracing::error!(withdrawal = id, "nobody knows yet whether it was sent");
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(withdrawal = id, %error, "its end was not written down"),
        }
    }
    Ok(())
}

/// As many of a state as one run looks at.
async fn all_of(
    db: &Db,
    rail: &dyn PayoutRail,
    state: WithdrawalState,
) -> Result<Vec<WithdrawalRow>, DbError> {
    let (mut rows, mut page) = (Vec::new(), Page::default());
    for _ in 0..PAGES_MAX {
        let paged = db::withdrawals::list(db, None, Some(state), &page).await?;
        rows.extend(paged.rows.into_iter().filter(|row| row.rail == rail.name()));
        page.after = paged.next;
        if page.after.is_none() {
            break;
        }
    }
    Ok(rows)
}

/// Earnings of the jobs that have ended by now, a bounded number in each transaction, while there are more and `more`
/// says so; whether all are written down.
pub(crate) async fn catch_up(
    db: &Db,
    jobs: i64,
    mut more: impl FnMut() -> bool,
) -> Result<bool, DbError> {
    while more() {
        if db::earnings::sweep(db, clock::now_ms(), jobs).await? == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn write_down(app: &App) -> Result<(), DbError> {
    let mut sweeps = 0..SWEEPS_MAX;
    catch_up(&app.db, SWEEP_JOBS, || sweeps.next().is_some()).await?;
    Ok(())
}

/// What an operator can take out now.
pub async fn funds(app: &App, operator: OperatorId) -> Result<Funds, DbError> {
    write_down(app).await?;
    let caps = app.config.payouts.caps(app.config.economy, clock::now_ms());
    db::withdrawals::funds(&app.db, operator, &caps).await
}

/// Holds earnings and, if nobody has to agree first, hands them to the rail.
pub async fn withdraw(
    app: &App,
    operator: OperatorId,
    amount: Nano,
    client_key: String,
) -> Result<WithdrawalRow, WithdrawError> {
    if let Some(why) = db::ledger_state::withdrawals_stopped(&app.db).await? {
        tracing::warn!(why, "no withdrawal is taken while the books are wrong");
        return Err(WithdrawError::Stopped);
    }
    write_down(app).await?;
    let now_ms = clock::now_ms();
    let new = NewWithdrawal {
        id: Uuid::new_v4(),
        operator,
        client_key,
        amount,
        rail: app.config.payouts.rail.rail().name(),
        now_ms,
    };
    let row = db::withdrawals::request(
        &app.db,
        &new,
        &app.config.payouts.caps(app.config.economy, now_ms),
    )
    .await?;
    Ok(hand_over(app, row).await?)
}

/// Gives an approved withdrawal to its rail, if that sends by itself; what became of it. While the books are
/// wrong nothing leaves.
pub async fn hand_over(app: &App, row: WithdrawalRow) -> Result<WithdrawalRow, DbError> {
    let rail = app.config.payouts.rail.rail();
    let sender = rail.sender().filter(|_| row.rail == rail.name());
    let Some(sender) = sender.filter(|_| row.state == WithdrawalState::Approved) else {
        return Ok(row);
    };
    if db::ledger_state::withdrawals_stopped(&app.db).await?.is_some() {
        return Ok(row);
    }
    send(&app.db, sender, row).await
}

/// Sends an approved withdrawal. Before that it counts as exported, so that nobody calls it off or sends it too: only
/// whoever moved it there gives it to the rail, and nobody does after a stop in between.
async fn send(db: &Db, sender: &dyn Sender, row: WithdrawalRow) -> Result<WithdrawalRow, DbError> {
    let export = Step::to(WithdrawalState::Exported, By::Own, clock::now_ms());
    let exported = match db::withdrawals::advance(db, &row.id, export).await {
        // It was called off, or another one has sent it, this very moment.
        Err(DbError::Conflict(_)) => {
            return Ok(db::withdrawals::find(db, &row.id).await?.unwrap_or(row));
        }
        exported => exported?,
    };
    if !exported.moved {
        return Ok(exported.row);
    }
    let answer = sender.send(PayoutOrder::of(&exported.row));
    note(db, exported.row, answer).await
}

/// Writes down what a rail said.
async fn note(db: &Db, row: WithdrawalRow, answer: RailAnswer) -> Result<WithdrawalRow, DbError> {
    let at_ms = clock::now_ms();
    let step = match &answer {
        RailAnswer::Later => return Ok(row),
        RailAnswer::Sent { reference } => {
            Step { reference: Some(reference), ..Step::to(WithdrawalState::Sent, By::Own, at_ms) }
        }
        RailAnswer::Failed { reason } => {
            Step { reason, ..Step::to(WithdrawalState::Failed, By::Own, at_ms) }
        }
    };
    Ok(db::withdrawals::advance(db, &row.id, step).await?.row)
}

impl<'a> PayoutOrder<'a> {
    fn of(row: &'a WithdrawalRow) -> Self {
        Self { id: &row.id, amount: row.amount, address: &row.address }
    }
}

//! Earnings on their way out: what is mature, what may leave within a day, and handing it to the rail.

use std::time::Duration;

use assay_ledger::{Maturity, Nano};
use serde::{Deserialize, Serialize};
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::rails::{PayoutOrder, RailAnswer, RailKind};
use crate::{
    app::App,
    clock,
    db::{
        self, DbError, OperatorId,
        withdrawals::{Caps, Funds, NewWithdrawal, WithdrawError, WithdrawalRow, WithdrawalState},
    },
};

/// How often earnings are written down and approved withdrawals are handed on.
const EACH: Duration = Duration::from_secs(30);
/// Jobs that one transaction writes down.
const SWEEP_JOBS: i64 = 200;
/// Transactions of one run: the next run goes on.
const SWEEPS_MAX: u32 = 50;
/// Withdrawals that one run hands on.
const ORDERS_MAX: i64 = 100;

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
    write_down(app).await?;
    let rail = app.config.payouts.rail.rail().name();
    for row in
        db::withdrawals::of_state(&app.db, WithdrawalState::Approved, rail, ORDERS_MAX).await?
    {
        hand_over(app, row).await?;
    }
    Ok(())
}

/// Earnings of the jobs that have ended by now.
async fn write_down(app: &App) -> Result<(), DbError> {
    for _ in 0..SWEEPS_MAX {
        if db::earnings::sweep(&app.db, clock::now_ms(), SWEEP_JOBS).await? == 0 {
            return Ok(());
        }
    }
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

/// Gives an approved withdrawal to its rail; what became of it. While the books are wrong nothing leaves.
pub async fn hand_over(app: &App, row: WithdrawalRow) -> Result<WithdrawalRow, DbError> {
    let rail = app.config.payouts.rail.rail();
    if row.state != WithdrawalState::Approved || row.rail != rail.name() {
        return Ok(row);
    }
    if db::ledger_state::withdrawals_stopped(&app.db).await?.is_some() {
        return Ok(row);
    }
    let order = PayoutOrder { id: &row.id, amount: row.amount, address: &row.address };
    let (to, reason, reference) = match rail.send(order) {
        RailAnswer::Later => return Ok(row),
        RailAnswer::Sent { reference } => (WithdrawalState::Sent, String::new(), Some(reference)),
        RailAnswer::Failed { reason } => (WithdrawalState::Failed, reason, None),
    };
    let now_ms = clock::now_ms();
    db::withdrawals::advance(&app.db, &row.id, to, &reason, reference.as_deref(), now_ms).await
}

//! What jobs brought their operators, and how much of it can leave: only what clients paid in from outside
//! can, and granted credit is taken to be used first. When it is theirs is for `pay` to say. Written down after the fact, so that no settlement
//! waits for it; each job once.

use std::collections::btree_map::{BTreeMap, Entry};

use assay_ledger::{AccountId, Nano};
use assay_protocol::JobId;

use super::{
    Db, DbError, OperatorId,
    engine::retried,
    promotion::Promotion,
    settings,
    statement::statements,
    transaction::Tx,
    value::{Amount, Record, Row, args},
};

statements! { "earnings";
    // One gateway at a time; the row's number means nothing.
    plain LOCK = "update counter set next = next where name = 'earning'";
    plain ENDED = "select id, account, cost, ended_ms from job
        where ended_ms > $1 and ended_ms <= $2
            and exists (select 1 from job_node where job_node.job = job.id and job_node.pay > 0)
            and not exists (select 1 from earning where earning.job = job.id)
        order by ended_ms, id limit $3";
    plain PAYS = "select node.operator, cast(sum(job_node.pay) as bigint) as pay from job_node
        join node on node.id = job_node.node
        where job_node.job = $1 and job_node.pay > 0 group by node.operator order by node.operator";
    plain INSERT = "insert into earning (job, operator, amount, withdrawable, ended_ms)
        values ($1, $2, $3, $4, $5)";
    plain SUMS = "select cast(coalesce(sum(amount), 0) as bigint) as amount,
            cast(coalesce(sum(withdrawable), 0) as bigint) as withdrawable
        from earning where operator = $1";
    plain FORFEITED = "select cast(coalesce(sum(to_clients + to_reserve), 0) as bigint) as amount
        from forfeit where account = $1";
}

/// Up to when all jobs are written down, in the settings.
const SWEPT: &str = "earnings_swept_ms";
/// A settlement that took long may appear this much later.
const OVERLAP_MS: i64 = 3_600_000;

/// An operator's earnings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earnings {
    /// All of them.
    pub earned: Nano,
    /// What of it came from outside.
    pub withdrawable: Nano,
    /// What proven cheats among its nodes forfeited.
    pub forfeited: Nano,
}

/// Writes the earnings of jobs down that ended until then; how many jobs, at most `limit`.
pub async fn sweep(db: &Db, until_ms: i64, limit: i64) -> Result<usize, DbError> {
    let swept = settings::get(db, SWEPT).await?.and_then(|text| text.parse().ok()).unwrap_or(0_i64);
    let from_ms = swept.saturating_sub(OVERLAP_MS);
    let jobs = retried(async || {
        let mut tx = db.begin().await?;
        tx.execute(&LOCK, args![]).await?;
        let jobs: Vec<Ended> = tx.all(&ENDED, args![from_ms, until_ms, limit]).await?;
        let mut granted = BTreeMap::new();
        for job in &jobs {
            let granted = match granted.entry(job.account) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => new.insert(Promotion::of(&mut tx, job.account).await?),
            };
            write_down(&mut tx, job, granted).await?;
        }
        tx.commit().await?;
        Ok(jobs)
    })
    .await?;
    let all = i64::try_from(jobs.len()).is_ok_and(|found| found < limit);
    let reached = if all { Some(until_ms) } else { jobs.last().map(|job| job.ended_ms) };
    if let Some(reached) = reached.filter(|reached| *reached > swept) {
        settings::set(db, SWEPT, &reached.to_string()).await?;
    }
    Ok(jobs.len())
}

async fn write_down(tx: &mut Tx, job: &Ended, granted: &mut Promotion) -> Result<(), DbError> {
    let from_grants = granted.left().min(job.cost);
    for Pay { operator, pay } in tx.all(&PAYS, args![job.id]).await? {
        let withdrawable = share(pay, job.cost, Nano(job.cost.0 - from_grants.0));
        let args = args![job.id, operator, pay, withdrawable, job.ended_ms];
        tx.execute(&INSERT, args).await?;
    }
    if from_grants > Nano::ZERO {
        granted.use_up(tx, from_grants).await?;
    }
    Ok(())
}

/// The part of a pay that came from outside, rounded down: what leaves never exceeds what came.
fn share(pay: Nano, cost: Nano, from_outside: Nano) -> Nano {
    let cost = i128::from(cost.0.max(1));
    let wide = i128::from(pay.0) * i128::from(from_outside.0) / cost;
    Nano(i64::try_from(wide).unwrap_or_default().min(pay.0))
}

pub(super) async fn of_in(
    tx: &mut Tx,
    operator: OperatorId,
    account: AccountId,
) -> Result<Earnings, DbError> {
    let sums: Option<Earnings> = tx.optional(&SUMS, args![operator]).await?;
    let forfeited: Option<Amount> = tx.optional(&FORFEITED, args![account]).await?;
    let forfeited = forfeited.map_or(Nano::ZERO, |amount| amount.0);
    Ok(Earnings { forfeited, ..sums.unwrap_or_default() })
}

struct Ended {
    id: JobId,
    account: AccountId,
    cost: Nano,
    ended_ms: i64,
}

struct Pay {
    operator: OperatorId,
    pay: Nano,
}

impl Record for Ended {
    fn read(row: &Row) -> Result<Self, DbError> {
        let (id, account) = (row.get("id")?, row.get("account")?);
        Ok(Self { id, account, cost: row.get("cost")?, ended_ms: row.get("ended_ms")? })
    }
}

impl Record for Pay {
    fn read(row: &Row) -> Result<Self, DbError> {
        Ok(Self { operator: row.get("operator")?, pay: row.get("pay")? })
    }
}

impl Record for Earnings {
    fn read(row: &Row) -> Result<Self, DbError> {
        let (earned, withdrawable) = (row.get("amount")?, row.get("withdrawable")?);
        Ok(Self { earned, withdrawable, forfeited: Nano::ZERO })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_came_from_outside_can_leave() {
        for (pay, cost, from_outside, expected) in
            [(300, 1000, 1000, 300), (300, 1000, 0, 0), (333, 1000, 500, 166), (0, 0, 0, 0)]
        {
            let share = share(Nano(pay), Nano(cost), Nano(from_outside));
            assert_eq!(share, Nano(expected), "{pay} of {cost}, {from_outside} from outside");
        }
    }
}

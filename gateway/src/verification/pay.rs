//! What nodes were paid and is not their own yet: they stand to lose that, so no job pays more than that and stays
//! unchecked.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use assay_ledger::{Earned, Immature, Maturity, Nano};
use assay_protocol::NodeId;

use crate::db::{self, Db, DbError};

/// Jobs that ended within this part of the time that pay matures in count as one, the last of them.
const SLOTS_PER_TERM: u64 = 240;
/// Such slots of one node; the oldest are counted together.
const SLOTS_MAX: usize = 1_024;

/// Of each node the immature jobs, the oldest first.
#[derive(Debug)]
pub struct PayBook {
    rules: Maturity,
    slot_ms: i64,
    jobs: Mutex<HashMap<NodeId, VecDeque<Earned>>>,
}

impl PayBook {
    /// Nothing was paid yet.
    pub fn new(rules: Maturity) -> Self {
        let slot_ms = i64::try_from(rules.pay_matures_ms / SLOTS_PER_TERM).unwrap_or(i64::MAX);
        Self { rules, slot_ms: slot_ms.max(1), jobs: Mutex::default() }
    }

    /// Starts from what the store holds.
    pub async fn load(db: &Db, rules: Maturity, now_ms: i64) -> Result<Self, DbError> {
        let book = Self::new(rules);
        for (node, jobs) in db::pay::immature_jobs(db, rules, now_ms).await? {
            jobs.into_iter().rev().for_each(|job| book.add(node, job));
        }
        Ok(book)
    }

    /// A job of a node ended.
    pub fn add(&self, node: NodeId, job: Earned) {
        if job.pay.0 <= 0 && job.checked_micro <= 0 {
            return;
        }
        let slot = |job: &Earned| job.ended_ms.div_euclid(self.slot_ms);
        let mut book = self.lock();
        let jobs = book.entry(node).or_default();
        match jobs.back_mut() {
            Some(last) if slot(last) >= slot(&job) => last.take_in(job),
            _ => {
                jobs.push_back(job);
                self.shorten(jobs, job.ended_ms);
            }
        }
    }

    /// What is not its own yet.
    pub fn immature(&self, node: NodeId, now_ms: i64) -> Nano {
        let book = self.lock();
        self.rules.immature(book.get(&node).into_iter().flatten().rev().copied(), now_ms)
    }

    /// It was forfeited.
    pub fn forget(&self, node: NodeId) {
        self.lock().remove(&node);
    }

    /// Leaves out what is mature.
    fn shorten(&self, jobs: &mut VecDeque<Earned>, now_ms: i64) {
        let mut immature = Immature::at(self.rules, now_ms);
        let kept = jobs.iter().rev().take_while(|job| immature.add(**job)).count();
        jobs.drain(..jobs.len() - kept);
        if jobs.len() > SLOTS_MAX
            && let (Some(oldest), Some(next)) = (jobs.pop_front(), jobs.front_mut())
        {
            next.take_in(oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, VecDeque<Earned>>> {
        // Nothing panics while it holds the lock; if it did, the map would still be whole.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts another job as if it had ended with this one.
trait TakeIn {
    fn take_in(&mut self, other: Self);
}

impl TakeIn for Earned {
    fn take_in(&mut self, other: Self) {
        self.pay = Nano(self.pay.0.saturating_add(other.pay.0));
        self.checked_micro = self.checked_micro.saturating_add(other.checked_micro);
        self.ended_ms = self.ended_ms.max(other.ended_ms);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const NODE: NodeId = NodeId(Uuid::from_u128(1));

    fn job(hour: i64, checked_micro: i64) -> Earned {
        Earned { pay: Nano(10), ended_ms: hour * HOUR_MS, checked_micro }
    }

    #[test]
    fn pay_is_at_stake_for_a_day() {
        let book = PayBook::new(Maturity { pay_matures_jobs: 0, ..Maturity::default() });
        for hour in 0..30 {
            book.add(NODE, job(hour, 0));
        }
        assert_eq!(book.immature(NODE, 29 * HOUR_MS), Nano(240));
        assert_eq!(book.immature(NODE, 40 * HOUR_MS), Nano(130));
        assert_eq!(book.immature(NODE, 90 * HOUR_MS), Nano(0));
        assert_eq!(book.immature(NodeId(Uuid::from_u128(2)), 0), Nano(0));
    }

    #[test]
    fn and_until_two_hundred_checks_came_after_it() {
        let book = PayBook::new(Maturity::default());
        for hour in 0..1_000 {
            book.add(NODE, job(hour, 500_000));
        }
        assert_eq!(book.immature(NODE, 5_000 * HOUR_MS), Nano(4_000));
        assert!(book.lock()[&NODE].len() <= 401, "what is mature is left out");
        book.forget(NODE);
        assert_eq!(book.immature(NODE, 1_000 * HOUR_MS), Nano(0));
    }

    #[test]
    fn a_node_that_nobody_checks_takes_bounded_room() {
        let book = PayBook::new(Maturity::default());
        for hour in 0..5_000 {
            book.add(NODE, job(hour, 0));
        }
        assert_eq!(book.immature(NODE, 9_000 * HOUR_MS), Nano(50_000));
        assert_eq!(book.lock()[&NODE].len(), SLOTS_MAX);
    }
}

//! What nodes were paid and is not their own yet: they stand to lose that, so no job pays more than that and stays
//! unchecked.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use assay_ledger::{Earned, Immature, Maturity, Nano};
use assay_protocol::{JobId, NodeId};

use crate::db::{self, Db, DbError, pay::EarnedIn};

/// Jobs that ended within this part of the time that pay matures in count as one, the last of them.
const SLOTS_PER_TERM: u64 = 240;
/// Such slots of one node; the oldest are counted together.
const SLOTS_MAX: usize = 1_024;
/// What the store said of a node that is not connected here is good for this long.
const GOOD_FOR_MS: i64 = 3_000;
/// A job that ended here is told of within this.
const TOLD_WITHIN_MS: i64 = 600_000;

/// Of each node the immature jobs: all up to when the gateway started or the store was asked, and those that ended here
/// since.
#[derive(Debug)]
pub struct PayBook {
    rules: Maturity,
    slot_ms: i64,
    stakes: Mutex<HashMap<NodeId, Stake>>,
    /// One node is read at a time.
    reading: tokio::sync::Mutex<()>,
}

/// What one node has at stake.
#[derive(Debug, Default)]
struct Stake {
    /// The oldest first.
    jobs: VecDeque<Earned>,
    last: Option<JobId>,
    read_ms: i64,
    /// Jobs that the store had a moment ago, and that were not told of here.
    untold: HashSet<JobId>,
    /// What is told of while the store is asked.
    meanwhile: Option<Vec<EarnedIn>>,
}

impl PayBook {
    /// Nothing was paid yet.
    pub fn new(rules: Maturity) -> Self {
        let slot_ms = i64::try_from(rules.pay_matures_ms / SLOTS_PER_TERM).unwrap_or(i64::MAX);
        let (stakes, reading) = Default::default();
        Self { rules, slot_ms: slot_ms.max(1), stakes, reading }
    }

    /// Starts from what the store holds.
    pub async fn load(db: &Db, rules: Maturity, now_ms: i64) -> Result<Self, DbError> {
        let book = Self::new(rules);
        for (node, jobs) in db::pay::immature_jobs(db, rules, now_ms).await? {
            book.know(node, jobs, now_ms);
        }
        Ok(book)
    }

    /// Asks the store about a node if it was in a job that is not known here.
    pub async fn catch_up(&self, db: &Db, node: NodeId, now_ms: i64) -> Result<(), DbError> {
        let last = db::pay::last_job_of(db, node).await?;
        let known = self.lock().get(&node).and_then(|stake| stake.last);
        if last > known {
            self.read(db, node, now_ms).await?;
            let mut stakes = self.lock();
            let stake = stakes.entry(node).or_default();
            stake.last = stake.last.max(last);
        }
        Ok(())
    }

    /// Asks the store about a node that is not connected here, unless it did a moment ago.
    pub async fn look(&self, db: &Db, node: NodeId, now_ms: i64) -> Result<(), DbError> {
        let read_ms = self.lock().get(&node).map_or(0, |stake| stake.read_ms);
        if now_ms - read_ms > GOOD_FOR_MS { self.read(db, node, now_ms).await } else { Ok(()) }
    }

    /// Asks the store: the node may have been in jobs of other gateways, and may have forfeited what it had at stake.
    pub async fn read(&self, db: &Db, node: NodeId, now_ms: i64) -> Result<(), DbError> {
        let _one = self.reading.lock().await;
        self.lock().entry(node).or_default().meanwhile = Some(Vec::new());
        let jobs = db::pay::immature_jobs_of(db, node, self.rules, now_ms).await?;
        self.know(node, jobs, now_ms);
        Ok(())
    }

    /// A job of a node ended.
    pub fn add(&self, node: NodeId, job: JobId, earned: Earned) {
        let mut stakes = self.lock();
        let stake = stakes.entry(node).or_default();
        if stake.untold.remove(&job) {
            return;
        }
        if let Some(meanwhile) = &mut stake.meanwhile {
            meanwhile.push(EarnedIn { job, earned });
        }
        stake.last = stake.last.max(Some(job));
        self.put(stake, earned);
    }

    /// It passed a check after its job had ended.
    pub fn checked(&self, node: NodeId, earned: Earned) {
        self.put(self.lock().entry(node).or_default(), earned);
    }

    /// What is not its own yet.
    pub fn immature(&self, node: NodeId, now_ms: i64) -> Nano {
        let stakes = self.lock();
        let jobs = stakes.get(&node).into_iter().flat_map(|stake| stake.jobs.iter().rev());
        self.rules.immature(jobs.copied(), now_ms)
    }

    /// It was forfeited.
    pub fn forget(&self, node: NodeId) {
        if let Some(stake) = self.lock().get_mut(&node) {
            stake.jobs.clear();
        }
    }

    /// Takes over what the store said at this time, the last job first, and what was told since it was asked.
    fn know(&self, node: NodeId, jobs: Vec<EarnedIn>, read_ms: i64) {
        let mut stakes = self.lock();
        let stake = stakes.entry(node).or_default();
        let is_recent = |job: &&EarnedIn| job.earned.ended_ms > read_ms - TOLD_WITHIN_MS;
        let recent: HashSet<JobId> = jobs.iter().filter(is_recent).map(|job| job.job).collect();
        let read: HashSet<JobId> = jobs.iter().map(|job| job.job).collect();
        let meanwhile = stake.meanwhile.take().unwrap_or_default();
        let last = stake.last.max(jobs.first().map(|job| job.job));
        *stake = Stake { last, read_ms, untold: recent, ..Stake::default() };
        jobs.into_iter().rev().for_each(|job| self.put(stake, job.earned));
        for EarnedIn { job, earned } in meanwhile {
            stake.untold.remove(&job);
            if !read.contains(&job) {
                self.put(stake, earned);
            }
        }
    }

    fn put(&self, stake: &mut Stake, job: Earned) {
        if job.pay.0 <= 0 && job.checked_micro <= 0 {
            return;
        }
        let slot = |job: &Earned| job.ended_ms.div_euclid(self.slot_ms);
        match stake.jobs.back_mut() {
            Some(last) if slot(last) >= slot(&job) => last.take_in(job),
            _ => {
                stake.jobs.push_back(job);
                self.shorten(&mut stake.jobs, job.ended_ms);
            }
        }
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

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, Stake>> {
        // Nothing panics while it holds the lock; if it did, the map would still be whole.
        self.stakes.lock().unwrap_or_else(PoisonError::into_inner)
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

    fn id(number: i64) -> JobId {
        JobId(Uuid::from_u128(number.unsigned_abs().into()))
    }

    fn job(hour: i64, checked_micro: i64) -> Earned {
        Earned { pay: Nano(10), ended_ms: hour * HOUR_MS, checked_micro }
    }

    #[test]
    fn pay_is_at_stake_for_a_day() {
        let book = PayBook::new(Maturity { pay_matures_jobs: 0, ..Maturity::default() });
        for hour in 0..30 {
            book.add(NODE, id(hour), job(hour, 0));
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
            book.add(NODE, id(hour), job(hour, 500_000));
        }
        assert_eq!(book.immature(NODE, 5_000 * HOUR_MS), Nano(4_000));
        assert!(book.lock()[&NODE].jobs.len() <= 401, "what is mature is left out");
        book.forget(NODE);
        assert_eq!(book.immature(NODE, 1_000 * HOUR_MS), Nano(0));
    }

    #[test]
    fn a_node_that_nobody_checks_takes_bounded_room() {
        let book = PayBook::new(Maturity::default());
        for hour in 0..5_000 {
            book.add(NODE, id(hour), job(hour, 0));
        }
        assert_eq!(book.immature(NODE, 9_000 * HOUR_MS), Nano(50_000));
        assert_eq!(book.lock()[&NODE].jobs.len(), SLOTS_MAX);
    }

    #[test]
    fn what_the_store_says_and_what_is_told_here_counts_once() {
        let book = PayBook::new(Maturity::default());
        let read = |hour| EarnedIn { job: id(hour), earned: job(hour, 0) };
        let at_stake = || book.immature(NODE, 5 * HOUR_MS).0;
        book.add(NODE, id(1), job(1, 0));
        // The store is asked: one job is told of before it answers, and another after it has.
        book.lock().entry(NODE).or_default().meanwhile = Some(Vec::new());
        book.add(NODE, id(2), job(2, 0));
        book.add(NODE, id(5), job(5, 0));
        book.know(NODE, vec![read(4), read(3), read(2), read(1)], 4 * HOUR_MS);
        assert_eq!(at_stake(), 50, "five jobs, one of them at another gateway");
        book.add(NODE, id(4), job(4, 0));
        assert_eq!(at_stake(), 50);
        book.add(NODE, id(6), job(5, 0));
        assert_eq!(at_stake(), 60);
        // Forfeited at another gateway.
        book.know(NODE, vec![], 6 * HOUR_MS);
        assert_eq!(at_stake(), 0);
    }
}

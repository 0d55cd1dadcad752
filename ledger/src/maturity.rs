//! When pay becomes a node's own: after a while, and after as many checks as it takes to find a cheat. Until then a
//! proven cheat forfeits it.

use serde::{Deserialize, Serialize};

use crate::Nano;

/// A check's weight counts in millionths.
const MICRO: i64 = 1_000_000;

/// Both have to be over before pay is mature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Maturity {
    /// Time since the job ended, in milliseconds.
    pub pay_matures_ms: u64,
    /// Later jobs of the node that were checked and passed, by weight: a job counts what its check could teach, so
    /// jobs that nobody looked at, dust and questions that the node knew make nothing mature.
    pub pay_matures_jobs: u32,
}

/// A day, and 200 jobs: longer than a cheat of one answer in ten lasts.
impl Default for Maturity {
    fn default() -> Self {
        Self { pay_matures_ms: 24 * 60 * 60 * 1000, pay_matures_jobs: 200 }
    }
}

/// What a node did in one job, or in several that ended at about the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earned {
    pub pay: Nano,
    pub ended_ms: i64,
    /// The weight of the check that it passed, in millionths; 0 where there was none.
    pub checked_micro: i64,
}

/// A sum of immature pay in the making: jobs are added from the last to the first.
#[derive(Clone, Copy, Debug)]
pub struct Immature {
    rules: Maturity,
    now_ms: i64,
    checked_micro: i64,
    sum: Nano,
}

impl Maturity {
    /// What is not the node's own yet, of jobs from the last to the first.
    pub fn immature(&self, jobs: impl IntoIterator<Item = Earned>, now_ms: i64) -> Nano {
        let mut immature = Immature::at(*self, now_ms);
        for job in jobs {
            if !immature.add(job) {
                break;
            }
        }
        immature.sum()
    }
}

impl Immature {
    /// Nothing yet.
    pub fn at(rules: Maturity, now_ms: i64) -> Self {
        Self { rules, now_ms, checked_micro: 0, sum: Nano::ZERO }
    }

    /// Adds the job before the one that was added last. False when it is mature, and so is all before it.
    pub fn add(&mut self, job: Earned) -> bool {
        let age_ms = u64::try_from(self.now_ms.saturating_sub(job.ended_ms)).unwrap_or_default();
        let checked = self.checked_micro >= MICRO * i64::from(self.rules.pay_matures_jobs);
        if checked && age_ms >= self.rules.pay_matures_ms {
            return false;
        }
        self.sum = Nano(self.sum.0.saturating_add(job.pay.0));
        self.checked_micro = self.checked_micro.saturating_add(job.checked_micro);
        true
    }

    pub fn sum(&self) -> Nano {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One job an hour, each of which pays 1 and was checked with this weight; the last ended at hour `jobs`.
    fn hourly(jobs: i64, checked_micro: i64) -> impl Iterator<Item = Earned> {
        let job = move |hour| Earned { pay: Nano(1), ended_ms: hour * 3_600_000, checked_micro };
        (1..=jobs).rev().map(job)
    }

    fn immature(rules: Maturity, jobs: impl Iterator<Item = Earned>, hour: i64) -> i64 {
        rules.immature(jobs, hour * 3_600_000).0
    }

    #[test]
    fn the_last_day_and_the_last_two_hundred_jobs_are_immature() {
        let rules = Maturity::default();
        assert_eq!(immature(rules, hourly(1_000, MICRO), 1_000), 200);
        assert_eq!(immature(rules, hourly(1_000, MICRO), 100_000), 200, "however long ago");
        assert_eq!(immature(rules, hourly(50, MICRO), 100), 50);
        let day = Maturity { pay_matures_jobs: 0, ..rules };
        assert_eq!(immature(day, hourly(1_000, MICRO), 1_000), 24, "the 24 before this hour");
        assert_eq!(immature(day, hourly(1_000, MICRO), 1_024), 0);
        let jobs = Maturity { pay_matures_ms: 0, ..rules };
        assert_eq!(immature(jobs, hourly(1_000, MICRO), 1_000), 200);
        let neither = Maturity { pay_matures_ms: 0, pay_matures_jobs: 0 };
        assert_eq!(immature(neither, hourly(1_000, MICRO), 1_000), 0);
    }

    #[test]
    fn what_nobody_checked_makes_nothing_mature() {
        let rules = Maturity::default();
        assert_eq!(immature(rules, hourly(1_000, MICRO / 4), 1_000), 800);
        assert_eq!(immature(rules, hourly(1_000, 0), 100_000), 1_000);
        // One job in twenty is checked.
        let audited = hourly(10_000, 0).enumerate().map(|(at, job)| match at % 20 {
            0 => Earned { checked_micro: MICRO, ..job },
            _ => job,
        });
        assert_eq!(immature(rules, audited, 10_000), 3_981);
    }

    #[test]
    fn sums_that_would_not_fit_stay_the_largest() {
        let most = Earned { pay: Nano(i64::MAX), ended_ms: 0, checked_micro: i64::MAX };
        assert_eq!(Maturity::default().immature([most, most], 0), Nano(i64::MAX));
    }
}

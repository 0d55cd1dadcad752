//! How many frames a node may send: what its jobs need, and some more.

use std::time::Instant;

use assay_protocol::limits;

/// Frames a second that a session may send besides those of its jobs.
const PER_SECOND_BASE: u32 = 20;
/// Seconds' worth of frames that may come at once: after a pause on either side they pile up.
const BURST_SECONDS: u32 = 5;

/// Frames that the passing of time has not paid for yet.
#[derive(Debug)]
pub(super) struct FrameBudget {
    unpaid: u32,
    paid_at: Instant,
}

impl FrameBudget {
    pub(super) fn new(now: Instant) -> Self {
        Self { unpaid: 0, paid_at: now }
    }

    /// Counts a frame of a node with so many jobs. False when that is more than they can need.
    pub(super) fn takes_one(&mut self, jobs: u32) -> bool {
        self.unpaid += 1;
        self.unpaid <= BURST_SECONDS * per_second(jobs)
    }

    /// Time has passed.
    pub(super) fn pay(&mut self, now: Instant, jobs: u32) {
        let paid = (now - self.paid_at).as_millis() * u128::from(per_second(jobs)) / 1_000;
        self.unpaid = self.unpaid.saturating_sub(u32::try_from(paid).unwrap_or(u32::MAX));
        self.paid_at = now;
    }
}

fn per_second(jobs: u32) -> u32 {
    PER_SECOND_BASE + limits::FRAMES_PER_JOB_PER_SECOND_MAX * jobs.max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_taken_and_time_pays_for_more() {
        let now = Instant::now();
        let mut budget = FrameBudget::new(now);
        let burst = BURST_SECONDS * per_second(1);
        assert!((0..burst).all(|_| budget.takes_one(0)), "no job counts as one");
        assert!(!budget.takes_one(1));
        budget.pay(now + Duration::from_secs(1), 1);
        assert!((1..per_second(1)).all(|_| budget.takes_one(1)));
        assert!(!budget.takes_one(1));
    }
}

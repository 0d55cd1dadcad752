//! The common-mode brake: when independent owners of one class fail together, it is mostly the calibration that is
//! wrong, and nobody is banned for that.
//!
//! It must not buy amnesty. So failures far beyond the limit and structural ones never count for it and are never
//! spared by it, and it engages only when the owners who fail are many *and* at least half of those who were
//! checked. While it is engaged, everything of the class is checked and failures stay unpaid: only bans and
//! forfeits wait.

use std::collections::BTreeMap;

use crate::OwnerId;

/// How long a check counts.
pub const WINDOW_MS: i64 = 30 * 60 * 1000;
/// Owners that must have failed within the window …
pub const OWNERS_MIN: usize = 3;
/// … and how many times their number may have been checked.
const CHECKED_PER_FAILED_MAX: usize = 2;
/// Failures further over their limit than this are nobody's calibration.
pub const EXEMPT_OVER_LIMIT: f64 = 10.0;
/// Owners remembered; the one that was checked longest ago makes room.
const OWNERS_MAX: usize = 1_024;

/// The brake of one model, runtime and class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brake {
    /// Every owner that was checked within the window.
    owners: BTreeMap<OwnerId, LastCheck>,
    engaged_until_ms: Option<i64>,
}

/// A check of one owner's node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Checked {
    Passed,
    Failed {
        /// How many times its limit the worst measure was.
        over_limit: f64,
        /// The answer broke a rule that needs no model.
        structural: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct LastCheck {
    at_ms: i64,
    failed_at_ms: Option<i64>,
}

impl Checked {
    /// Whether a wrong calibration could explain this failure.
    pub fn is_common_mode(self) -> bool {
        match self {
            Self::Passed => false,
            Self::Failed { over_limit, structural } => {
                !structural && over_limit <= EXEMPT_OVER_LIMIT
            }
        }
    }
}

impl Brake {
    /// Adds a check, and says whether the brake is engaged now.
    pub fn record(&mut self, owner: OwnerId, checked: Checked, now_ms: i64) -> bool {
        self.forget_before(now_ms.saturating_sub(WINDOW_MS));
        let last =
            self.owners.entry(owner).or_insert(LastCheck { at_ms: now_ms, failed_at_ms: None });
        last.at_ms = now_ms;
        if checked.is_common_mode() {
            last.failed_at_ms = Some(now_ms);
        }
        self.make_room();
        let failed = self.owners.values().filter(|last| last.failed_at_ms.is_some()).count();
        if failed >= OWNERS_MIN && self.owners.len() <= CHECKED_PER_FAILED_MAX * failed {
            self.engaged_until_ms = Some(now_ms.saturating_add(WINDOW_MS));
        }
        self.is_engaged(now_ms)
    }

    /// Whether bans and forfeits of the class wait.
    pub fn is_engaged(&self, now_ms: i64) -> bool {
        self.engaged_until_ms.is_some_and(|until| now_ms < until)
    }

    /// Whether this failure costs no more than its pay now.
    pub fn spares(&self, checked: Checked, now_ms: i64) -> bool {
        self.is_engaged(now_ms) && checked.is_common_mode()
    }

    fn forget_before(&mut self, at_ms: i64) {
        self.owners.retain(|_, last| last.at_ms > at_ms);
        for last in self.owners.values_mut() {
            last.failed_at_ms = last.failed_at_ms.filter(|failed| *failed > at_ms);
        }
    }

    fn make_room(&mut self) {
        if self.owners.len() > OWNERS_MAX {
            let oldest = self.owners.iter().min_by_key(|(_, last)| last.at_ms).map(|(id, _)| *id);
            oldest.map(|owner| self.owners.remove(&owner));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: Checked = Checked::Failed { over_limit: 1.4, structural: false };
    const FAR: Checked = Checked::Failed { over_limit: 25.0, structural: false };
    const GARBAGE: Checked = Checked::Failed { over_limit: 0.0, structural: true };

    fn engaged(checks: &[(i64, Checked)]) -> bool {
        let mut brake = Brake::default();
        let mut engaged = false;
        for (now_ms, (owner, checked)) in (0..).zip(checks) {
            engaged = brake.record(OwnerId(*owner), *checked, now_ms);
        }
        engaged
    }

    #[test]
    fn independent_owners_who_fail_together_point_to_the_calibration() {
        assert!(engaged(&[(1, NEAR), (2, NEAR), (3, NEAR)]));
        assert!(engaged(&[(1, NEAR), (2, NEAR), (3, NEAR), (4, Checked::Passed)]));
        assert!(!engaged(&[(1, NEAR), (2, NEAR)]));
        assert!(!engaged(&[(1, NEAR), (1, NEAR), (1, NEAR), (2, NEAR)]), "one owner counts once");
    }

    #[test]
    fn it_buys_no_amnesty() {
        assert!(!engaged(&[(1, FAR), (2, FAR), (3, FAR)]));
        assert!(!engaged(&[(1, GARBAGE), (2, GARBAGE), (3, GARBAGE)]));
        // Three colluders in a pool of seven whom the calibration fits.
        let pool = (4..8).map(|owner| (owner, Checked::Passed));
        let checks: Vec<_> = pool.chain((1..4).map(|owner| (owner, NEAR))).collect();
        assert!(!engaged(&checks));

        let mut brake = Brake::default();
        for owner in 1..4 {
            brake.record(OwnerId(owner), NEAR, 0);
        }
        assert!(brake.spares(NEAR, 1));
        assert!(!brake.spares(FAR, 1) && !brake.spares(GARBAGE, 1));
        assert!(!brake.spares(Checked::Passed, 1));
    }

    #[test]
    fn failures_far_apart_in_time_are_no_common_mode_and_the_brake_lets_go() {
        let mut brake = Brake::default();
        assert!(!brake.record(OwnerId(1), NEAR, 0));
        assert!(!brake.record(OwnerId(2), NEAR, 1));
        assert!(!brake.record(OwnerId(3), NEAR, WINDOW_MS + 1));
        assert!(!brake.record(OwnerId(4), NEAR, WINDOW_MS + 2));
        assert!(brake.record(OwnerId(5), NEAR, WINDOW_MS + 3));
        assert!(brake.is_engaged(2 * WINDOW_MS + 2));
        assert!(!brake.is_engaged(2 * WINDOW_MS + 3));
    }

    #[test]
    fn it_remembers_a_bounded_number_of_owners() {
        let mut brake = Brake::default();
        for owner in 0..1_100 {
            brake.record(OwnerId(owner), Checked::Passed, owner);
            assert!(brake.owners.contains_key(&OwnerId(owner)), "the latest is kept");
        }
        assert_eq!(brake.owners.len(), OWNERS_MAX);
    }
}

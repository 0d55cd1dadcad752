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

//! What each node was paid in the last day: it stands to lose that, so no job pays more than that and stays
//! unchecked.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use assay_ledger::Nano;
use assay_protocol::NodeId;

use crate::db::audits::PaySlot;

/// Pay is immature for this long.
pub const IMMATURE_MS: i64 = 24 * 60 * 60 * 1000;
/// Pay of one stretch is kept as one sum.
pub const SLOT_MS: i64 = 60 * 60 * 1000;

/// Sums by node and hour.
#[derive(Debug, Default)]
pub struct PayBook(Mutex<HashMap<NodeId, VecDeque<(i64, i64)>>>);

impl PayBook {
    /// Starts from what the store holds.
    pub fn new(slots: impl IntoIterator<Item = PaySlot>) -> Self {
        let book = Self::default();
        for PaySlot { node, slot, pay_nano } in slots {
            book.add(node, Nano(pay_nano), slot * SLOT_MS);
        }
        book
    }

    /// A node was paid.
    pub fn add(&self, node: NodeId, pay: Nano, at_ms: i64) {
        if pay.0 <= 0 {
            return;
        }
        let slot = at_ms / SLOT_MS;
        let mut book = self.lock();
        let slots = book.entry(node).or_default();
        match slots.iter_mut().find(|(of, _)| *of == slot) {
            Some((_, sum)) => *sum = sum.saturating_add(pay.0),
            None => slots.push_back((slot, pay.0)),
        }
        slots.retain(|(of, _)| *of > slot - IMMATURE_MS / SLOT_MS);
    }

    /// What it was paid in the last day.
    pub fn immature(&self, node: NodeId, now_ms: i64) -> Nano {
        let first = now_ms / SLOT_MS - IMMATURE_MS / SLOT_MS;
        let book = self.lock();
        let slots = book.get(&node).into_iter().flatten().filter(|(slot, _)| *slot > first);
        Nano(slots.map(|(_, sum)| *sum).fold(0, i64::saturating_add))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<NodeId, VecDeque<(i64, i64)>>> {
        // Nothing panics while it holds the lock; if it did, the map would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn pay_is_at_stake_for_a_day() {
        let (book, node) = (PayBook::default(), NodeId(Uuid::from_u128(1)));
        for hour in 0..30 {
            book.add(node, Nano(10), hour * SLOT_MS);
        }
        assert_eq!(book.immature(node, 29 * SLOT_MS), Nano(240));
        assert_eq!(book.immature(node, 40 * SLOT_MS), Nano(130));
        assert_eq!(book.immature(node, 90 * SLOT_MS), Nano(0));
        assert_eq!(book.immature(NodeId(Uuid::from_u128(2)), 0), Nano(0));
    }
}

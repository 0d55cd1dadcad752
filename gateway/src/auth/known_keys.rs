//! API keys that were good here before. A made-up one can have a right checksum: what tells it from a real one without asking
//! the store is that nobody has used it yet.

use std::{
    collections::HashSet,
    sync::{PoisonError, RwLock},
};

use assay_protocol::Bytes32;

/// Beyond, all are forgotten; the next use of each makes it known again.
const KNOWN_MAX: usize = 100_000;

/// See the head of this file: the hashes of keys.
#[derive(Debug, Default)]
pub struct KnownKeys(RwLock<HashSet<Bytes32>>);

impl KnownKeys {
    /// The store knows it.
    pub fn note(&self, key: Bytes32) {
        if self.contains(key) {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(key);
    }

    pub fn contains(&self, key: Bytes32) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&key)
    }
}

//! API keys that somebody has. A made-up one can have a right checksum; this tells the two apart without asking the store, of
//! keys that were made or used here, or made before this gateway started.

use std::{
    collections::HashSet,
    sync::{PoisonError, RwLock},
};

use assay_protocol::Bytes32;

use crate::db::{self, Db, DbError};

/// Beyond, all are forgotten; the next use of each makes it known again.
const KNOWN_MAX: usize = 100_000;
/// Of these, keys that were made before.
const MADE_BEFORE_MAX: i64 = 50_000;

/// See the head of this file: the hashes of keys.
#[derive(Debug, Default)]
pub struct KnownKeys(RwLock<HashSet<Bytes32>>);

impl KnownKeys {
    /// Those that the store has.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn load(db: &Db) -> Result<Self, DbError> {
        let known = db::keys::newest(db, MADE_BEFORE_MAX).await?;
        Ok(Self(RwLock::new(known.into_iter().collect())))
    }

    /// Somebody has it.
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

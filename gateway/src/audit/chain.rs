//! Follows the seals while the audit replays the journals: each must be what was sealed, and each seal must
//! go on from the one before.

use std::collections::{HashMap, VecDeque};

use assay_ledger::Digest;
use ed25519_dalek::{Signature, VerifyingKey};

use super::{Fault, Replay};
use crate::{
    auth::{gateway_id_of, ledger_head_message},
    db::{
        DbError,
        checks::{JournalRow, Snapshot},
        seals::Seal,
    },
};

/// Seals read at once. Of each such page the last signature is checked: the chain binds the others to it.
const SEALS_PER_FETCH: i64 = 500;

/// Where the replay is among the seals, which it meets in the order of the journals that they cover.
#[derive(Debug, Default)]
pub(super) struct Seals {
    next: VecDeque<Seal>,
    read_to: i64,
    all_read: bool,
    /// Of the seal in front, so far.
    hash: Option<Digest>,
    journals: i64,
    /// Numbers that were given out and are not sealed: (sealed, last].
    blocks: Vec<(i64, i64)>,
}

impl Seals {
    pub(super) async fn of(snapshot: &mut Snapshot) -> Result<Self, DbError> {
        let blocks = snapshot.journal_blocks().await?;
        Ok(Self { read_to: i64::MIN, blocks, ..Self::default() })
    }

    /// Reads the seals of all journals up to this number.
    pub(super) async fn read_to(
        &mut self,
        snapshot: &mut Snapshot,
        id: i64,
    ) -> Result<(), DbError> {
        while !self.all_read && self.next.back().is_none_or(|seal| seal.last < id) {
            let page = snapshot.seals_by_first(self.read_to, SEALS_PER_FETCH).await?;
            self.all_read = page.is_empty();
            self.read_to = page.last().map_or(self.read_to, |seal| seal.first);
            self.next.extend(page);
        }
        Ok(())
    }

    /// Takes the next journal; what is wrong with the seals so far.
    pub(super) fn journal(&mut self, journal: &JournalRow) -> Option<Fault> {
        let mut fault = None;
        while self.next.front().is_some_and(|seal| seal.last < journal.id) {
            fault = fault.or(self.end());
        }
        match self.next.front() {
            Some(seal) if seal.first <= journal.id => {
                let before = self.hash.unwrap_or(seal.previous);
                self.hash = Some(before.chained(&journal.link()));
                self.journals += 1;
                fault
            }
            _ => fault.or_else(|| self.unsealed(journal)),
        }
    }

    /// Not sealed yet is fine; past the seals is not.
    fn unsealed(&self, journal: &JournalRow) -> Option<Fault> {
        let waits =
            self.blocks.iter().any(|(sealed, last)| (sealed + 1..=*last).contains(&journal.id));
        (!waits).then(|| Fault {
            check: "journal_unsealed",
            message: format!("journal {} ({}) was added behind the seals", journal.id, journal.key),
        })
    }

    /// Closes the seal in front.
    pub(super) fn end(&mut self) -> Option<Fault> {
        let seal = self.next.pop_front()?;
        let (hash, journals) = (self.hash.take(), std::mem::take(&mut self.journals));
        let same = hash == Some(seal.hash) && journals == seal.journals;
        (!same).then(|| Fault {
            check: "seal",
            message: format!(
                "seal {} does not fit the journals {} to {}: one of them was changed, dropped or added",
                seal.number, seal.first, seal.last
            ),
        })
    }

    /// The seals after the last journal that there is.
    pub(super) fn finish(&mut self) -> Option<Fault> {
        let mut fault = None;
        while !self.next.is_empty() {
            fault = fault.or(self.end());
        }
        fault
    }
}

impl Replay {
    /// Each seal goes on from the one before, and the head is signed by a gateway.
    pub(super) async fn chain(&mut self, snapshot: &mut Snapshot) -> Result<(), DbError> {
        let keys: HashMap<String, String> = snapshot.gateway_keys().await?.into_iter().collect();
        let (mut number, mut height, mut hash) = (0, 0, Digest::CHAIN_START);
        loop {
            let page = snapshot.seals_by_number(number, SEALS_PER_FETCH).await?;
            let Some(last) = page.last() else { break };
            for seal in &page {
                let follows = seal.number == number + 1
                    && seal.height == height + seal.journals
                    && seal.previous == hash;
                if !follows {
                    let message = format!("seal {} does not go on from seal {number}", seal.number);
                    self.fault("seal_chain", message);
                }
                (number, height, hash) = (seal.number, seal.height, seal.hash);
            }
            if !is_signed(last, &keys) {
                let message = format!("seal {} is not signed by {}", last.number, last.gateway);
                self.fault("seal_signature", message);
            }
        }
        self.report.sealed = u64::try_from(height).unwrap_or_default();
        self.report.head = (number > 0).then(|| hash.to_string());
        Ok(())
    }
}

/// A gateway's name is the hash of its key, so a key of somebody else does not do.
fn is_signed(seal: &Seal, keys: &HashMap<String, String>) -> bool {
    let Some(key) = keys.get(&seal.gateway) else { return false };
    let mut bytes = ([0; 32], [0; 64]);
    if hex::decode_to_slice(key, &mut bytes.0).is_err()
        || hex::decode_to_slice(&seal.signature, &mut bytes.1).is_err()
    {
        return false;
    }
    let Ok(key) = VerifyingKey::from_bytes(&bytes.0) else { return false };
    let message = ledger_head_message(seal.hash.head(seal.number, seal.height));
    gateway_id_of(&key) == seal.gateway
        && key.verify_strict(&message, &Signature::from_bytes(&bytes.1)).is_ok()
}

//! The jobs that a node holds at this moment, offers on their way included: counted by whoever places jobs, shown to
//! whoever owns the node.

use std::sync::{Mutex, MutexGuard, PoisonError};

use assay_protocol::{JobId, JobKind, JobOffer};
use serde::{Deserialize, Serialize};

use crate::clock;

/// A job that a node holds, from its offer on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldJob {
    pub job: JobId,
    pub model: String,
    pub kind: JobKind,
    pub round: u8,
    /// When it was offered.
    pub since_ms: i64,
    /// Output tokens that came so far.
    pub tokens: u32,
}

/// See the head of this file; the oldest first.
#[derive(Debug, Default)]
pub struct Held(Mutex<Vec<HeldJob>>);

impl Held {
    pub fn count(&self) -> u32 {
        u32::try_from(self.lock().len()).unwrap_or(u32::MAX)
    }

    pub fn list(&self) -> Vec<HeldJob> {
        self.lock().clone()
    }

    /// It is offered a job, and has a place less from now on. False when it holds that job already.
    pub(super) fn begin(&self, offer: &JobOffer) -> bool {
        let mut held = self.lock();
        if held.iter().any(|held| held.job == offer.job) {
            return false;
        }
        held.push(HeldJob {
            job: offer.job,
            model: offer.model.clone(),
            kind: offer.kind,
            round: offer.round,
            since_ms: clock::now_ms(),
            tokens: 0,
        });
        true
    }

    pub(super) fn wrote(&self, job: JobId, tokens: usize) {
        if let Some(held) = self.lock().iter_mut().find(|held| held.job == job) {
            let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
            held.tokens = held.tokens.saturating_add(tokens);
        }
    }

    pub(super) fn end(&self, job: JobId) {
        self.lock().retain(|held| held.job != job);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<HeldJob>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

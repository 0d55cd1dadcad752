//! Draws of audits: an answer's entry is sealed into the log first, then the checkpoint over it decides with the epoch's
//! secret. Draws that come while one seal is made share the next.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use assay_protocol::Bytes32;
use assay_verifier::log::{Entry, Hash, entry::DrawEntry};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use sha2::{Digest, Sha256};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    app::App,
    db::{audits::NewAudit, log::WaitingEntry},
};

/// A seal takes milliseconds; where it takes longer than this, the answer is audited.
const SEAL_WAIT: Duration = Duration::from_secs(10);

/// Draws that wait for their seal: one for each job that runs at most.
#[derive(Debug, Default)]
pub(crate) struct Draws(Mutex<Vec<Waiting>>);

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) audit: NewAudit,
    /// Gets the root of the checkpoint that covers the draw.
    pub(super) sealed: oneshot::Sender<Hash>,
}

impl Draws {
    /// The oldest ones, at most `max`.
    pub(super) fn take(&self, max: usize) -> Vec<Waiting> {
        let mut waiting = self.lock();
        let taken = waiting.len().min(max);
        let rest = waiting.split_off(taken);
        mem::replace(&mut *waiting, rest)
    }

    pub(super) fn push(&self, waiting: Waiting) {
        self.lock().push(waiting);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waiting>> {
        // Nothing panics while it holds the lock; if it did, the list would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps what decides over an audit, and logs it; the root of the checkpoint that covers it. None when it could not be
/// kept.
pub(crate) async fn draw(app: &App, audit: NewAudit) -> Option<Bytes32> {
    let (sealed, root) = oneshot::channel();
    app.log.draws().push(Waiting { audit, sealed });
    app.log.has_draws();
    timeout(SEAL_WAIT, root).await.ok()?.ok()
}

/// What the log says of it.
pub(super) fn entry(audit: &NewAudit) -> WaitingEntry {
    let NewAudit { job, round, epoch, answer_hash, q_ppm, inputs, .. } = audit;
    let entry = Entry::Draw(DrawEntry {
        job: *job,
        round: *round,
        link: *answer_hash,
        epoch: epoch.unsigned_abs(),
        q_ppm: *q_ppm,
        inputs: Bytes32(Sha256::digest(inputs).into()),
    });
    WaitingEntry { key: format!("draw-{job}-{round}"), entry: BASE64.encode(entry.encode()) }
}

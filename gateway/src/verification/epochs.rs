//! The secrets that audits are drawn with. Each counts for an epoch; its hash is public before it begins and the
//! secret after it is over, so that anybody can see whether a drawn audit was skipped.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use assay_protocol::Bytes32;
/// Auditors draw with the same code.
pub use assay_verifier::log::draw::{Draw, commitment, is_drawn};
use tracing::warn;

use crate::{
    app::App,
    clock,
    db::{self, Db, DbError, epochs::Epoch},
};

/// Epochs whose commitments are out before they begin.
const AHEAD: usize = 2;
/// After a store that did not answer.
const RETRY: Duration = Duration::from_secs(5);
/// Clocks are not trusted to sleep longer than this.
const LOOK_EACH_MAX: Duration = Duration::from_secs(60);

/// The epochs that count now and next.
#[derive(Debug, Default)]
pub struct Epochs(Mutex<Vec<Epoch>>);

/// The secret of one epoch, for draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochKey {
    pub number: i64,
    secret: Bytes32,
}

impl EpochKey {
    /// What was public before the epoch began.
    pub fn commitment(&self) -> Bytes32 {
        commitment(self.secret)
    }

    /// See [`is_drawn`].
    pub fn draws(&self, draw: &Draw) -> bool {
        is_drawn(self.secret, draw)
    }
}

impl Epochs {
    /// Reads the epochs that count, and makes those that are missing.
    pub async fn open(db: &Db, gateway: &str, epoch_ms: i64, now_ms: i64) -> Result<Self, DbError> {
        let epochs = Self::default();
        epochs.renew(db, gateway, epoch_ms, now_ms).await?;
        Ok(epochs)
    }

    /// The secret that counts now; none while the store has not taken a new one in time.
    pub fn key(&self, now_ms: i64) -> Option<EpochKey> {
        let epochs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = epochs.iter().find(|epoch| (epoch.from_ms..epoch.to_ms).contains(&now_ms))?;
        Some(EpochKey { number: now.number, secret: now.secret })
    }

    /// Makes sure of this epoch and the next ones; gives the time when that has to be done again.
    async fn renew(
        &self,
        db: &Db,
        gateway: &str,
        epoch_ms: i64,
        now_ms: i64,
    ) -> Result<i64, DbError> {
        let known = i64::try_from(AHEAD + 1).unwrap_or(i64::MAX);
        let mut epochs = db::epochs::last(db, gateway, known).await?;
        let newest = epochs.iter().max_by_key(|epoch| epoch.number);
        let (mut number, mut from_ms) = match newest {
            Some(newest) => (newest.number + 1, newest.to_ms.max(now_ms)),
            None => (1, now_ms),
        };
        let ahead = |epochs: &[Epoch]| epochs.iter().filter(|e| e.to_ms > now_ms).count();
        while ahead(&epochs) <= AHEAD {
            let secret = Bytes32(rand::random());
            let to_ms = from_ms + epoch_ms;
            let commitment = commitment(secret);
            let epoch = Epoch { number, secret, commitment, from_ms, to_ms };
            db::epochs::insert(db, gateway, &epoch).await?;
            epochs.push(epoch);
            (number, from_ms) = (number + 1, to_ms);
        }
        let current = epochs.iter().filter(|e| e.to_ms > now_ms).min_by_key(|e| e.number);
        let again_ms = current.map_or(now_ms, |epoch| epoch.to_ms);
        epochs.retain(|epoch| epoch.to_ms > now_ms);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = epochs;
        Ok(again_ms)
    }
}

/// Keeps the epochs going until the gateway shuts down.
pub async fn run(app: App) {
    let epoch_ms = app.config.verification.epoch_ms();
    loop {
        let now_ms = clock::now_ms();
        let gateway = app.keys.gateway_id();
        let wait = match app.epochs.renew(&app.db, gateway, epoch_ms, now_ms).await {
            Ok(again_ms) => {
                let wait_ms = u64::try_from(again_ms - now_ms).unwrap_or_default();
                Duration::from_millis(wait_ms.max(1)).min(LOOK_EACH_MAX)
            }
            Err(error) => {
                warn!(%error, "no new audit epoch yet; without one every answer is audited");
                RETRY
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = app.shutdown.cancelled() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn epochs_follow_each_other_and_their_secrets_stay() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("assay.db").display());
        let db = Db::open(&url).await.unwrap();
        db.migrate().await.unwrap();
        let first = Epochs::open(&db, "gw-1", 1_000, 5_000).await.unwrap();
        let [one, two] = [first.key(5_000).unwrap(), first.key(6_000).unwrap()];
        assert_eq!((one.number, two.number), (1, 2));
        assert_eq!(first.key(5_999), Some(one));

        let again = Epochs::open(&db, "gw-1", 1_000, 6_500).await.unwrap();
        assert_eq!(again.key(6_500), Some(two), "a restart keeps what was committed to");
        let late = Epochs::open(&db, "gw-1", 1_000, 60_000).await.unwrap();
        assert!(late.key(60_000).unwrap().number > 3, "a pause makes a gap, not a lie");
        let stored = db::epochs::last(&db, "gw-1", 100).await.unwrap();
        assert!(stored.iter().all(|epoch| epoch.commitment == commitment(epoch.secret)));
        db.close().await;
    }
}

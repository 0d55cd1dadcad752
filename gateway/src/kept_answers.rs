//! Requests with an idempotency key: one works on the answer, others with the same key wait for it, and it is kept for
//! whoever asks again. Nothing is charged before the answer is kept, so a key is charged once at most.

use std::time::Duration;

use assay_ledger::AccountId;
use assay_protocol::Bytes32;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use uuid::Uuid;

use crate::{
    app::App,
    db::{
        self, DbError,
        kept_answers::{Begun, KeyedRequest},
    },
};

/// A longer answer is not kept; who asks again is told so.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// Whoever has a key lets go of it; should that fail, nobody waits longer for it than this.
const WORK_MS_MAX: i64 = 3_600_000;
/// How often a request looks whether the answer that it waits for is there.
const JOIN_LOOK: Duration = Duration::from_millis(200);
/// Tries to store what became of a request, with a wait between.
const STORE_TRIES: u32 = 20;
const STORE_RETRY: Duration = Duration::from_millis(500);
const PRUNE_EACH: Duration = Duration::from_secs(60);

/// `[idempotency]` of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdempotencySettings {
    /// How long an answer is kept.
    pub keep_minutes: u32,
    /// Answers of one account; the oldest make room.
    pub answers_per_account_max: u32,
    /// How long a request waits for the answer to another one with its key.
    pub join_ms: u64,
}

impl Default for IdempotencySettings {
    fn default() -> Self {
        Self { keep_minutes: 24 * 60, answers_per_account_max: 10_000, join_ms: 10_000 }
    }
}

/// What a request with a key is to do.
#[derive(Debug)]
pub enum Claim {
    /// Work on the answer.
    Own(Keeping),
    /// Give this answer again; nothing when it was too long to be kept.
    Answered(Option<String>),
    /// Come again: somebody still works on it.
    Running,
    /// The key is another request's.
    Other,
}

/// A key that this request has until it says what came of it.
#[derive(Debug)]
pub struct Keeping {
    app: App,
    request: KeyedRequest,
    ended: bool,
}

/// Takes the key, or waits a while for the answer of whoever has it.
pub async fn claim(
    app: &App,
    account: AccountId,
    key: &str,
    digest: Bytes32,
) -> Result<Claim, DbError> {
    let key = Bytes32(Sha256::digest(key).into());
    let request = KeyedRequest { account, key, digest, owner: Uuid::new_v4() };
    let until = Instant::now() + Duration::from_millis(app.config.idempotency.join_ms);
    loop {
        let lease = app.lease.current();
        match db::kept_answers::begin(&app.db, &request, lease, WORK_MS_MAX).await? {
            Begun::Own => {
                return Ok(Claim::Own(Keeping { app: app.clone(), request, ended: false }));
            }
            Begun::Answered(answer) => {
                return Ok(Claim::Answered(Some(answer).filter(|answer| !answer.is_empty())));
            }
            Begun::Other => return Ok(Claim::Other),
            Begun::Running if Instant::now() + JOIN_LOOK > until => return Ok(Claim::Running),
            Begun::Running => sleep(JOIN_LOOK).await,
        }
    }
}

impl Keeping {
    /// Keeps the answer. False when the key could not be held until now: then it must not be charged.
    pub async fn keep(mut self, answer: String) -> bool {
        self.ended = true;
        let answer = if answer.len() > ANSWER_BYTES_MAX { String::new() } else { answer };
        for _ in 0..STORE_TRIES {
            match db::kept_answers::keep(&self.app.db, &self.request, answer.clone()).await {
                Ok(kept) => return kept,
                Err(error) if error.is_temporary() => sleep(STORE_RETRY).await,
                Err(error) => {
                    tracing::error!(%error, "an answer was not kept: it is not charged");
                    break;
                }
            }
        }
        false
    }

    /// There is no answer: the key is free.
    pub async fn forget(mut self) {
        self.ended = true;
        forget(&self.app, &self.request).await;
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        if !self.ended {
            let (app, request) = (self.app.clone(), self.request);
            self.app.tasks.spawn(async move { forget(&app, &request).await });
        }
    }
}

async fn forget(app: &App, request: &KeyedRequest) {
    for _ in 0..STORE_TRIES {
        match db::kept_answers::forget(&app.db, request).await {
            Ok(()) => return,
            Err(error) if error.is_temporary() => sleep(STORE_RETRY).await,
            Err(error) => {
                tracing::error!(%error, "an idempotency key stays taken for a while");
                return;
            }
        }
    }
}

/// Drops what was kept long enough, until the shutdown.
pub async fn prune(app: App) {
    let settings = app.config.idempotency;
    let age_ms_max = 60_000 * i64::from(settings.keep_minutes);
    let mut each = interval(PRUNE_EACH);
    each.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = each.tick() => {}
            () = app.shutdown.cancelled() => return,
        }
        let rows_max = settings.answers_per_account_max;
        if let Err(error) = db::kept_answers::prune(&app.db, age_ms_max, rows_max).await {
            tracing::warn!(%error, "kept answers were not pruned");
        }
    }
}

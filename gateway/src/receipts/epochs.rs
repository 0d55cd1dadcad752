//! Puts epochs into the log: what each commits to before answers are drawn with it, its secret once all of them are in.

use std::collections::BTreeSet;

use assay_verifier::log::Entry;

use super::append;
use crate::{
    app::App,
    db::{self, DbError, epochs::Epoch},
};

/// Newest epochs that are looked at: some ahead, and all that may not be closed yet.
const EPOCHS_MAX: i64 = 64;
/// Longer than a settlement after its job's deadline can take.
const SETTLED_MS: i64 = 180_000;

/// What this run of the gateway has logged; an entry that is logged twice is one entry.
#[derive(Debug, Default)]
pub(super) struct Logged(BTreeSet<String>);

impl Logged {
    /// Logs what is new.
    pub(super) async fn renew(&mut self, app: &App, now_ms: i64) -> Result<(), DbError> {
        let deadline_ms = i64::try_from(app.config.serving.job_deadline_ms).unwrap_or(i64::MAX);
        let over_ms = now_ms.saturating_sub(deadline_ms).saturating_sub(SETTLED_MS);
        let epochs = db::epochs::last(&app.db, app.keys.gateway_id(), EPOCHS_MAX).await?;
        for epoch in epochs.iter().rev() {
            self.log(app, opened(epoch)).await?;
            if epoch.to_ms <= over_ms {
                self.log(app, closed(epoch)).await?;
            }
        }
        Ok(())
    }

    async fn log(&mut self, app: &App, (key, entry): (String, Entry)) -> Result<(), DbError> {
        if !self.0.contains(&key) {
            append(app, key.clone(), &entry).await?;
            self.0.insert(key);
        }
        Ok(())
    }
}

/// Its key comes before every answer's in one batch.
fn opened(epoch: &Epoch) -> (String, Entry) {
    let (number, commitment) = (epoch.number.unsigned_abs(), epoch.commitment);
    let starts_ms = epoch.from_ms.unsigned_abs();
    let entry = Entry::EpochOpened { epoch: number, starts_ms, commitment };
    (format!("00000000-epoch-{number:012}"), entry)
}

/// Its key comes after every answer's in one batch.
fn closed(epoch: &Epoch) -> (String, Entry) {
    let number = epoch.number.unsigned_abs();
    let entry = Entry::EpochClosed { epoch: number, secret: epoch.secret };
    (format!("zz-epoch-{number:012}"), entry)
}

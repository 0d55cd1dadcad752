//! What enters the log besides answers. Epochs: what each commits to before audits are drawn with it, its secret once
//! all its jobs are over. And heads of the ledger: what receipts say was paid lies in the journals below them.

use std::{collections::BTreeSet, time::Duration};

use assay_protocol::{Bytes32, Bytes64};
use assay_verifier::log::{Entry, LedgerHead};

use super::{append, corrupt, seal::place_waiting};
use crate::{
    app::App,
    db::{
        self, DbError,
        epochs::Epoch,
        seals::{self, Seal},
    },
};

/// Newest epochs that are looked at: some ahead, and all that may not be closed yet.
const EPOCHS_MAX: i64 = 64;
/// Looked for at least this often.
const LOOK_EACH_MAX: Duration = Duration::from_secs(5);

/// What this run of the gateway has logged; an entry that is logged twice is one entry.
#[derive(Debug, Default)]
pub(super) struct Logged {
    keys: BTreeSet<String>,
    /// Of the ledger's last head.
    seal: Option<i64>,
}

/// How long to wait between two looks: epochs are in the log before they begin.
pub(super) fn look_each(app: &App) -> Duration {
    LOOK_EACH_MAX.min(Duration::from_millis(app.config.verification.epoch_ms / 2))
}

impl Logged {
    /// Logs what is new.
    pub(super) async fn renew(&mut self, app: &App, now_ms: i64) -> Result<(), DbError> {
        if let Some(seal) = seals::head(&app.db).await?
            && self.seal != Some(seal.number)
        {
            append_ledger_head(app, &seal).await?;
            self.seal = Some(seal.number);
        }
        let margin_ms = i64::try_from(app.config.verification.reveal_after_ms).unwrap_or(i64::MAX);
        let over_ms = now_ms.saturating_sub(margin_ms);
        let epochs = db::epochs::last(&app.db, app.keys.gateway_id(), EPOCHS_MAX).await?;
        for epoch in epochs.iter().rev() {
            self.log(app, opened(epoch)).await?;
            if epoch.to_ms < over_ms {
                self.log(app, closed(epoch)).await?;
            }
        }
        Ok(())
    }

    async fn log(&mut self, app: &App, (key, entry): (String, Entry)) -> Result<(), DbError> {
        if !self.keys.contains(&key) {
            append(app, key.clone(), &entry).await?;
            self.keys.insert(key);
        }
        Ok(())
    }
}

/// Adds the ledger's head to the log, signed by this gateway, whichever one sealed it.
pub async fn append_ledger_head(app: &App, seal: &Seal) -> Result<(), DbError> {
    let signature = app.keys.sign_ledger_head(seal.hash.head(seal.number, seal.height));
    let signature = Bytes64::from_hex(&signature).ok_or_else(|| corrupt("a signature"))?;
    let (number, journals) = (seal.number.unsigned_abs(), seal.height.unsigned_abs());
    let chain = Bytes32(seal.hash.0);
    let head = Entry::LedgerHead(LedgerHead { number, journals, chain, signature });
    append(app, format!("ledger-{number:018}"), &head).await
}

/// Sees to it that this epoch's commitment has its place in the log.
pub(super) async fn commit_to(app: &App, number: i64) -> Result<(), DbError> {
    let gateway = app.keys.gateway_id();
    let found = db::epochs::before(&app.db, gateway, number.saturating_add(1), 1).await?;
    let epoch = found.into_iter().find(|epoch| epoch.number == number);
    let (key, entry) = opened(&epoch.ok_or_else(|| DbError::NotFound("epoch".into()))?);
    if !db::log::is_placed(&app.db, gateway, &key).await? {
        append(app, key, &entry).await?;
        while place_waiting(app).await? {}
    }
    app.log.set_opened(number);
    Ok(())
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

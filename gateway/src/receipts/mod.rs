//! Receipts for answers, and the log that holds them: what lets a client check this gateway without trusting it.
//!
//! A job's end writes its signed receipt in the same transaction; the sealer gives it its place in the log.

mod draws;
mod head;
mod news;
mod proofs;
mod seal;
mod settings;
mod signatures;
mod write;

use assay_protocol::{Bytes32, Bytes64, JobId};
use assay_verifier::{
    Trust,
    log::{Entry, entry},
    receipt::{Bundle, SignedReceipt},
    trust::GatewayKey,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use sha2::{Digest, Sha256};

use crate::{
    app::App,
    auth::Caller,
    db::{
        self, DbError,
        audits::AuditResult,
        jobs::JobState,
        log::{NewEntry, ReceiptRow},
    },
};

pub(crate) use draws::{Draws, draw};
pub use head::Log;
pub use news::append_ledger_head;
pub(crate) use proofs::{consistency, file, inclusion};
pub use seal::place as seal_batch;
pub(crate) use seal::run as run_sealer;
pub use settings::ReceiptSettings;
pub use signatures::Signatures;
pub(crate) use write::{Known, KnownPart, write};

/// A receipt, as far as it is there.
#[derive(Debug)]
pub(crate) enum Found {
    Ready(Box<Bundle>),
    /// The job runs, or its receipt waits for its place in the log.
    Pending,
    /// No such job of this key, or one that left no receipt.
    None,
}

/// The receipt of a job that the caller's key asked for, with its proof.
pub(crate) async fn find(app: &App, caller: &Caller, job: JobId) -> Result<Found, DbError> {
    let Some(row) = db::log::receipt(&app.db, job, caller.key).await? else {
        return Ok(Found::None);
    };
    let (receipt, position) = match row {
        ReceiptRow { state: JobState::Running, .. } => return Ok(Found::Pending),
        ReceiptRow { receipt: None, .. } => return Ok(Found::None),
        ReceiptRow { position: None, .. } => return Ok(Found::Pending),
        ReceiptRow { receipt: Some(receipt), position: Some(position), .. } => (receipt, position),
    };
    let index = u64::try_from(position).map_err(|_| corrupt("a place in the log"))?;
    let head = app.log.head();
    if index >= head.size() {
        return Ok(Found::Pending);
    }
    let receipt = stored(&receipt).ok_or_else(|| corrupt("a receipt"))?;
    let proof = inclusion(app, &head, index).await?;
    Ok(Found::Ready(Box::new(Bundle { receipt, index, note: head.note().to_owned(), proof })))
}

/// What clients pin: this gateway's key, and those of its nodes.
pub(crate) async fn keys(app: &App) -> Result<Trust, DbError> {
    let key = GatewayKey::new(app.keys.public_key(), 0);
    let nodes = db::nodes::public_keys(&app.db).await?;
    Ok(Trust { nodes: nodes.into_iter().collect(), ..Trust::of(vec![key]) })
}

/// Adds an entry to the log; the same key twice is one entry.
pub async fn append(app: &App, key: String, entry: &Entry) -> Result<(), DbError> {
    let gateway = app.keys.gateway_id().to_owned();
    let entry = BASE64.encode(entry.encode());
    db::log::append(&app.db, &NewEntry { gateway, key, entry, receipt: None }).await?;
    app.log.has_news();
    Ok(())
}

/// What the log says of an audit that ended; one that waits is logged when it ends.
pub(crate) fn audited(
    app: &App,
    job: JobId,
    round: u8,
    result: Option<AuditResult>,
) -> Option<NewEntry> {
    let result = match result {
        Some(AuditResult::Passed) => entry::AuditResult::Passed,
        Some(AuditResult::Failed) => entry::AuditResult::Failed,
        Some(AuditResult::Disputed) => entry::AuditResult::Disputed,
        Some(AuditResult::Dropped) => entry::AuditResult::Dropped,
        Some(AuditResult::Queued) | None => return None,
    };
    if !app.config.receipts.enabled {
        return None;
    }
    let evidence = Bytes32(Sha256::digest(format!("{job}/{round}/{}", result.as_str())).into());
    let logged = Entry::Audit(entry::AuditEntry { job, round, result, evidence });
    Some(NewEntry {
        gateway: app.keys.gateway_id().to_owned(),
        key: format!("audit-{job}-{round}"),
        entry: BASE64.encode(logged.encode()),
        receipt: None,
    })
}

/// A receipt as the store keeps it: the signature, then what it signs.
fn to_store(receipt: &SignedReceipt) -> String {
    BASE64.encode([receipt.signature.0.as_slice(), &receipt.bytes].concat())
}

fn stored(text: &str) -> Option<SignedReceipt> {
    let bytes = BASE64.decode(text).ok()?;
    let (signature, bytes) = bytes.split_first_chunk()?;
    Some(SignedReceipt { bytes: bytes.to_vec(), signature: Bytes64(*signature) })
}

fn corrupt(what: &str) -> DbError {
    DbError::Corrupt(format!("{what} is not readable"))
}

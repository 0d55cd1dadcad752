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

use assay_protocol::{Bytes64, JobId};
use assay_verifier::{
    Trust,
    log::{Entry, Evidence, entry},
    receipt::{Bundle, SignedReceipt},
    trust::GatewayKey,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::{
    app::App,
    auth::Caller,
    db::{
        self, DbError,
        audits::{AuditResult, RestsOn},
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
pub(crate) use write::{Known, KnownPart, nano, write};

/// A receipt, as far as it is there.
#[derive(Debug)]
pub(crate) enum Found {
    Ready(Box<Bundle>),
    /// The job runs, or its receipt waits for its place in the log of this gateway.
    Pending {
        gateway: String,
    },
    /// No such job of this key, or one that left no receipt.
    None,
}

/// The receipt of a job that the caller's key asked for, with its proof.
pub(crate) async fn find(app: &App, caller: &Caller, job: JobId) -> Result<Found, DbError> {
    let Some(row) = db::log::receipt(&app.db, job, caller.key).await? else {
        return Ok(Found::None);
    };
    let ReceiptRow { gateway, state, receipt, position } = row;
    let (receipt, position) = match (receipt, position) {
        _ if state == JobState::Running => return Ok(Found::Pending { gateway }),
        (None, _) => return Ok(Found::None),
        (_, None) => return Ok(Found::Pending { gateway }),
        (Some(receipt), Some(position)) => (receipt, position),
    };
    let index = u64::try_from(position).map_err(|_| corrupt("a place in the log"))?;
    // A job of another gateway, or of an earlier key of this one, is in the log that was signed with that key.
    let head = match gateway == app.keys.gateway_id() {
        true => app.log.head(),
        false => head::of_another(&app.db, &gateway).await?,
    };
    if index >= head.size() {
        return Ok(Found::Pending { gateway });
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

/// A result in the log's terms; one that waits is logged when it ends.
pub(crate) fn logged_result(result: AuditResult) -> Option<entry::AuditResult> {
    match result {
        AuditResult::Passed => Some(entry::AuditResult::Passed),
        AuditResult::Failed => Some(entry::AuditResult::Failed),
        AuditResult::Disputed => Some(entry::AuditResult::Disputed),
        AuditResult::Dropped => Some(entry::AuditResult::Dropped),
        AuditResult::Queued => None,
    }
}

/// Keeps what an audit rests on, and has the log name it.
pub(crate) fn audited(app: &App, evidence: &Evidence) -> RestsOn {
    let Evidence { job, round, result, .. } = *evidence;
    let logged = Entry::Audit(entry::AuditEntry { job, round, result, evidence: evidence.hash() });
    let entry = app.config.receipts.enabled.then(|| NewEntry {
        gateway: app.keys.gateway_id().to_owned(),
        key: format!("audit-{job}-{round}"),
        entry: BASE64.encode(logged.encode()),
        receipt: None,
    });
    RestsOn { evidence: BASE64.encode(evidence.encode()), entry }
}

/// What the audit of a job rests on that the caller's key asked for: of its last round that was audited.
pub(crate) async fn evidence(
    app: &App,
    caller: &Caller,
    job: JobId,
) -> Result<Option<Vec<u8>>, DbError> {
    let found = db::audits::evidence(&app.db, job, caller.key).await?;
    found.map(|text| BASE64.decode(text).map_err(|_| corrupt("evidence"))).transpose()
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

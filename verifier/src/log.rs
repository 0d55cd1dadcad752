//! The gateway's log: an append-only list of entries whose Merkle tree (RFC 6962) is signed at every growth, laid
//! out as tiles that a mirror can copy as files.

pub mod checkpoint;
pub mod draw;
pub mod entry;
pub mod evidence;
pub mod follow;
pub mod ledger_head;
pub mod merkle;
pub mod tiles;

pub use checkpoint::{Checkpoint, NoteError, SignedCheckpoint};
pub use entry::Entry;
pub use evidence::Evidence;
pub use ledger_head::LedgerHead;
pub use merkle::{Hash, ProofError};

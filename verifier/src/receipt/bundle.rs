//! A receipt as a file: the signed bytes, the checkpoint that covers them and the proof that it does.

use assay_protocol::{Bytes32, Bytes64};

use super::{RECEIPT_BYTES_MAX, SignedReceipt};
use crate::{
    log::{Hash, checkpoint::NOTE_BYTES_MAX, merkle::PROOF_HASHES_MAX},
    wire::{Reader, WireError, Writer},
};

/// What a file of this form begins with.
const MAGIC: [u8; 8] = *b"assay-r1";

/// Everything that a client keeps of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    pub receipt: SignedReceipt,
    /// Where the log has it.
    pub index: u64,
    /// The signed note of a checkpoint that covers it.
    pub note: String,
    /// From its leaf up to the checkpoint's root.
    pub proof: Vec<Hash>,
}

impl Bundle {
    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.bytes(&MAGIC).sized(&self.receipt.bytes).bytes(&self.receipt.signature.0);
        w.number(self.index).sized(self.note.as_bytes()).number(self.proof.len() as u64);
        for hash in &self.proof {
            w.bytes(&hash.0);
        }
        w.finish()
    }

    /// Reads a file; what it reads is written the same again.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        if r.array("first bytes")? != MAGIC {
            return Err(WireError::Unknown("kind of file"));
        }
        let receipt = SignedReceipt {
            bytes: r.sized("receipt", RECEIPT_BYTES_MAX)?.to_vec(),
            signature: Bytes64(r.array("signature")?),
        };
        let index = r.number("place in the log")?;
        let note = r.text("checkpoint", NOTE_BYTES_MAX)?;
        let count: usize = r.small("length of the proof")?;
        if count > PROOF_HASHES_MAX {
            return Err(WireError::TooLarge("length of the proof"));
        }
        let proof = (0..count).map(|_| r.array("proof").map(Bytes32)).collect::<Result<_, _>>()?;
        r.end()?;
        Ok(Self { receipt, index, note, proof })
    }
}

//! The digest of a command's content, by which a repeated key is told from a conflicting one.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::Settlement;

/// SHA-256 over a command's content; written as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

/// Takes fields in order, each with its length or at a fixed width, so that no two lists read alike.
#[derive(Debug)]
pub struct DigestWriter(Sha256);

impl Digest {
    /// Starts a digest of the thing that `tag` names.
    pub fn writer(tag: &str) -> DigestWriter {
        let mut writer = DigestWriter(Sha256::new_with_prefix(b"assay/ledger/1"));
        writer.text(tag);
        writer
    }
}

impl DigestWriter {
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.0.update((text.len() as u64).to_be_bytes());
        self.0.update(text);
        self
    }

    /// Of a fixed width.
    pub fn bytes(&mut self, bytes: &[u8; 32]) -> &mut Self {
        self.0.update(bytes);
        self
    }

    pub fn int(&mut self, value: i64) -> &mut Self {
        self.0.update(value.to_be_bytes());
        self
    }

    /// Every part of a settlement.
    pub fn settlement(&mut self, settlement: &Settlement) -> &mut Self {
        let Settlement { cost, fee, pays, reserve, returned } = settlement;
        self.int(cost.0).int(fee.0).int(reserve.0).int(returned.0);
        self.0.update((pays.len() as u64).to_be_bytes());
        for (account, pay) in pays {
            self.int(account.0).int(pay.0);
        }
        self
    }

    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

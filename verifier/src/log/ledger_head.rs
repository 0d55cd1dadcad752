//! The end of the chain of sealed journals, as a gateway signs it: what receipts say was paid lies below it.

use assay_protocol::{Bytes32, Bytes64, identity};
use sha2::{Digest, Sha256};

/// What a ledger signs at the end of its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerHead {
    /// Of the seal, from 1.
    pub number: u64,
    /// Journals that are sealed by then.
    pub journals: u64,
    /// The chain's hash over all of them.
    pub chain: Bytes32,
    /// Over [`LedgerHead::message`].
    pub signature: Bytes64,
}

impl LedgerHead {
    /// The signed bytes: a tag and the hash of number, journals and chain.
    pub fn message(&self) -> Vec<u8> {
        let mut hash = Sha256::new_with_prefix(b"assay/ledger/1");
        hash.update(4u64.to_be_bytes());
        hash.update(b"head");
        hash.update(self.number.to_be_bytes());
        hash.update(self.journals.to_be_bytes());
        hash.update(self.chain.0);
        [b"assay/ledger-head/1\n".as_slice(), &hash.finalize()].concat()
    }

    /// Whether the gateway with this key signed it.
    pub fn is_by(&self, key: Bytes32) -> bool {
        identity::verify(key, &self.message(), self.signature)
    }
}

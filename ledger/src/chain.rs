//! The hash chain over journals: whoever changes, drops or adds one afterwards changes every later hash.

use crate::{Digest, PostingKind};

/// All that a journal says.
#[derive(Clone, Copy, Debug)]
pub struct ChainLink<'a> {
    pub id: i64,
    pub key: &'a str,
    pub kind: PostingKind,
    pub digest: &'a str,
    pub note: &'a str,
    pub at_ms: i64,
    /// Its entries in the order of accounts and buckets: `1001 available -5,1001 held 5`.
    pub entries: &'a str,
}

impl Digest {
    /// Before the first journal.
    pub const CHAIN_START: Self = Self([0; 32]);

    /// The chain's head after one more journal.
    pub fn chained(self, journal: &ChainLink<'_>) -> Self {
        let ChainLink { id, key, kind, digest, note, at_ms, entries } = journal;
        let mut bytes = Self::writer("chain");
        bytes.bytes(&self.0).int(*id).text(key).text(kind.as_str()).text(digest).text(note);
        bytes.int(*at_ms).text(entries);
        bytes.finish()
    }

    /// What a gateway signs of a head: which one it is, and how many journals are below it.
    pub fn head(self, number: i64, height: i64) -> Self {
        let mut bytes = Self::writer("head");
        bytes.int(number).int(height).bytes(&self.0);
        bytes.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_counts() {
        let first = ChainLink {
            id: 1,
            key: "grant:a",
            kind: PostingKind::Grant,
            digest: "d",
            note: "n",
            at_ms: 5,
            entries: "4 available -1,1001 available 1",
        };
        let head = Digest::CHAIN_START.chained(&first);
        for other in [
            ChainLink { id: 2, ..first },
            ChainLink { key: "grant:b", ..first },
            ChainLink { kind: PostingKind::Void, ..first },
            ChainLink { digest: "e", ..first },
            ChainLink { note: "m", ..first },
            ChainLink { at_ms: 6, ..first },
            ChainLink { entries: "4 available -2,1001 available 2", ..first },
        ] {
            assert_ne!(Digest::CHAIN_START.chained(&other), head, "{other:?}");
        }
        assert_ne!(head.chained(&first), head, "and what was before it");
        assert_ne!(head.head(1, 1), head.head(1, 2));
    }
}

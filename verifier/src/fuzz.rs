//! What holds for any bytes that a stranger may send: they are read without a panic, and whatever can be read is written
//! the same again. The targets in `verifier/fuzz` feed this for hours, the test below for a moment.

use assay_protocol::Bytes32;

use crate::{
    Receipt, Trust,
    log::{
        Entry, Evidence, SignedCheckpoint,
        follow::Follower,
        tiles::{Tile, read_bundle, write_bundle},
    },
    receipt::{Bundle, Request, Saved, check},
};

/// Receipts, their files, requests, responses and pinned keys.
///
/// # Panics
/// Where something that was read is not written the same again.
pub fn receipts(bytes: &[u8]) {
    if let Ok(receipt) = Receipt::decode(bytes) {
        assert_eq!(receipt.encode(), bytes, "a receipt has one spelling");
    }
    if let Ok(bundle) = Bundle::decode(bytes) {
        assert_eq!(bundle.encode(), bytes, "a receipt's file has one spelling");
        assert!(check(&bundle, None, None, &Trust::of(Vec::new())).is_err(), "nobody is trusted");
    }
    if let Ok(request) = Request::parse(bytes) {
        let canonical = request.json.canonical();
        let again = Request::parse(canonical.as_bytes()).expect("what is written can be read");
        assert_eq!(again.digest(), request.digest(), "{canonical}");
    }
    let _ = Saved::parse(bytes);
    let _ = Trust::parse(bytes);
}

/// Log entries, evidence, bundles of them, checkpoints and paths of tiles.
///
/// # Panics
/// Where something that was read is not written the same again.
pub fn log(bytes: &[u8]) {
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(entry.encode(), bytes, "an entry has one spelling");
    }
    if let Ok(evidence) = Evidence::decode(bytes) {
        assert_eq!(evidence.encode(), bytes, "evidence has one spelling");
    }
    if let Ok(entries) = read_bundle(bytes) {
        let mut follower = Follower::default();
        for entry in &entries {
            let _ = follower.push(entry);
        }
        let _ = follower.missing(0, 0);
        assert_eq!(follower.head().0, entries.len() as u64, "every entry is in the tree");
        assert_eq!(write_bundle(entries), bytes, "a bundle has one spelling");
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Tile::parse(text);
        let opened = SignedCheckpoint::open(text, "gw-1", Bytes32([7; 32]));
        assert!(opened.is_err(), "nobody has this key");
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        log::entry::{AuditEntry, AuditResult, DrawEntry, LedgerHead},
        log::evidence::Scored,
        receipt::fixtures::case,
    };

    /// Mutations of each seed. Hours of them are the fuzzer's business.
    const ROUNDS: u64 = 3_000;

    /// Good inputs of every kind.
    fn seeds() -> Vec<Vec<u8>> {
        let (one, three) = (case(1), case(3));
        let bundle = three.bundle(1_000_000);
        let job = assay_protocol::JobId(Uuid::from_u128(7));
        let [link, inputs, chain, root] = [1, 2, 3, 4].map(|byte| Bytes32([byte; 32]));
        let signature = assay_protocol::Bytes64([5; 64]);
        let entries = [
            Entry::EpochOpened { epoch: 1, starts_ms: 5, commitment: chain },
            Entry::Draw(DrawEntry { job, round: 1, link, epoch: 1, q_ppm: 50_000, inputs }),
            Entry::Audit(AuditEntry { job, round: 1, result: AuditResult::Passed, evidence: link }),
            Entry::LedgerHead(LedgerHead { number: 3, journals: 9, chain, signature }),
            Entry::EpochClosed { epoch: 1, secret: root },
            Entry::Seal { time_ms: 1_795_000_000_000, root },
        ];
        let evidence = Evidence {
            job,
            round: 1,
            result: AuditResult::Passed,
            scored: vec![Scored {
                scorer: three.receipt.parts[0].node,
                link,
                margins_nano: vec![0, 300, 70_000],
                positions: vec![1, 2],
                nodes: Vec::new(),
            }],
        };
        let entries: Vec<Vec<u8>> = entries.iter().map(Entry::encode).collect();
        let mut seeds = vec![
            bundle.encode(),
            bundle.receipt.bytes,
            bundle.note.into_bytes(),
            one.bundle(7).encode(),
            one.request.clone(),
            one.response.clone(),
            serde_json::to_vec(&one.trust).unwrap(),
            write_bundle(entries.iter().map(Vec::as_slice)),
            evidence.encode(),
            b"entries/x001/x234/067.p/12".to_vec(),
        ];
        seeds.extend(entries);
        seeds
    }

    /// Splitmix64: the same bytes in every run.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let mixed = usize::try_from((mixed ^ (mixed >> 31)) >> 32).unwrap_or(0);
            mixed % end.max(1)
        }

        fn byte(&mut self) -> u8 {
            // What parsers stumble over, more often than the rest.
            match self.below(3) {
                0 => [0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'\n'][self.below(8)],
                _ => u8::try_from(self.below(256)).unwrap_or(0),
            }
        }

        /// Some bytes changed, put in, taken out, cut off, or taken from another input.
        fn mutate(&mut self, mut bytes: Vec<u8>, other: &[u8]) -> Vec<u8> {
            for _ in 0..=self.below(4) {
                let at = self.below(bytes.len());
                match self.below(6) {
                    0 | 1 if !bytes.is_empty() => bytes[at] = self.byte(),
                    2 => bytes.insert(at, self.byte()),
                    3 if !bytes.is_empty() => drop(bytes.remove(at)),
                    4 => bytes.truncate(at),
                    _ => {
                        let from = self.below(other.len());
                        bytes.truncate(at);
                        bytes.extend_from_slice(&other[from..]);
                    }
                }
            }
            bytes
        }
    }

    #[test]
    fn no_bytes_whatever_make_a_reader_panic() {
        let seeds = seeds();
        let mut dice = Dice(1);
        for seed in &seeds {
            receipts(seed);
            log(seed);
            for _ in 0..ROUNDS {
                let other = &seeds[dice.below(seeds.len())];
                let bytes = dice.mutate(seed.clone(), other);
                receipts(&bytes);
                log(&bytes);
            }
        }
    }
}

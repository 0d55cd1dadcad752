//! Log entries, bundles of them, checkpoints and paths of tiles: read without a panic, and written again the same.

#![no_main]

use assay_protocol::Bytes32;
use assay_verifier::log::{
    Entry, SignedCheckpoint,
    follow::Follower,
    tiles::{Tile, read_bundle, write_bundle},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(entry) = Entry::decode(bytes) {
        assert_eq!(entry.encode(), bytes);
    }
    if let Ok(entries) = read_bundle(bytes) {
        let mut follower = Follower::default();
        for entry in &entries {
            let _ = follower.push(entry);
        }
        let _ = follower.audits_missing(0);
        assert_eq!(follower.head().0, entries.len() as u64);
        assert_eq!(write_bundle(entries), bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Tile::parse(text);
        assert!(SignedCheckpoint::open(text, "gw-1", Bytes32([7; 32])).is_err());
    }
});

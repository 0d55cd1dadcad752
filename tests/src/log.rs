//! A gateway's log as any stranger reads it.

use assay_verifier::{
    Trust,
    log::{
        SignedCheckpoint,
        follow::Follower,
        tiles::{Tile, read_bundle},
    },
};

use crate::ChatClient;

/// Every entry of the log as it is signed now, and what following it finds.
///
/// # Panics
/// Where the log is not what its checkpoint says, or anything is wrong with an entry.
pub async fn followed(client: &ChatClient) -> (Vec<Vec<u8>>, Follower) {
    let trust = Trust::parse(&client.log_page("keys").await).expect("keys");
    let note = String::from_utf8(client.log_page("checkpoint").await).expect("a note");
    let known = &trust.gateways[0];
    let now = SignedCheckpoint::open(&note, &known.id, known.key).expect("a checkpoint").checkpoint;
    let mut follower = Follower::of_gateway(known.key);
    let mut entries = Vec::new();
    for tile in Tile::bundles(0, now.size, now.size) {
        let page = client.log_page(&tile.path()).await;
        for entry in read_bundle(&page).expect("a bundle") {
            follower.push(entry).unwrap_or_else(|fault| panic!("{fault}"));
            entries.push(entry.to_vec());
        }
    }
    assert_eq!(follower.head(), (now.size, now.root));
    (entries, follower)
}

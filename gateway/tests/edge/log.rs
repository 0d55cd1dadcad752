//! The log as anybody sees it: tiles, proofs and checkpoints that fit each other, over restarts too.

use assay_gateway::{App, db::seals, receipts, sealer};
use assay_protocol::{Bytes32, Bytes64};
use assay_verifier::{
    Trust,
    log::{
        Entry, Hash, LedgerHead, SignedCheckpoint,
        follow::Follower,
        merkle::{check_consistency, check_inclusion, leaf_hash},
        tiles::{Tile, WIDTH, read_bundle},
    },
};
use serde_json::{Value, json};

use crate::gateway::Gateway;

/// An entry of its own kind for each number.
fn entry(number: u64) -> Entry {
    let (chain, signature) = (Bytes32([1; 32]), Bytes64([2; 64]));
    Entry::LedgerHead(LedgerHead { number, journals: number, chain, signature })
}

async fn append(app: &App, numbers: std::ops::Range<u64>) {
    for number in numbers {
        receipts::append(app, format!("test:{number:06}"), &entry(number)).await.unwrap();
    }
    while receipts::seal_batch(app).await.unwrap() {}
}

async fn checkpoint(gateway: &Gateway) -> SignedCheckpoint {
    let trust = Trust::parse(&gateway.read("/log/keys").await.unwrap()).unwrap();
    let note = String::from_utf8(gateway.read("/log/checkpoint").await.unwrap()).unwrap();
    let known = &trust.gateways[0];
    SignedCheckpoint::open(&note, &known.id, known.key).unwrap()
}

/// Every entry, from its bundles.
async fn entries(gateway: &Gateway, size: u64) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    for tile in Tile::bundles(0, size, size) {
        let bundle = gateway.read(&format!("/log/{}", tile.path())).await.unwrap();
        entries.extend(read_bundle(&bundle).unwrap().into_iter().map(<[u8]>::to_vec));
    }
    assert_eq!(entries.len() as u64, size);
    entries
}

async fn proof(gateway: &Gateway, path: &str) -> Vec<Hash> {
    let answer = gateway.ask("GET", path, "", Value::Null).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    serde_json::from_value(answer.body["proof"].clone()).unwrap()
}

#[tokio::test]
async fn tiles_proofs_and_checkpoints_fit_each_other() {
    let gateway = Gateway::start().await;
    assert_eq!(gateway.read("/log/checkpoint").await, None);
    append(&gateway.app, 0..300).await;
    let earlier = checkpoint(&gateway).await.checkpoint;
    append(&gateway.app, 300..520).await;
    append(&gateway.app, 0..520).await;
    let now = checkpoint(&gateway).await.checkpoint;
    assert_eq!(
        (earlier.size, now.size),
        (301, 522),
        "a seal ends each batch, nothing is there twice"
    );

    let entries = entries(&gateway, now.size).await;
    let mut follower = Follower::default();
    for (index, entry) in entries.iter().enumerate() {
        follower.push(entry).unwrap_or_else(|fault| panic!("{index}: {fault}"));
        if index == 300 {
            assert_eq!(follower.head(), (earlier.size, earlier.root));
        }
    }
    assert_eq!(follower.head(), (now.size, now.root));

    for index in [0, 1, 255, 256, 300, 511, 512, 521] {
        let proof = proof(&gateway, &format!("/log/inclusion/{index}")).await;
        let leaf = leaf_hash(&entries[usize::try_from(index).unwrap()]);
        check_inclusion(leaf, index, now.size, &proof, now.root).unwrap();
    }
    let from = earlier.size;
    let steps = proof(&gateway, &format!("/log/consistency?from={from}")).await;
    check_consistency((from, earlier.root), (now.size, now.root), &steps).unwrap();
}

#[tokio::test]
async fn hash_tiles_are_what_a_mirror_expects() {
    let gateway = Gateway::start().await;
    append(&gateway.app, 0..300).await;
    let leaves = gateway.read("/log/tile/0/000").await.unwrap();
    let entries = entries(&gateway, 301).await;
    let expected: Vec<u8> = entries[..256].iter().flat_map(|entry| leaf_hash(entry).0).collect();
    assert_eq!(leaves, expected);
    let rest = gateway.read("/log/tile/0/001.p/45").await.unwrap();
    assert_eq!(
        rest,
        entries[256..].iter().flat_map(|entry| leaf_hash(entry).0).collect::<Vec<_>>()
    );
    assert_eq!(gateway.read("/log/tile/1/000.p/1").await.unwrap().len(), 32);
    for beyond in [
        "0/001",
        "0/001.p/46",
        "1/000.p/2",
        "2/000.p/1",
        "entries/001.p/46",
        "entries/999",
        "0/x999/999",
        "x",
    ] {
        assert_eq!(gateway.read(&format!("/log/tile/{beyond}")).await, None, "{beyond}");
    }
    for beyond in ["/log/inclusion/301", "/log/consistency?from=0", "/log/consistency?from=302"] {
        assert_eq!(gateway.read(beyond).await, None, "{beyond}");
    }
    assert_eq!(WIDTH, 256);
}

#[tokio::test]
async fn a_restart_goes_on_from_what_was_signed() {
    let gateway = Gateway::start().await;
    append(&gateway.app, 0..600).await;
    let before = checkpoint(&gateway).await.checkpoint;
    let again = gateway.again().await.unwrap();
    append(&again, 600..700).await;
    let router = Gateway::of(again);
    let now = checkpoint(&router).await.checkpoint;
    let from = before.size;
    let steps = proof(&router, &format!("/log/consistency?from={from}")).await;
    check_consistency((from, before.root), (now.size, now.root), &steps).unwrap();
}

#[tokio::test]
async fn only_the_account_that_asked_gets_a_receipt() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (_, key) = gateway.client(&admin).await;
    let path = format!("/v1/receipts/{}", uuid::Uuid::now_v7());
    gateway.ask("GET", &path, "", Value::Null).await.is_error(
        401,
        "invalid_request_error",
        Some("invalid_api_key"),
        None,
    );
    for path in [path.as_str(), "/v1/receipts/nonsense"] {
        gateway.ask("GET", path, &key, Value::Null).await.is_error(
            404,
            "invalid_request_error",
            Some("not_found"),
            None,
        );
    }
}

#[tokio::test]
async fn heads_of_the_ledger_are_signed_by_the_key_that_clients_pin() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (account, _) = gateway.client(&admin).await;
    let (path, grant) =
        (format!("/admin/v1/accounts/{account}/credits"), json!({"amount_nano": 5}));
    gateway.ask("POST", &path, &admin, grant).await;
    assert!(sealer::seal_all(&gateway.app.db, &gateway.app.keys).await.unwrap() > 0);
    let head = seals::head(&gateway.app.db).await.unwrap().expect("a credit was granted");
    for _ in 0..2 {
        receipts::append_ledger_head(&gateway.app, &head).await.unwrap();
    }
    while receipts::seal_batch(&gateway.app).await.unwrap() {}

    let now = checkpoint(&gateway).await.checkpoint;
    let mut follower = Follower::of_gateway(gateway.app.keys.public_key());
    for entry in entries(&gateway, now.size).await {
        follower.push(&entry).unwrap();
    }
    assert_eq!(follower.summary().ledger_heads, 1, "the same head twice is one entry");
}

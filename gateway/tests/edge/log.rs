//! The log as anybody sees it: tiles, proofs and checkpoints that fit each other, over restarts too.

use assay_gateway::{
    App,
    auth::GatewayKeys,
    db::{self, AccountId, Db, JobEnd, JobState, NewJob, Page, log::NewEntry, seals},
    receipts, sealer,
};
use assay_ledger::{Nano, Settlement};
use assay_protocol::{Bytes32, Bytes64, JobId};
use assay_verifier::{
    Trust,
    log::{
        Checkpoint, Entry, Hash, LedgerHead, SignedCheckpoint,
        follow::Follower,
        merkle::{check_consistency, check_inclusion, leaf_hash},
        tiles::{Tile, WIDTH, read_bundle},
    },
    receipt::Bundle,
};
use axum::{body::Body, http::Request};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::gateway::{Gateway, MODEL};

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

/// A job of this client that has ended at a gateway with these keys, and whose receipt waits for its place there.
async fn ended(db: &Db, keys: &GatewayKeys, account: i64) -> JobId {
    let account = AccountId(account);
    let id = JobId(Uuid::now_v7());
    let key = db::keys::list(db, Some(account), &Page::default()).await.unwrap().rows[0].id;
    let gateway = keys.gateway_id().to_owned();
    let job = NewJob {
        id,
        gateway: gateway.clone(),
        account,
        key,
        model: MODEL.into(),
        policy: "standard".into(),
        prompt_tokens: 1,
        max_tokens: 1,
        hold: Nano::ZERO,
        created_ms: 1,
        lease: None,
        lasts_ms_max: 600_000,
        holds_open_max: 100,
    };
    db::jobs::open(db, &job).await.unwrap();
    let signed = [[7; 64].as_slice(), b"what the gateway signed"].concat();
    let receipt = NewEntry {
        gateway,
        key: id.to_string(),
        entry: BASE64.encode(entry(1).encode()),
        receipt: Some(BASE64.encode(signed)),
    };
    let end = JobEnd {
        id,
        state: JobState::Failed,
        finish: None,
        completion_tokens: 0,
        rounds: 1,
        charge: Settlement::nothing(Nano::ZERO),
        reason: "nobody answered".into(),
        code: None,
        verdict: None,
        ended_ms: 2,
        nodes: Vec::new(),
        receipt: Some(receipt),
    };
    db::jobs::end(db, &end).await.unwrap();
    id
}

/// The receipt's file, as its client gets it.
async fn receipt(gateway: &Gateway, job: JobId, key: &str) -> Bundle {
    let request = Request::get(format!("/v1/receipts/{job}"));
    let request = request.header("authorization", format!("Bearer {key}"));
    let file = gateway.read_as(request.body(Body::empty()).unwrap()).await;
    Bundle::decode(&file.expect("a receipt")).unwrap()
}

#[tokio::test]
async fn only_the_key_that_asked_gets_a_receipt() {
    let gateway = Gateway::start().await;
    let admin = gateway.log_in().await;
    let (account, key) = gateway.client(&admin).await;
    let (_, stranger) = gateway.client(&admin).await;
    let job = ended(&gateway.app.db, &gateway.app.keys, account).await;
    while receipts::seal_batch(&gateway.app).await.unwrap() {}
    assert_eq!(receipt(&gateway, job, &key).await.receipt.bytes, b"what the gateway signed");
    let path = format!("/v1/receipts/{job}");
    gateway.ask("GET", &path, "", Value::Null).await.is_error(
        401,
        "invalid_request_error",
        Some("invalid_api_key"),
        None,
    );
    let ask = json!({"name": "another key", "account_id": account});
    let other = gateway.ask("POST", "/admin/v1/keys", &admin, ask).await.text("key");
    let nonsense = format!("/v1/receipts/{}", Uuid::now_v7());
    for (path, key) in [
        (path.as_str(), &stranger),
        (path.as_str(), &other),
        (nonsense.as_str(), &key),
        ("/v1/receipts/nonsense", &key),
    ] {
        gateway.ask("GET", path, key, Value::Null).await.is_error(
            404,
            "invalid_request_error",
            Some("not_found"),
            None,
        );
    }
}

/// Two gateways on one store, or one whose key was exchanged: each receipt comes with the log that it is in.
#[tokio::test]
async fn a_receipt_of_another_gateways_log_comes_with_that_logs_proof() {
    let gateway = Gateway::with(|config| config.receipts.wait_ms = 50).await;
    let admin = gateway.log_in().await;
    let (account, key) = gateway.client(&admin).await;
    append(&gateway.app, 0..20).await;
    let keys = || GatewayKeys::from_seed([8; 32]);
    let (config, db) = (gateway.app.config.clone(), gateway.app.db.clone());
    let other = App::open(config, db.clone(), keys()).await.unwrap();
    append(&other, 20..321).await;
    let job = ended(&db, &keys(), account).await;

    let path = format!("/v1/receipts/{job}");
    let refused = gateway.ask("GET", &path, &key, Value::Null).await;
    refused.is_error(421, "invalid_request_error", Some("other_gateway"), None);
    assert!(refused.body.to_string().contains(keys().gateway_id()), "{refused:?}");

    while receipts::seal_batch(&other).await.unwrap() {}
    append(&other, 321..330).await;
    let here = receipt(&gateway, job, &key).await;
    let there = receipt(&Gateway::of(other), job, &key).await;
    assert_eq!(here, there, "whoever is asked");
    let signed = SignedCheckpoint::open(&here.note, keys().gateway_id(), keys().public_key());
    let Checkpoint { size, root, .. } = signed.unwrap().checkpoint;
    let leaf = leaf_hash(&entry(1).encode());
    check_inclusion(leaf, here.index, size, &here.proof, root).unwrap();
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

//! Gateways that lie with their own keys: the `verifier` program exposes each, from files alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use assay_gateway::auth::GatewayKeys;
use assay_protocol::{Bytes32, JobId};
use assay_tests::{
    Ask, Behaviour, World,
    binaries::{binary, demo_model},
    log, wait_until,
};
use assay_verifier::{
    Receipt, Trust,
    log::{
        Checkpoint, Entry, Evidence,
        draw::{PPM, commitment},
        entry::{AnswerEntry, AuditEntry, AuditResult, DrawEntry},
        merkle::{Tree, inclusion_proof, leaf_hash},
        tiles::{Tile, write_bundle},
    },
    receipt::Bundle,
    trust::GatewayKey,
};
use tempfile::TempDir;
use uuid::Uuid;

const SECRET: Bytes32 = Bytes32([7; 32]);
const HOUR_MS: u64 = 3_600_000;

/// Runs the program; its exit status and what it said.
fn verifier(args: &[&str]) -> (i32, String) {
    let output = Command::new(binary("verifier")).args(args).output().expect("verifier runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

/// Runs the program beside the story; what it printed for programs, if it went well.
async fn printed(args: &[&str]) -> Vec<u8> {
    let mut verifier = tokio::process::Command::new(binary("verifier"));
    let output = verifier.args(args).output().await.expect("verifier runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What a client keeps of an answer, in files.
struct Kept {
    folder: TempDir,
    keys: GatewayKeys,
}

impl Kept {
    async fn of_an_answer() -> Self {
        let world = World::new().await;
        let _scorer = world.scorer().await;
        let _nodes = [world.agent().await, world.agent().await, world.agent().await];
        let kept = Self::of(&world).await;
        world.finish().await;
        kept
    }

    async fn of(world: &World) -> Self {
        let ask = Ask::say("Tell me a story.").max_tokens(24).with("temperature", 0.8);
        let answer = world.client.plain(&ask).await.expect("an answer");
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, bytes: &[u8]| {
            fs::write(folder.path().join(name), bytes).expect("a file is written");
        };
        write("request.json", ask.body.to_string().as_bytes());
        write("response.json", answer.json.to_string().as_bytes());
        write("keys.json", &world.client.log_page("keys").await);
        write("receipt", &world.client.receipt(&answer.job).await.expect("a receipt"));
        if let Ok(evidence) = world.client.evidence(&answer.job).await {
            write("evidence", &evidence);
        }
        Self { folder, keys: keys_of(world) }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn check(&self, receipt: &str) -> (i32, String) {
        self.check_with(receipt, &[])
    }

    fn check_with(&self, receipt: &str, more: &[&str]) -> (i32, String) {
        let model = demo_model().display().to_string();
        let [receipt, request, response, keys] =
            [receipt, "request.json", "response.json", "keys.json"].map(|name| self.path(name));
        let files = ["--request", &request, "--response", &response];
        let rest = ["--model", &model, "--trust", &keys];
        verifier(&[&["check", &receipt], &files[..], &rest, more].concat())
    }

    /// The same gateway says something else, and signs and logs it as it would the truth.
    fn lie(&self, change: impl FnOnce(&mut Receipt)) -> (i32, String) {
        let kept = fs::read(self.folder.path().join("receipt")).expect("the receipt");
        let bundle = Bundle::decode(&kept).expect("a receipt's file");
        let mut receipt = Receipt::decode(&bundle.receipt.bytes).expect("a receipt");
        change(&mut receipt);
        let signed = self.keys.sign_receipt(&receipt);
        let entry = receipt.entry(signed.hash());
        let mut tree = Tree::default();
        tree.push(leaf_hash(&entry.encode()));
        let origin = self.keys.gateway_id().to_owned();
        let checkpoint = Checkpoint { origin, size: 1, root: tree.root() };
        let note = self.keys.sign_checkpoint(checkpoint).note;
        let proof = inclusion_proof(&tree, 0, 1).expect("a proof");
        let lie = Bundle { receipt: signed, index: 0, note, proof };
        fs::write(self.folder.path().join("lie"), lie.encode()).expect("a file is written");
        self.check("lie")
    }
}

#[tokio::test]
async fn a_receipt_is_checked_down_to_the_model_and_every_lie_in_it_is_named() {
    let kept = Kept::of_an_answer().await;
    let (status, said) = kept.check("receipt");
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("are its own draws"), "{said}");
    assert!(said.contains("fork of the log is not excluded"), "{said}");

    // What the audit rests on is what the model says here, too; a margin that was made up is not.
    let file = kept.path("evidence");
    let evidence = Evidence::decode(&fs::read(&file).expect("strangers are audited"));
    let mut evidence = evidence.expect("evidence");
    assert_eq!(evidence.result, AuditResult::Passed);
    let (status, said) = kept.check_with("receipt", &["--evidence", &file]);
    assert_eq!(status, 0, "{said}");
    evidence.scored[0].margins_nano[3] += 1_000_000_000;
    fs::write(&file, evidence.encode()).expect("a file is written");
    let (status, said) = kept.check_with("receipt", &["--evidence", &file]);
    assert_eq!((status, said.contains("another margin")), (1, true), "{said}");

    // Limits that let more pass than those of the receipt.
    let lax = kept.folder.path().join("lax");
    fs::create_dir(&lax).expect("a folder");
    for name in ["manifest.json", "limits.json"] {
        fs::copy(demo_model().join(name), lax.join(name)).expect("a copy");
    }
    let limits = fs::read_to_string(lax.join("limits.json")).expect("limits");
    let limits = limits.replacen("0.001", "0.1", 1);
    fs::write(lax.join("limits.json"), limits).expect("a file is written");
    let lax = lax.display().to_string();
    let [receipt, request, keys] =
        ["receipt", "request.json", "keys.json"].map(|name| kept.path(name));
    let (status, said) =
        verifier(&["check", &receipt, "--request", &request, "--model", &lax, "--trust", &keys]);
    assert_eq!((status, said.contains("limits.json is not the one")), (1, true), "{said}");

    let (status, said) = kept.lie(|_| {});
    assert_eq!(status, 0, "the truth, told again, is no lie: {said}");
    type Lie = (&'static str, fn(&mut Receipt));
    let lies: [Lie; 5] = [
        ("signature of node", |receipt| receipt.manifest_hash = Bytes32([9; 32])),
        ("did the same work and were paid differently", |receipt| {
            receipt.parts[0].pay += 1;
            receipt.money.fee -= 1;
        }),
        ("payout does not add up", |receipt| receipt.money.fee += 1),
        ("another request", |receipt| receipt.request = Bytes32([9; 32])),
        ("no node signed this answer", |receipt| receipt.answer_link = Bytes32([9; 32])),
    ];
    for (named, lie) in lies {
        let (status, said) = kept.lie(lie);
        assert_eq!(status, 1, "{named}: {said}");
        assert!(said.contains(named), "{named}: {said}");
    }

    // A model folder that is not what the receipt names.
    let other = kept.folder.path().join("model");
    fs::create_dir(&other).expect("a folder");
    for name in ["tokenizer.json", "chat_template.jinja"] {
        if demo_model().join(name).is_file() {
            fs::copy(demo_model().join(name), other.join(name)).expect("a copy");
        }
    }
    let manifest = fs::read_to_string(demo_model().join("manifest.json")).expect("the manifest");
    fs::write(other.join("manifest.json"), format!("{manifest} ")).expect("another manifest");
    let [receipt, request, keys] =
        ["receipt", "request.json", "keys.json"].map(|name| kept.path(name));
    let model = other.display().to_string();
    let (status, said) =
        verifier(&["check", &receipt, "--request", &request, "--model", &model, "--trust", &keys]);
    assert_eq!((status, said.contains("has manifest")), (1, true), "{said}");
}

#[tokio::test]
async fn a_gateway_that_passes_off_a_smaller_model_is_exposed_by_the_answer_itself() {
    let world = World::with("[serving]\nscorer_wait_ms = 200").await;
    let cheat = async || world.scripted(Behaviour::Smaller).await;
    let _nodes = [cheat().await, cheat().await, cheat().await];
    // All of them agree, all of them sign, and the receipt says that it was the model that was asked for.
    let kept = Kept::of(&world).await;
    world.finish().await;
    let (status, said) = kept.check("receipt");
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("the model contradicts token"), "{said}");
}

/// A mirror of a log with these batches, thirty hours apart.
struct Mirror {
    folder: TempDir,
    entries: Vec<Vec<u8>>,
    tree: Tree,
    keys: GatewayKeys,
    hours: u64,
}

impl Mirror {
    fn new() -> Self {
        Self::of(GatewayKeys::from_seed([5; 32]))
    }

    fn of(keys: GatewayKeys) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let trust = Trust::of(vec![GatewayKey::new(keys.public_key(), 0)]);
        let text = serde_json::to_string(&trust).expect("keys are JSON");
        fs::write(folder.path().join("keys.json"), text).expect("a file is written");
        Self { folder, entries: Vec::new(), tree: Tree::default(), keys, hours: 0 }
    }

    /// Adds a batch and its seal.
    fn batch(mut self, entries: &[Entry]) -> Self {
        self.hours += 30;
        for entry in entries {
            self.push(entry);
        }
        let (time_ms, root) = (self.hours * HOUR_MS, self.tree.root());
        self.push(&Entry::Seal { time_ms, root });
        self
    }

    /// Adds these entries as they are, but each seal over what is now before it.
    fn grown_again(mut self, entries: impl Iterator<Item = Entry>) -> Self {
        for entry in entries {
            match entry {
                Entry::Seal { time_ms, .. } => {
                    let root = self.tree.root();
                    self.push(&Entry::Seal { time_ms, root });
                }
                entry => self.push(&entry),
            }
        }
        self
    }

    fn push(&mut self, entry: &Entry) {
        let bytes = entry.encode();
        self.tree.push(leaf_hash(&bytes));
        self.entries.push(bytes);
    }

    /// Writes the files that `name` will hold, and follows them.
    fn follow(&self, name: &str, more: &[&str]) -> (i32, String) {
        let folder = self.folder.path().join(name);
        let size = self.tree.size();
        for tile in Tile::bundles(0, size, size) {
            let path = folder.join(tile.path());
            fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            let from = usize::try_from(tile.index * 256).expect("a small log");
            let to = from + usize::try_from(tile.width).expect("a small log");
            let bundle = write_bundle(self.entries[from..to].iter().map(Vec::as_slice));
            fs::write(path, bundle).expect("a file is written");
        }
        let origin = self.keys.gateway_id().to_owned();
        let checkpoint = Checkpoint { origin, size, root: self.tree.root() };
        fs::write(folder.join("checkpoint"), self.keys.sign_checkpoint(checkpoint).note)
            .expect("a file is written");
        let (folder, keys) = (shown(&folder), shown(&self.folder.path().join("keys.json")));
        verifier(&[&["audit-log", folder.as_str(), "--trust", keys.as_str()], more].concat())
    }
}

/// The gateway's own keys: with them it can sign whatever it likes.
fn keys_of(world: &World) -> GatewayKeys {
    GatewayKeys::open(&world.folder().join("data"), [0; 32]).expect("its key")
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn job(number: u128) -> JobId {
    JobId(Uuid::from_u128(number))
}

fn draw(number: u128) -> Entry {
    let (link, inputs) = (Bytes32([2; 32]), Bytes32([4; 32]));
    Entry::Draw(DrawEntry { job: job(number), round: 1, link, epoch: 1, q_ppm: PPM, inputs })
}

fn answer(number: u128) -> Entry {
    let (receipt, link) = (Bytes32([1; 32]), Bytes32([2; 32]));
    Entry::Answer(AnswerEntry { job: job(number), receipt, link, epoch: 1, q_ppm: PPM })
}

fn audited(number: u128) -> Entry {
    let evidence = Bytes32([3; 32]);
    let result = AuditResult::Passed;
    Entry::Audit(AuditEntry { job: job(number), round: 1, result, evidence })
}

fn opened() -> Entry {
    Entry::EpochOpened { epoch: 1, starts_ms: 0, commitment: commitment(SECRET) }
}

fn closed() -> Entry {
    Entry::EpochClosed { epoch: 1, secret: SECRET }
}

#[test]
fn an_audit_that_was_drawn_and_dropped_is_exposed() {
    let answers = [draw(1), draw(2), answer(1), answer(2)];
    let honest = Mirror::new().batch(&[opened()]).batch(&answers);
    let honest = honest.batch(&[audited(1), audited(2)]).batch(&[closed()]);
    let (status, said) = honest.follow("honest", &[]);
    assert_eq!((status, said.contains("2 fell on an audit")), (0, true), "{said}");

    let lying = Mirror::new().batch(&[opened()]).batch(&answers);
    let lying = lying.batch(&[audited(1)]).batch(&[closed()]);
    let (status, said) = lying.follow("lying", &[]);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains(&format!("the audit of job {} was drawn and never done", job(2))),
        "{said}"
    );
    let (status, said) = lying.follow("lying", &["--json"]);
    assert_eq!((status, said.contains(r#""holds":false"#)), (1, true), "{said}");
}

#[test]
fn a_forked_log_is_exposed_by_two_checkpoints() {
    let seen = Mirror::new().batch(&[opened()]).batch(&[draw(1), answer(1)]);
    assert_eq!(seen.follow("log", &[]).0, 0);
    let checkpoint: PathBuf = seen.folder.path().join("log/checkpoint");
    let compare = ["--checkpoint", &shown(&checkpoint)];
    let grown = Mirror::new().batch(&[opened()]).batch(&[draw(1), answer(1)]);
    let grown = grown.batch(&[audited(1)]);
    let (status, said) = grown.follow("log", &compare);
    assert_eq!(status, 0, "{said}");

    let forked = Mirror::new().batch(&[opened()]).batch(&[draw(2), answer(2)]);
    let forked = forked.batch(&[audited(2)]);
    let (status, said) = forked.follow("log", &compare);
    assert_eq!((status, said.contains("the log is forked")), (1, true), "{said}");
    let shorter = Mirror::new().batch(&[opened()]);
    let (status, said) = shorter.follow("log", &compare);
    assert_eq!((status, said.contains("the log is forked")), (1, true), "{said}");
}

/// What is kept is what held: a run that finds a lie leaves the copy as it was, the next good one adds to it.
#[test]
fn a_saved_copy_grows_with_what_was_verified_and_with_nothing_else() {
    let honest = Mirror::new().batch(&[opened()]).batch(&[draw(1), answer(1)]);
    let saved = honest.folder.path().join("saved");
    let save = ["--save", &shown(&saved)];
    let files = || {
        let checkpoint = fs::read_to_string(saved.join("checkpoint")).unwrap_or_default();
        let names = |folder: &Path| match fs::read_dir(folder) {
            Ok(found) => found.map(|file| file.expect("a name").file_name()).collect(),
            Err(_) => std::collections::BTreeSet::new(),
        };
        (checkpoint, names(&saved), names(&saved.join("tile/entries/000.p")))
    };
    let lying = Mirror::new().batch(&[opened()]).batch(&[draw(1), draw(1)]);
    assert_eq!(lying.follow("lying", &save).0, 1);
    assert_eq!(files().0, "", "nothing of it counts");
    assert!(files().2.is_empty(), "{:?}", files());

    assert_eq!(honest.follow("log", &save).0, 0);
    let first = files();
    assert_eq!((first.1.len(), first.2.len()), (2, 1), "{first:?}");
    let grown = Mirror::new().batch(&[opened()]).batch(&[draw(1), answer(1)]);
    let skipped = grown.batch(&[audited(2)]).batch(&[closed()]).batch(&[]);
    assert_eq!(skipped.follow("skipped", &save).0, 1, "the audit of job 1 was never done");
    let after = files();
    assert_eq!((&after.0, &after.2), (&first.0, &first.2), "a failure adds nothing");

    let grown = Mirror::new().batch(&[opened()]).batch(&[draw(1), answer(1)]);
    let grown = grown.batch(&[audited(1)]).batch(&[closed()]);
    let (status, said) = grown.follow("grown", &save);
    assert_eq!(status, 0, "{said}");
    let last = files();
    assert!(last.0 != first.0 && last.2.len() == 2, "{last:?}");
    let (keys, saved) = (shown(&grown.folder.path().join("keys.json")), shown(&saved));
    let (status, said) = verifier(&["audit-log", &saved, "--trust", &keys]);
    assert_eq!(status, 0, "the copy stands by itself: {said}");
}

#[test]
fn entries_that_were_changed_after_their_checkpoint_are_exposed() {
    let mut log = Mirror::new().batch(&[opened()]).batch(&[draw(1), answer(1)]);
    log.entries[3] = answer(3).encode();
    let (status, said) = log.follow("log", &[]);
    assert_eq!(status, 1, "{said}");
    assert!(said.contains("not those of the signed checkpoint"), "{said}");
    let (status, said) = verifier(&["keys", &shown(&log.folder.path().join("nothing"))]);
    assert_eq!(status, 2, "what cannot be read is not refused: {said}");
}

/// A real gateway's log is true; the same gateway shows another one from which an audit is missing.
#[tokio::test]
async fn an_audit_that_a_real_gateway_leaves_out_forks_its_log_and_is_exposed() {
    let world = World::with("[verification]\nepoch_ms = 4000\nreveal_after_ms = 1").await;
    let _scorer = world.scorer().await;
    let _nodes = [world.honest().await, world.honest().await, world.honest().await];
    let answer = world.client.plain(&Ask::say("Hello!")).await.expect("an answer");
    let receipt = world.client.receipt(&answer.job).await.expect("a receipt");
    let entries = wait_until("the audit and its epoch's secret are in the log", async || {
        let (log, follower) = log::followed(&world.client).await;
        (follower.summary().drawn == 1).then_some(log)
    })
    .await;
    let url = world.gateway.url();
    let pinned = tempfile::tempdir().expect("a folder");
    let [keys, mirror, file] =
        ["keys.json", "mirror", "receipt"].map(|name| shown(&pinned.path().join(name)));
    fs::write(&keys, printed(&["keys", &url]).await).expect("a file is written");
    fs::write(&file, receipt).expect("a file is written");
    let rests_on = shown(&pinned.path().join("evidence"));
    let evidence = world.client.evidence(&answer.job).await.expect("what the audit rests on");
    fs::write(&rests_on, evidence).expect("a file is written");
    let held = ["--receipt", &file, "--evidence", &rests_on];
    let follow = ["audit-log", url.as_str(), "--json", "--trust", &keys];
    let follow = [&follow[..], &held].concat();
    let told = printed(&[&follow[..], &["--save", &mirror, "--audit-hours", "0"]].concat()).await;
    let told: serde_json::Value = serde_json::from_slice(&told).expect("one JSON object");
    let figures = &told["figures"];
    assert_eq!((&told["holds"], &figures["drawn"]), (&true.into(), &1.into()), "{told}");
    assert!(figures["ledger_heads"].as_u64() > Some(0), "{told}");
    assert!(told["notes"].to_string().contains("fell on an audit: passed"), "{told}");
    assert!(told["notes"].to_string().contains("rests on what the log says"), "{told}");

    let lying = Mirror::of(keys_of(&world));
    world.finish().await;
    let known = entries.iter().map(|entry| Entry::decode(entry).expect("an entry"));
    let lying = lying.grown_again(known.filter(|entry| !matches!(entry, Entry::Audit(_))));
    let checkpoint = shown(&Path::new(&mirror).join("checkpoint"));
    let (status, said) =
        lying.follow("lying", &["--audit-hours", "0", "--checkpoint", &checkpoint]);
    assert_eq!(status, 1, "{said}");
    assert!(
        said.contains(&format!("audit of job {} was drawn and never done", answer.job)),
        "{said}"
    );
    assert!(said.contains("the log is forked"), "{said}");
}

//! The model that ships, as a folder of files: loading, prompts, ids and text.

use std::{fs, path::PathBuf};

use assay_model::{ChatMessage, Files, Manifest, ModelError, TextModel};
use assay_protocol::TokenId;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

fn demo() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("demo")
}

fn message(role: &str, content: &str) -> ChatMessage {
    ChatMessage::new(role, content)
}

/// The text files of the demo model in a folder of their own.
fn copy() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = Manifest::load(&demo()).unwrap().0;
    for name in ["manifest.json", &manifest.tokenizer, &manifest.chat_template] {
        fs::copy(demo().join(name), folder.path().join(name)).unwrap();
    }
    folder
}

fn change_manifest(folder: &TempDir, change: impl FnOnce(&mut Value)) -> ModelError {
    let path = folder.path().join("manifest.json");
    let mut manifest = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    change(&mut manifest);
    fs::write(&path, manifest.to_string()).unwrap();
    Manifest::load(folder.path()).unwrap_err()
}

#[test]
fn the_demo_folder_is_what_its_manifest_says() {
    let (manifest, hash) = Manifest::load(&demo()).unwrap();
    manifest.check_files(&demo(), Files::All).unwrap();
    let model = TextModel::load(&demo()).unwrap();
    assert_eq!((model.manifest_hash, &model.manifest), (hash, &manifest));
    assert!(model.is_end(manifest.end_tokens[0]));
}

#[test]
fn a_conversation_becomes_a_prompt_that_ends_where_the_assistant_begins() {
    let model = TextModel::load(&demo()).unwrap();
    let prompt = model.render(&[message("system", "Be kind."), message("user", "Hi!")]).unwrap();
    let expected = "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi!<|im_end|>\n\
                    <|im_start|>assistant\n";
    assert_eq!(prompt, expected);
    let ids = model.encode(&prompt).unwrap();
    assert!(ids.iter().all(|id| *id < model.manifest.vocab_size));
    // Special tokens in the text are tokens, and nothing is added.
    let turns = ids.iter().filter(|id| model.is_end(**id)).count();
    assert_eq!(turns, 2);
    assert_eq!(model.encode("").unwrap(), [] as [TokenId; 0]);
}

#[test]
fn end_tokens_and_special_tokens_have_no_text() {
    let model = TextModel::load(&demo()).unwrap();
    let mut text = model.detokenizer();
    let ids = model.encode("<|im_start|>Hi<|im_end|>").unwrap();
    let pieces: String = ids.iter().map(|id| text.push(*id)).collect();
    assert_eq!(pieces + &text.finish(), "Hi");
}

#[test]
fn a_character_comes_out_whole_or_at_the_end_as_broken() {
    let model = TextModel::load(&demo()).unwrap();
    let ids = model.encode("🦀").unwrap();
    assert!(ids.len() > 1, "the character has no token of its own");
    let mut text = model.detokenizer();
    let (last, first) = ids.split_last().unwrap();
    assert!(first.iter().all(|id| text.push(*id).is_empty()));
    assert_eq!(text.push(*last), "🦀");
    assert_eq!(text.push(first[0]), "");
    assert_eq!(text.finish(), "\u{FFFD}");
    assert_eq!(text.finish(), "");
}

#[test]
fn a_changed_tokenizer_is_refused_by_name() {
    let folder = copy();
    let path = folder.path().join("tokenizer.json");
    let mut bytes = fs::read(&path).unwrap();
    bytes.push(b'\n');
    fs::write(&path, &bytes).unwrap();
    let error = TextModel::load(folder.path()).unwrap_err();
    assert!(matches!(&error, ModelError::FileDiffers { path: named, .. } if *named == path));
    bytes.pop();
    bytes[0] = b' ';
    fs::write(&path, &bytes).unwrap();
    let (manifest, _) = Manifest::load(folder.path()).unwrap();
    let error = manifest.check_files(folder.path(), Files::Text).unwrap_err();
    assert!(error.to_string().contains("SHA-256"), "{error}");
    // Without weights the text side is whole, the folder is not.
    let folder = copy();
    TextModel::load(folder.path()).unwrap();
    assert!(manifest.check_files(folder.path(), Files::All).is_err());
}

#[test]
fn an_impossible_manifest_is_refused_with_its_reason() {
    let entry = json!({ "sha256": "00".repeat(32), "bytes": 1 });
    let wrong = |change: &dyn Fn(&mut Value)| change_manifest(&copy(), change).to_string();
    assert!(wrong(&|m| m["format"] = json!("assay-model/2")).contains("assay-model/2"));
    assert!(wrong(&|m| m["sampler"] = json!("gmax-v2")).contains("gmax-v2"));
    assert!(wrong(&|m| m["end_tokens"] = json!([])).contains("no end token"));
    assert!(wrong(&|m| m["end_tokens"] = json!([1 << 20])).contains("outside the vocabulary"));
    assert!(wrong(&|m| m["tokenizer"] = json!("other.json")).contains("other.json"));
    for path in ["../secret", "/etc/passwd", "a/../../b"] {
        assert!(wrong(&|m| m["files"][path] = entry.clone()).contains("leaves the model folder"));
    }
    let error = change_manifest(&copy(), |m| m["vocab_size"] = json!("many"));
    assert!(matches!(error, ModelError::ManifestForm { .. }));
    assert!(matches!(
        Manifest::load(&demo().join("missing")).unwrap_err(),
        ModelError::Read { .. }
    ));
}

#[test]
fn a_tokenizer_with_more_tokens_than_logits_is_refused() {
    let folder = copy();
    let path = folder.path().join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["vocab_size"] = json!(100);
    fs::write(&path, manifest.to_string()).unwrap();
    let error = TextModel::load(folder.path()).unwrap_err();
    assert!(matches!(error, ModelError::TokenizerForm { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the ids of a text are cut, its pieces add up to the text.
    #[test]
    fn streamed_text_is_the_text(text in "([a-zA-Z0-9 .,!\n]|[äöüß€]|[🦀😀語]){0,40}") {
        thread_local! { static MODEL: TextModel = TextModel::load(&demo()).unwrap(); }
        MODEL.with(|model| {
            let mut stream = model.detokenizer();
            let ids = model.encode(&text).unwrap();
            let pieces: String = ids.iter().map(|id| stream.push(*id)).collect();
            prop_assert_eq!(pieces + &stream.finish(), text);
            Ok(())
        })?;
    }
}

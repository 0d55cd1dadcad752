//! The shipped embedder: vectors of length 1 that do not depend on threads or neighbours, and put alike texts side by side.

use std::path::Path;

use assay_engine::{Embedder, Engine, EngineConfig, EngineError, Machine, Runtime, RuntimeConfig};

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../model").join(name)
}

fn runtime() -> Runtime {
    Runtime::load(&RuntimeConfig::default()).expect("the runtime loads")
}

fn open(threads: usize) -> Embedder {
    let config = EngineConfig { threads, ..EngineConfig::default() };
    Embedder::open(&runtime(), &folder("embedder"), &config).expect("the embedder opens")
}

#[test]
fn vectors_have_length_one_and_depend_on_their_text_alone() {
    let (mut one, mut two) = (open(1), open(2));
    let ids = |text: &str| one.text().encode_raw(text).unwrap();
    let texts = [ids("Who are you?"), ids("What is your name?"), ids("How much is two and three?")];
    let together = one.embed(&texts).unwrap();
    let width = together.len() / texts.len();
    for (at, text) in texts.iter().enumerate() {
        let vector = &together[at * width..(at + 1) * width];
        assert_eq!(one.embed(std::slice::from_ref(text)).unwrap(), vector);
        let length: f32 = vector.iter().map(|c| c * c).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
    let other = two.embed(&texts).unwrap();
    assert!(together.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-6));
    let near = |a: usize, b: usize| -> f32 {
        let of = |at: usize| &together[at * width..(at + 1) * width];
        of(a).iter().zip(of(b)).map(|(a, b)| a * b).sum()
    };
    assert!(near(0, 1) > near(0, 2) + 0.2, "{} {}", near(0, 1), near(0, 2));
}

#[test]
fn what_does_not_fit_is_the_requests_fault() {
    let mut embedder = open(1);
    for (ids, right) in
        [(vec![], false), (vec![5; 512], true), (vec![5; 513], false), (vec![2_048], false)]
    {
        match embedder.embed(&[ids]) {
            Ok(_) => assert!(right),
            Err(error) => assert!(!right && error.is_bad_request(), "{error}"),
        }
    }
}

#[test]
fn a_folder_opens_as_what_its_manifest_says() {
    let config = EngineConfig::default();
    let mut embeds = Machine::open(&runtime(), &folder("embedder"), &config).unwrap();
    assert!(embeds.embedder().is_ok());
    assert!(matches!(embeds.writer(), Err(EngineError::OtherKind(_))));
    let refused = Embedder::open(&runtime(), &folder("demo"), &config);
    assert!(refused.unwrap_err().to_string().contains("no vectors"));
    assert!(Engine::open(&runtime(), &folder("embedder"), &config).is_err());
}

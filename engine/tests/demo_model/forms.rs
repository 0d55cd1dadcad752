//! Which of a model's graphs runs.

use std::{fs, os::unix::fs::symlink, path::Path};

use assay_engine::{Engine, EngineConfig, EngineError, Form, Runtime, RuntimeConfig};

use crate::support::{demo, engine};

fn open(folder: &Path, form: Option<Form>) -> Result<Engine, EngineError> {
    let runtime = Runtime::load(&RuntimeConfig::default()).expect("ONNX Runtime");
    Engine::open(&runtime, folder, &EngineConfig { form, ..EngineConfig::default() })
}

/// The demo's files, each a link to where it really lies.
fn folder_of_links() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("onnx")).unwrap();
    for path in engine().text().manifest.files.keys() {
        symlink(demo().join(path), folder.path().join(path)).unwrap();
    }
    fs::copy(demo().join("manifest.json"), folder.path().join("manifest.json")).unwrap();
    folder
}

#[test]
fn a_processor_runs_the_faster_form_unless_told_otherwise() {
    assert_eq!(open(&demo(), None).unwrap().form(), Form::B);
    assert_eq!(open(&demo(), Some(Form::A)).unwrap().form(), Form::A);
}

#[test]
fn a_graph_that_does_not_open_leaves_the_other() {
    // The runtime reads no weights through a link that leaves the graph's folder.
    let folder = folder_of_links();
    fs::remove_file(folder.path().join("onnx/model_b.onnx")).unwrap();
    fs::copy(demo().join("onnx/model_b.onnx"), folder.path().join("onnx/model_b.onnx")).unwrap();
    let error = open(folder.path(), Some(Form::B)).unwrap_err();
    assert!(error.to_string().contains("External data path"), "{error}");
    assert_eq!(open(folder.path(), None).unwrap().form(), Form::A);
}

//! The demo model ships calibrated: its limits are those of its manifest, and a short new measurement in all
//! configurations stays inside them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use assay_model::Manifest;
use assay_protocol::Bytes32;
use assay_verifier::{ClassLimits, Limits};

fn demo() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../model/demo")
}

fn shipped() -> Limits {
    Limits::parse(&fs::read(demo().join("limits.json")).unwrap()).unwrap()
}

#[test]
fn the_limits_that_ship_are_those_of_the_model_that_ships() {
    let (manifest, manifest_hash) = Manifest::load(&demo()).unwrap();
    let limits = shipped();
    assert_eq!(limits.manifest_hash, manifest_hash, "run `cargo xtask calibrate model/demo`");
    assert!(!manifest.files.contains_key("limits.json"), "the limits name the manifest's hash");

    let class = &limits.classes["cpu-fp32"];
    assert_eq!(class.runtime, manifest.runtime);
    let measured = &class.measured;
    assert!(measured.tokens >= 100_000, "{} tokens say little", measured.tokens);
    for form in ["form a", "form b"] {
        for who in ["written", "scored"] {
            let has = |name: &&String| name.starts_with(who) && name.contains(form);
            assert!(measured.configurations.iter().any(|name| has(&name)), "{who} in {form}");
        }
    }
    let follows = ClassLimits::from_measured(class.runtime.clone(), measured.clone());
    assert_eq!(*class, follows, "limits follow from what was measured, by no other hand");
}

#[test]
fn a_new_measurement_stays_inside_the_limits_that_ship() {
    let output = calibrate(&["--check", "--tokens", "400"], &demo());
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(" honest answers break them"), "{said}");
    assert!(said.contains("0 of 6 weak forms of the model pass"), "{said}");
}

/// Limits that 16-bit weights keep cannot be had by calibrating.
#[test]
fn limits_that_admit_a_rounded_form_of_the_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("demo");
    let zoo = demo().join("../zoo");
    std::os::unix::fs::symlink(zoo.canonicalize().unwrap(), folder.path().join("zoo")).unwrap();
    let (manifest, _) = Manifest::load(&demo()).unwrap();
    for path in manifest.files.keys().map(String::as_str).chain(["manifest.json"]) {
        let to = model.join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(demo().join(path), to).unwrap();
    }
    let mut limits = shipped();
    limits.classes.get_mut("cpu-fp32").unwrap().tau_logit = 1e-2;
    fs::write(model.join("limits.json"), serde_json::to_vec(&limits).unwrap()).unwrap();
    let output = calibrate(&["--check", "--tokens", "1"], &model);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("would admit fp16"), "{said}");
}

#[test]
fn limits_of_another_model_are_not_checked_against() {
    let folder = tempfile::tempdir().unwrap();
    let others = Limits { manifest_hash: Bytes32([0; 32]), ..shipped() };
    fs::copy(demo().join("manifest.json"), folder.path().join("manifest.json")).unwrap();
    fs::write(folder.path().join("limits.json"), serde_json::to_vec(&others).unwrap()).unwrap();
    let output = calibrate(&["--check", "--tokens", "1"], folder.path());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("another manifest"), "{said}");
}

fn calibrate(flags: &[&str], folder: &Path) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_verifier"));
    program.arg("calibrate").args(flags).arg(folder).output().expect("the program starts")
}

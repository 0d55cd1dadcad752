//! Which crate may use which: the list of docs/architecture.md against what cargo sees.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use serde_json::Value;

use super::source::root;

/// What does I/O is not for crates that only think.
const PURE: [&str; 4] = ["protocol", "ledger", "model", "verifier"];
const IMPURE: [&str; 5] = ["tokio", "axum", "sqlx", "reqwest", "hyper"];

/// What a crate of ours says that it uses.
struct Used {
    name: String,
    optional: bool,
    default_features: bool,
}

#[test]
fn crates_depend_on_each_other_as_the_architecture_says() {
    let found: BTreeMap<String, BTreeSet<String>> = packages()
        .into_iter()
        .map(|(name, used)| {
            let names = used.iter().filter_map(|used| used.name.strip_prefix("assay-"));
            (name, names.map(str::to_owned).collect())
        })
        .collect();
    let document = fs::read_to_string(root().join("docs/architecture.md")).expect("the document");
    assert_eq!(found, listed(&document), "cargo's list (left) and the document's (right)");
}

/// The first table: a folder's name in the first cell, what it may use of ours in the last.
fn listed(document: &str) -> BTreeMap<String, BTreeSet<String>> {
    let table = document.split_once("| folder |").expect("a table of folders").1;
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let rows: Vec<(&str, &str)> = rows
        .filter_map(|row| {
            let folder = row.strip_prefix("| `")?.split_once("/`")?.0;
            let uses = row.trim_end_matches('|').rsplit_once('|')?.1.trim();
            Some((folder, uses)).filter(|(_, uses)| !uses.is_empty())
        })
        .collect();
    let uses = |folder: &str, cell: &str| -> BTreeSet<String> {
        if let Some(but) = cell.strip_prefix("all but ") {
            let others = rows.iter().map(|(other, _)| *other);
            return others
                .filter(|other| *other != but && *other != folder)
                .map(str::to_owned)
                .collect();
        }
        // `engine (model in its tests)`: what only tests use is used too.
        let cell = cell.replace(" (", ", ").replace(" in its tests)", "");
        cell.split(", ").filter(|word| *word != "–").map(str::to_owned).collect()
    };
    rows.iter().map(|(folder, cell)| ((*folder).to_owned(), uses(folder, cell))).collect()
}

#[test]
fn crates_that_only_think_do_no_input_or_output() {
    for (name, used) in packages().iter().filter(|(name, _)| PURE.contains(&name.as_str())) {
        for used in used.iter().filter(|used| !used.optional) {
            assert!(!IMPURE.contains(&used.name.as_str()), "{name} depends on {}", used.name);
        }
    }
}

/// The gateway decides with the verifier's rules and runs no model.
#[test]
fn the_gateway_takes_the_verifier_without_its_program() {
    let packages = packages();
    let of = |name: &str| &packages.iter().find(|(of, _)| of == name).expect("a crate").1;
    let verifier = of("gateway").iter().find(|used| used.name == "assay-verifier");
    assert!(!verifier.expect("the gateway verifies").default_features);
    let engine = of("verifier").iter().find(|used| used.name == "assay-engine");
    assert!(engine.is_none_or(|engine| engine.optional), "the engine comes with the program only");
}

fn packages() -> Vec<(String, Vec<Used>)> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("metadata is JSON");
    let packages = metadata["packages"].as_array().expect("a list");
    let package = |package: &Value| {
        let name = text(package, "name");
        let used = package["dependencies"].as_array().expect("a list").iter().map(used).collect();
        (name.strip_prefix("assay-").unwrap_or(&name).to_owned(), used)
    };
    packages.iter().map(package).collect()
}

fn used(dependency: &Value) -> Used {
    Used {
        name: text(dependency, "name"),
        // What only tests use is not in the crate.
        optional: dependency["optional"] == true || dependency["kind"] == "dev",
        default_features: dependency["uses_default_features"] == true,
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

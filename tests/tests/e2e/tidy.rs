//! The rules of the architecture that can be read off the source: the starred invariants of
//! docs/architecture.md, and what no file may contain.

mod dependencies;
pub(crate) mod source;

use source::{Code, SourceFile, rust_files, text_files};

/// SQL is in `gateway/src/db` and in the migrations, nowhere else.
#[test]
fn sql_is_in_the_store_only() {
    let verbs = ["select", "insert into", "update", "delete from", "create table"];
    let statements = verbs.map(|verb| format!("\"{verb} "));
    let outside = rust_files().filter(|file| !file.is_under("gateway/src/db"));
    let found = outside.flat_map(|file| {
        // Tests may prepare statements that the store lists; they write none.
        let driver = (!file.is_under("tests")).then_some("sqlx::");
        let needles = statements.iter().map(String::as_str).chain(driver);
        needles.flat_map(|needle| file.lines_with(Code::Whole, needle)).collect::<Vec<_>>()
    });
    assert_none(found, "SQL outside of gateway/src/db");
}

/// Status codes are the edge's language.
#[test]
fn status_codes_are_at_the_edge_only() {
    let edge = ["gateway/src/api", "gateway/src/router.rs"];
    let inside = rust_files().filter(|file| {
        file.is_under("gateway/src") && !edge.iter().any(|edge| file.is_under(edge))
    });
    let found = inside.flat_map(|file| file.lines_with(Code::Only, "StatusCode"));
    assert_none(found, "status codes outside of gateway/src/api");
}

/// Money is integers.
#[test]
fn the_ledger_knows_no_float() {
    let ledger = rust_files().filter(|file| file.is_under("ledger"));
    let found = ledger.flat_map(|file| {
        let mut found = file.lines_where(Code::Only, has_float_literal);
        found.extend(["f32", "f64"].iter().flat_map(|word| file.lines_with(Code::Only, word)));
        found
    });
    assert_none(found, "floats in the ledger");
}

/// Tasks are tracked, so that shutdown waits for money. A spawn on a tracker or a set is not bare.
#[test]
fn no_task_of_the_gateway_is_untracked() {
    let gateway = rust_files().filter(|file| file.is_under("gateway/src"));
    let found = gateway.flat_map(|file| {
        let bare = ["tokio::spawn", "task::spawn(", "thread::spawn", "task::spawn_blocking"];
        bare.iter().flat_map(|bare| file.lines_with(Code::Only, bare)).collect::<Vec<_>>()
    });
    assert_none(found, "untracked tasks in the gateway");
}

#[test]
fn nothing_is_left_to_do() {
    // Put together here, so that this file does not find itself.
    let notes = [["TO", "DO"], ["FIX", "ME"], ["to", "do!("], ["unimple", "mented!("]];
    let found = text_files().flat_map(|file| {
        let notes = notes.iter().map(|halves| halves.concat());
        notes.flat_map(|note| file.lines_with(Code::Whole, &note)).collect::<Vec<_>>()
    });
    assert_none(found, "unfinished work");
}

/// A clone works wherever it lies and whoever runs it.
#[test]
fn no_file_names_a_path_of_a_machine() {
    let places = [["/ho", "me/"], ["/wo", "rk/"], ["/Us", "ers/"], ["/var/", "tmp/"], ["C:", "\\"]];
    let found = text_files().flat_map(|file| {
        let places = places.iter().map(|halves| halves.concat());
        places.flat_map(|place| file.lines_with(Code::Whole, &place)).collect::<Vec<_>>()
    });
    assert_none(found, "paths of a machine");
}

#[test]
fn every_rust_file_opens_with_what_it_is_for() {
    let silent = rust_files().filter(|file| !file.text.starts_with("//! "));
    assert_none(silent.map(|file| file.path.clone()), "files that do not say what they are for");
}

/// Digits, a point, digits; but not `pair.0.1`.
fn has_float_literal(line: &str) -> bool {
    let of_name = |c: &char| c.is_alphanumeric() || "_.)]".contains(*c);
    line.match_indices('.').any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + 1..]);
        let whole = before.trim_end_matches(|c: char| c.is_ascii_digit());
        whole.len() < before.len()
            && after.starts_with(|c: char| c.is_ascii_digit())
            && !whole.ends_with(|c| of_name(&c))
    })
}

fn assert_none(found: impl IntoIterator<Item = String>, what: &str) {
    let found: Vec<String> = found.into_iter().collect();
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// The rules see what they are meant to see.
#[test]
fn the_rules_find_what_they_look_for() {
    let file = |text: &str| SourceFile { path: "x.rs".into(), text: text.into() };
    let sees = |text: &str, code, needle: &str| !file(text).lines_with(code, needle).is_empty();
    assert!(sees("let a: f64 = 1;", Code::Only, "f64"));
    assert!(!sees("// no f64 here", Code::Only, "f64"));
    assert!(!sees("say(\"no f64 here\");", Code::Only, "f64"));
    assert!(!sees("let f640 = 1;", Code::Only, "f64"));
    assert!(sees("query(\"choose a from b\")", Code::Whole, "\"choose "));
    assert!(has_float_literal("a * 0.5") && !has_float_literal("1..5, f().0.1, pair.0.1"));
}

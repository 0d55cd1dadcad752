//! Every kind of the zoo has its row in docs/verification.md, a story that plays it, and its place in the benchmark.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use assay_tests::{
    Behaviour,
    bench::attacks::{LIARS, OTHERS},
};

use crate::tidy::source::root;

/// The only kind that is no cheat, and so in no table of cheats.
const HONEST: &str = "honest";

#[test]
fn every_kind_has_a_row_and_a_story_that_plays_it() {
    let faults = faults(&rows(&docs()));
    assert!(faults.is_empty(), "docs/verification.md, \"The zoo\":\n{}", faults.join("\n"));
}

#[test]
fn a_kind_without_a_row_or_a_story_is_found() {
    let edited = |edit: fn(&mut Vec<Row>)| {
        let mut rows = rows(&docs());
        edit(&mut rows);
        faults(&rows).join("\n")
    };
    let found = edited(|rows| rows.retain(|row| !row.names.contains("edit")));
    assert_eq!(found, "`edit` has no row");
    let found = edited(|rows| rows[0].stories = BTreeSet::from(["seeds".into()]));
    assert!(found.contains("no story of its row plays `random`"), "{found}");
    let found = edited(|rows| rows[0].stories = BTreeSet::from(["nowhere".into()]));
    assert!(found.contains("there is no story file `nowhere`"), "{found}");
    let found = edited(|rows| rows[0].names.extend(["unheard-of".into()]));
    assert_eq!(found, "no kind is called `unheard-of`");
}

#[test]
fn a_kind_that_only_a_comment_names_is_played_by_nobody() {
    let story =
        "/// As Behaviour::Edit does.\nlet cheat = Behaviour::Pad; // not Behaviour::Random\n";
    assert!(has_word(&code(story), "Behaviour::Pad"));
    for kind in ["Behaviour::Edit", "Behaviour::Random"] {
        assert!(has_word(story, kind) && !has_word(&code(story), kind), "{kind}");
    }
}

#[test]
fn every_kind_has_its_place_in_the_benchmark() {
    let mut places = BTreeMap::<_, usize>::new();
    let others = OTHERS.iter().map(|(kind, _)| kind);
    LIARS.iter().chain(others).for_each(|kind| *places.entry(kind.name()).or_default() += 1);
    let places: Vec<_> =
        Behaviour::ALL.iter().map(|kind| (kind.name(), places.get(kind.name()))).collect();
    assert!(places.iter().all(|(_, place)| *place == Some(&1)), "one for each: {places:#?}");
}

/// A row of the table of cheats.
struct Row {
    names: BTreeSet<String>,
    /// Modules of this crate.
    stories: BTreeSet<String>,
}

fn docs() -> String {
    fs::read_to_string(root().join("docs/verification.md")).expect("the document")
}

/// The first table under "The zoo".
fn rows(text: &str) -> Vec<Row> {
    let (_, zoo) = text.split_once("\n## The zoo\n").expect("the section");
    let table = zoo.lines().skip_while(|line| !line.starts_with('|'));
    let table = table.take_while(|line| line.starts_with('|')).skip(2);
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        let [_, names, .., stories, _] = cells[..] else { panic!("no row: {line}") };
        Row { names: in_code(names), stories: in_code(stories) }
    };
    table.map(row).collect()
}

fn in_code(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What is wrong with the table.
fn faults(rows: &[Row]) -> Vec<String> {
    let mut faults = Vec::new();
    let names: BTreeSet<&str> = Behaviour::ALL.iter().map(|kind| kind.name()).collect();
    let unknown = rows.iter().flat_map(|row| &row.names).filter(|name| !names.contains(&name[..]));
    faults.extend(unknown.map(|name| format!("no kind is called `{name}`")));
    for kind in Behaviour::ALL.iter().filter(|kind| kind.name() != HONEST) {
        let name = kind.name();
        let Some(row) = rows.iter().find(|row| row.names.contains(name)) else {
            faults.push(format!("`{name}` has no row"));
            continue;
        };
        // `Behaviour(FalseClass)`: as the stories write it.
        let constant = format!("{kind:?}").replace('(', "::").replace(')', "");
        let plays = |story: &String| {
            let path = root().join(format!("tests/tests/e2e/{story}.rs"));
            fs::read_to_string(path).map(|text| has_word(&code(&text), &constant))
        };
        let played: Vec<_> = row.stories.iter().map(|story| (story, plays(story))).collect();
        let missing = played.iter().filter(|(_, plays)| plays.is_err());
        faults.extend(missing.map(|(story, _)| format!("there is no story file `{story}`")));
        if !played.iter().any(|(_, plays)| matches!(plays, Ok(true))) {
            faults.push(format!("no story of its row plays `{name}`"));
        }
    }
    faults
}

/// A source text without its comments.
fn code(text: &str) -> String {
    let code = |line: &str| line.split_once("//").map_or(line, |(code, _)| code).to_owned();
    text.lines().map(code).collect::<Vec<_>>().join("\n")
}

fn has_word(text: &str, word: &str) -> bool {
    let ends = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric());
    text.match_indices(word).any(|(at, _)| ends(&text[at + word.len()..]))
}

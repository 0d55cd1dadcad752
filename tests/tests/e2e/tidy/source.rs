//! The repository's files as the rules read them.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Folders that are built, fetched, or not ours to word.
const LEFT_OUT: [&str; 8] =
    ["target", ".git", ".venv", "node_modules", "__pycache__", "demo", "golden", "data"];
/// Files whose words are ours.
const TEXT: [&str; 10] = ["rs", "toml", "md", "sql", "py", "sh", "js", "mjs", "html", "jinja"];

/// A file, named from the root of the repository.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// How much of a line counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Without comments and what stands in quotes.
    Only,
    Whole,
}

/// Every Rust file.
pub(crate) fn rust_files() -> impl Iterator<Item = SourceFile> {
    text_files().filter(|file| file.path.ends_with(".rs"))
}

/// Every file that people read.
pub(crate) fn text_files() -> impl Iterator<Item = SourceFile> {
    let root = root();
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    assert!(paths.len() > 50, "the repository is at {}", root.display());
    paths.into_iter().map(move |path| SourceFile {
        text: fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        path: path.strip_prefix(&root).expect("under the root").display().to_string(),
    })
}

pub(crate) fn root() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"));
    crates.parent().expect("this crate lies in the repository").to_owned()
}

impl SourceFile {
    pub(crate) fn is_under(&self, place: &str) -> bool {
        let rest = self.path.strip_prefix(place);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The lines that contain this; a needle that is a word counts as a word.
    pub(crate) fn lines_with(&self, code: Code, needle: &str) -> Vec<String> {
        self.lines_where(code, |line| contains(line, needle))
    }

    /// The lines for which this holds, with their places.
    pub(crate) fn lines_where(&self, code: Code, holds: impl Fn(&str) -> bool) -> Vec<String> {
        let numbered = self.text.lines().enumerate();
        let found = numbered.filter(|(_, line)| match code {
            Code::Only => holds(&code_of(line)),
            Code::Whole => holds(line),
        });
        found.map(|(index, line)| format!("{}:{}: {}", self.path, index + 1, line.trim())).collect()
    }
}

fn contains(line: &str, needle: &str) -> bool {
    let of_word = |c: char| c.is_alphanumeric() || c == '_';
    let word = needle.chars().all(of_word);
    line.match_indices(needle).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + needle.len()..].chars().next();
        !word || !before.into_iter().chain(after).any(of_word)
    })
}

/// A line without its comment and without what stands in quotes.
fn code_of(line: &str) -> String {
    let (mut code, mut quoted, mut escaped) = (String::new(), false, false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' if !quoted && chars.peek() == Some(&'/') => break,
            '"' if !escaped => quoted = !quoted,
            _ if !quoted => code.push(c),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    code
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry of a folder").path();
        let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            if !LEFT_OUT.contains(&name.as_str()) {
                collect(&path, paths);
            }
        } else if path.extension().is_some_and(|kind| TEXT.iter().any(|text| kind == *text)) {
            paths.push(path);
        }
    }
}

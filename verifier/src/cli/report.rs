//! What the commands say, and to whom: results on standard output, progress on standard error.

use serde_json::{Value, json};

/// The version of the JSON's shape: keys are added, never renamed.
const FORMAT: &str = "assay-verifier/1";

/// Why a command does not end well.
#[derive(Debug)]
pub(super) enum Failure {
    /// What was checked does not hold; each sentence names something that is wrong.
    Refused(Vec<String>),
    /// Something was missing, so that nothing can be said.
    Unchecked(anyhow::Error),
}

impl Failure {
    pub(super) fn refused(why: impl ToString) -> Self {
        Self::Refused(vec![why.to_string()])
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Unchecked(error)
    }
}

/// For people, or for programs.
#[derive(Debug)]
pub(super) struct Report {
    json: bool,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// What is being done now.
    pub(super) fn progress(&self, doing: &str) {
        if !self.json {
            eprintln!("  {doing} …");
        }
    }

    /// It holds: a sentence, what to know besides, and figures.
    pub(super) fn holds(&self, sentence: &str, notes: &[String], figures: Value) {
        if self.json {
            println!(
                "{}",
                json!({"format": FORMAT, "holds": true, "sentence": sentence, "notes": notes, "figures": figures})
            );
            return;
        }
        println!("{sentence}");
        notes.iter().for_each(|note| println!("- {note}"));
    }

    pub(super) fn refused(&self, found: &[String]) {
        if self.json {
            println!("{}", json!({"format": FORMAT, "holds": false, "wrong": found}));
            return;
        }
        for wrong in found {
            println!("REFUSED: {wrong}.");
        }
    }

    pub(super) fn unchecked(&self, error: &anyhow::Error) {
        if self.json {
            println!("{}", json!({"format": FORMAT, "holds": null, "error": format!("{error:#}")}));
            return;
        }
        eprintln!("not checked: {error:#}");
    }
}
